import copy

import numpy as np
import pyhf
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from bumpflow.stats import asymptotics
from bumpflow.stats.asymptotics import confidence_levels, discover, upper_limits
from bumpflow.stats.model import BinnedModel, observe
from bumpflow.stats.workspace import build_workspace, read_workspace

# pyhf 0.7 checks its schema with a class that jsonschema is about to remove
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
SIGNAL_EVENTS = np.array([1.5, 6.0, 4.0, 0.5])
BACKGROUND_EVENTS = np.array([60.0, 40.0, 25.0, 12.0])
CHANGE = np.array([3.0, 1.0, -1.0, -2.0])
FULL = BinnedModel.build(
    SIGNAL_EVENTS, BACKGROUND_EVENTS, shape=0.1, stat=0.05, variations=CHANGE[None]
)
DATA = [[62.0, 52.0, 27.0, 11.0], [55.0, 33.0, 21.0, 14.0]]  # an excess and a deficit


@pytest.fixture
def minuit():
    before = pyhf.get_backend()
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-3))
    yield
    pyhf.set_backend(*before)


def _both(observed):
    """Return our model and data, and pyhf's; theirs need their strength bounded at 0."""
    workspace = build_workspace(
        SIGNAL_EVENTS,
        BACKGROUND_EVENTS,
        np.array(observed),
        shape=0.1,
        signal_variances=np.array([0.1, 0.4, 0.3, 0.05]),
        background_variances=np.array([4.0, 3.0, 2.0, 1.0]),
        variations=[CHANGE],
    )
    bounded = copy.deepcopy(workspace)
    bounded["measurements"][0]["config"]["parameters"][0]["bounds"] = [[0.0, 10.0]]
    bounded = pyhf.Workspace(bounded)
    model = bounded.model()
    return read_workspace(workspace), (bounded.data(model), model)


@pytest.mark.usefixtures("minuit")
@pytest.mark.parametrize("observed", DATA)
@pytest.mark.parametrize("mu", [0.3, 1.0, 2.5])
def test_statistic_and_confidence_level_are_those_of_pyhf(observed, mu):
    ours, (values, theirs) = _both(observed)
    settings = theirs.config.suggested_init(), theirs.config.suggested_bounds()
    q = pyhf.infer.test_statistics.qmu_tilde(
        mu, values, theirs, *settings, theirs.config.suggested_fixed()
    )
    assert asymptotics.test_statistic(*ours, mu) == pytest.approx([float(q)], abs=1e-3)
    cls = pyhf.infer.hypotest(mu, values, theirs, test_stat="qtilde")
    assert confidence_levels(*ours, mu) == pytest.approx([float(cls)], rel=1e-3)


@pytest.mark.usefixtures("minuit")
@pytest.mark.parametrize("observed", DATA)
def test_pyhf_excludes_our_limits_at_their_confidence(observed):
    ours, (values, theirs) = _both(observed)
    found = upper_limits(*ours)
    assert found.status == ["converged"]
    for index, mu in enumerate([found.observed[0], *found.expected[0]]):
        cls, expected = pyhf.infer.hypotest(
            mu, values, theirs, test_stat="qtilde", return_expected_set=True
        )
        assert [cls, *expected][index] == pytest.approx(0.05, rel=1e-3)


@pytest.mark.usefixtures("minuit")
def test_limits_are_those_of_pyhf():
    signal, background, shifts, counts = [12.0, 11.0], [50.0, 52.0], [3.0, 7.0], [51.0, 48.0]
    theirs = pyhf.simplemodels.uncorrelated_background(signal, background, shifts)
    bounds = theirs.config.suggested_bounds()
    observed, expected = pyhf.infer.intervals.upper_limits.toms748_scan(
        counts + theirs.config.auxdata, theirs, 0.3, 3.0, par_bounds=bounds, test_stat="qtilde"
    )
    model = BinnedModel.build(signal, background, shape=np.divide(shifts, background))
    found = upper_limits(model, observe(model, counts))
    assert found.observed == pytest.approx([float(observed)], rel=1e-3)
    assert found.expected[0] == pytest.approx([float(limit) for limit in expected], rel=1e-3)


@pytest.mark.usefixtures("minuit")
def test_discovery_is_that_of_pyhf():
    for observed in DATA:
        ours, (values, theirs) = _both(observed)
        p0 = pyhf.infer.hypotest(0.0, values, theirs, test_stat="q0")
        assert discover(*ours).p0 == pytest.approx([float(p0)], abs=1e-3)


def _counting_q(mu, *, n, s, b):
    """The test statistic of one bin in closed form."""

    def deviance(nu):
        return 2 * (nu - n + (n * np.log(n / nu) if n > 0 else 0.0))

    strength = (n - b) / s
    if strength > mu:
        return 0.0
    return max(deviance(mu * s + b) - (deviance(b) if strength < 0 else 0.0), 0.0)


def _counting_cls(mu, *, n, s, b):
    """CLs of one bin; the tail beyond the median holds data with a negative strength."""
    q, median = (np.sqrt(_counting_q(mu, n=count, s=s, b=b)) for count in (n, b))
    if q <= median:
        return norm.sf(q) / norm.sf(q - median)
    return norm.sf((q**2 + median**2) / 2 / median) / norm.sf((q**2 - median**2) / 2 / median)


COUNTING = [
    {"n": 25.0, "s": 5.0, "b": 20.0},
    {"n": 12.0, "s": 5.0, "b": 20.0},
    {"n": 60.0, "s": 0.3, "b": 20.0},
    {"n": 1.0, "s": 7.0, "b": 0.5},
]


@pytest.mark.parametrize("case", COUNTING)
@pytest.mark.parametrize("confidence", [0.95, 0.9])
def test_observed_limit_of_a_counting_experiment_has_its_closed_form(case, confidence):
    model = BinnedModel.build([case["s"]], [case["b"]])
    data = observe(model, [case["n"]])
    low = max((case["n"] - case["b"]) / case["s"], 0) + 1e-6
    expected = brentq(lambda mu: _counting_cls(mu, **case) - 1 + confidence, low, low + 1e3)
    found = upper_limits(model, data, confidence=confidence)
    assert found.observed == pytest.approx([expected], rel=1e-3)
    for mu in (0.5 * expected, expected, 1.5 * expected):
        assert asymptotics.test_statistic(model, data, mu) == pytest.approx(
            [_counting_q(mu, **case)], abs=1e-6
        )
        assert confidence_levels(model, data, mu) == pytest.approx([_counting_cls(mu, **case)])


@pytest.mark.parametrize("case", COUNTING)
def test_expected_band_of_a_counting_experiment_has_its_closed_form(case):
    model = BinnedModel.build([case["s"]], [case["b"]])
    found = upper_limits(model, observe(model, [case["n"]])).expected[0]
    for limit, fluctuation in zip(found, (-2, -1, 0, 1, 2), strict=True):
        target = (fluctuation + norm.ppf(1 - 0.05 * norm.cdf(fluctuation))) ** 2
        asimov = {**case, "n": case["b"]}
        expected = brentq(lambda mu: _counting_q(mu, **asimov) - target, 1e-6, 1e4)  # noqa: B023
        assert limit == pytest.approx(expected, rel=1e-3)


def test_discovery_of_a_counting_experiment_has_its_closed_form():
    model = BinnedModel.build([5.0], [20.0])[[0, 0, 0]]
    found = discover(model, observe(model, [[35.0], [20.0], [10.0]]))
    z = np.sqrt(2 * (35 * np.log(35 / 20) - 15))
    assert found.z == pytest.approx([z, 0, 0], abs=1e-4)
    assert found.p0 == pytest.approx([norm.sf(z), 0.5, 0.5], abs=1e-4)
    assert found.good.all()


def test_observed_limit_of_asimov_data_is_the_median_expected_one():
    at = FULL.nominal()
    found = upper_limits(FULL, FULL.asimov(at))
    assert found.observed == pytest.approx(found.expected[:, 2], rel=2e-4)
    assert np.all(np.diff(found.expected) > 0)


def test_strengths_below_the_fitted_one_are_not_excluded():
    data = FULL.asimov(FULL.nominal(3.0))
    assert asymptotics.test_statistic(FULL, data, 2.0) == [0.0]
    assert confidence_levels(FULL, data, 0.0) == pytest.approx([1.0])
    assert confidence_levels(FULL, data, 2.0) > 0.5


def test_higher_confidence_and_more_uncertainty_mean_higher_limits():
    data = observe(FULL, DATA[0])
    bare = BinnedModel.build(SIGNAL_EVENTS, BACKGROUND_EVENTS)
    usual = upper_limits(FULL, data)
    assert upper_limits(FULL, data, confidence=0.99).observed > 1.1 * usual.observed
    narrow = upper_limits(bare, observe(bare, DATA[0]))
    assert np.all(narrow.expected < usual.expected)


def test_batch_gives_what_single_models_give():
    rng = np.random.default_rng(1)
    scale = np.array([0.3, 1.0, 3.0, 30.0])[:, None]
    batch = BinnedModel.build(
        SIGNAL_EVENTS * scale,
        BACKGROUND_EVENTS * scale,
        shape=0.1,
        stat=0.05,
        variations=CHANGE * scale[:, None],
    )
    data = batch.draw(batch.nominal(0.5), rng)
    together, found = upper_limits(batch, data), discover(batch, data)
    cls = confidence_levels(batch, data, 1.0)
    for row in range(len(batch)):
        alone = batch[[row]], data.rows([row])
        limits = upper_limits(*alone)
        assert limits.observed[0] == pytest.approx(together.observed[row], rel=3e-4)
        assert limits.expected[0] == pytest.approx(together.expected[row], rel=3e-4)
        assert discover(*alone).z[0] == pytest.approx(found.z[row], abs=1e-4)
        assert confidence_levels(*alone, 1.0)[0] == pytest.approx(cls[row], rel=1e-4)


@pytest.mark.parametrize("scale", [1e-5, 1e-3, 1e3, 1e5])
def test_limits_of_weak_and_strong_signals_are_found(scale):
    """A weaker signal of the same form has a limit that is higher by the same factor."""
    weak = BinnedModel.build(
        SIGNAL_EVENTS * scale, BACKGROUND_EVENTS, shape=0.1, stat=0.05, variations=CHANGE[None]
    )
    for counts in DATA:
        usual = upper_limits(FULL, observe(FULL, counts))
        found = upper_limits(weak, observe(weak, counts))
        assert found.status == ["converged"]
        assert found.observed * scale == pytest.approx(usual.observed, rel=3e-4)
        assert found.expected * scale == pytest.approx(usual.expected, rel=3e-4)


@pytest.mark.parametrize("guess", [1e-6, 1.0, 1e6])
def test_brackets_widen_until_they_hold_the_root(guess):
    """Starts many orders of magnitude away from the root, on either side of it."""
    root = np.array([0.02, 30.0])
    found = asymptotics._find_roots(
        lambda mu, row: np.log(mu / root[row.astype(int)]), np.full(2, guess), np.arange(2)
    )
    assert found == pytest.approx(root, rel=asymptotics.LIMIT_TOLERANCE)


def test_function_without_a_root_has_none():
    found = asymptotics._find_roots(lambda mu, _: -1 / (1 + mu), np.ones(1), np.arange(1))
    assert np.isnan(found).all()


@pytest.mark.parametrize("shape", [0.0, 0.1])
def test_minimum_outside_the_physical_range_does_not_prevent_a_limit(shape):
    """Signal dominates the empty first bin: the free fit fails, but the strength is negative."""
    model = BinnedModel.build([5.0, 1.0], [1.0, 10.0], shape=shape, stat=shape / 2)[[0, 0]]
    data = observe(model, [[0.0, 10.0], [1.0, 10.0]])
    found, tested = upper_limits(model, data), discover(model, data)
    assert found.status == ["converged", "converged"]
    assert 0 < found.observed[0] < found.observed[1]
    assert found.expected[0, 2] < found.expected[1, 2] * 1.1
    assert tested.good.all()
    assert tested.p0[0] == 0.5


def test_limit_of_an_empty_bin_has_its_closed_form():
    case = {"n": 0.0, "s": 5.0, "b": 3.0}
    model = BinnedModel.build([5.0], [3.0])
    expected = brentq(lambda mu: _counting_cls(mu, **case) - 0.05, 1e-6, 10)
    found = upper_limits(model, observe(model, [0.0]))
    assert found.observed == pytest.approx([expected], rel=1e-3)


def test_model_that_cannot_be_fitted_has_no_limit_and_says_so():
    """The empty bin pulls its statistical factor to 0; the second model is an ordinary one."""
    model = BinnedModel.build([5.0], [3.0], stat=[[0.6], [0.1]])
    data = observe(model, [[0.0], [3.0]])
    found, tested = upper_limits(model, data), discover(model, data)
    assert found.status == ["failed: no minimum within the physical range", "converged"]
    assert np.isnan(found.observed).tolist() == [True, False]
    assert np.isnan(found.expected).any(axis=1).tolist() == [True, False]
    assert tested.good.tolist() == [False, True]
    assert np.isnan(tested.p0).tolist() == [True, False]


def test_signal_that_expects_no_events_has_no_limit_and_says_so():
    model = BinnedModel.build([0.0, 0.0], [3.0, 8.0], shape=0.1)
    found = upper_limits(model, observe(model, [3.0, 9.0]))
    assert found.status[0].startswith("failed: ")
    assert np.isnan([*found.observed, *found.expected[0]]).all()
