import logging

import numpy as np
import pyhf
import pytest

from bumpflow.stats import fit as fits
from bumpflow.stats import model as models
from bumpflow.stats.fit import Fixed, fit
from bumpflow.stats.model import BinnedModel, Parameters, half_deviance, observe
from bumpflow.stats.workspace import POI, SHAPE, STAT, build_workspace, read_workspace

# pyhf 0.7 checks its schema with a class that jsonschema is about to remove
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
SIGNAL_EVENTS = np.array([1.5, 6.0, 4.0, 0.5])
BACKGROUND_EVENTS = np.array([60.0, 40.0, 25.0, 12.0])
CHANGES = np.array([[3.0, 1.0, -1.0, -2.0], [0.5, 2.0, 2.0, 0.5]])
FULL = BinnedModel.build(
    SIGNAL_EVENTS,
    BACKGROUND_EVENTS,
    shape=[0.1, 0.05, 0.2, 0.15],
    stat=[0.02, 0.04, 0.1, 0.08],
    variations=CHANGES,
)
BOUNDARY = BinnedModel.build([5.0, 1.0], [1.0, 10.0])  # a first bin that signal dominates
EMPTY_FIRST = [0.0, 10.0]


@pytest.fixture
def minuit():
    before = pyhf.get_backend()
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-3, strategy=2))
    yield
    pyhf.set_backend(*before)


def _workspace(observed):
    return build_workspace(
        SIGNAL_EVENTS,
        BACKGROUND_EVENTS,
        np.array(observed),
        shape=0.1,
        signal_variances=np.array([0.1, 0.4, 0.3, 0.05]),
        background_variances=np.array([4.0, 3.0, 2.0, 1.0]),
        variations=list(CHANGES),
    )


def _shifted(at, field, index, step):
    part = getattr(at, field).copy()
    part[index] += step
    return at._replace(**{field: part})


def _numerical_gradient(model, data, at, step=1e-5):
    """Derivatives of -ln L with respect to every parameter of the first model."""
    found = {}
    for field in Parameters._fields:
        part = getattr(at, field)
        for index in np.ndindex(part.shape):
            high, low = (
                half_deviance(model, data, _shifted(at, field, index, sign * step))[0]
                for sign in (1, -1)
            )
            found[field, index] = (high - low) / 2 / step
    return found


@pytest.mark.usefixtures("minuit")
@pytest.mark.parametrize("observed", [[55.0, 49.0, 28.0, 10.0], [64.0, 31.0, 20.0, 14.0]])
@pytest.mark.parametrize("fixed", [None, 0.0, 1.7])
def test_fit_is_that_of_pyhf_and_minuit(observed, fixed):
    workspace = pyhf.Workspace(_workspace(observed))
    theirs = workspace.model(measurement_name="signal_strength")
    values, start = workspace.data(theirs), theirs.config.suggested_init()
    held = theirs.config.suggested_fixed()
    if fixed is not None:
        start[theirs.config.poi_index], held[theirs.config.poi_index] = fixed, True
    best, twice_nll = pyhf.infer.mle.fit(
        values,
        theirs,
        start,
        fixed_params=held,
        return_uncertainties=True,
        return_fitted_val=True,
    )
    model, data = read_workspace(_workspace(observed))
    ours = fit(model, data, mu=fixed)
    at = start.copy()
    names = (POI, STAT, SHAPE, "surrogate_training_1", "surrogate_training_2")
    parts = (ours.mu, ours.at.stat[0], ours.at.shape[0], *ours.at.variations.T)
    for name, part in zip(names, parts, strict=True):
        at[theirs.config.par_slice(name)] = part
    found = pyhf.infer.mle.twice_nll(at, values, theirs)
    assert found == pytest.approx([float(twice_nll)], abs=1e-5)
    assert np.array(at) == pytest.approx(best[:, 0], abs=1e-3)
    if fixed is None:
        assert ours.mu[0] == pytest.approx(best[theirs.config.poi_index, 0], abs=1e-3)
        assert ours.uncertainty[0] == pytest.approx(best[theirs.config.poi_index, 1], rel=3e-3)
    else:
        assert ours.mu[0] == fixed
        assert np.isnan(ours.uncertainty[0])


@pytest.mark.parametrize("fixed", [None, 0.0, 1.7, 40.0])
def test_slope_vanishes_at_the_minimum(fixed):
    rng = np.random.default_rng(1)
    data = FULL.draw(FULL.nominal(1.0), rng)
    found = fit(FULL, data, mu=fixed)
    assert found.status == ["converged"]
    gradient = _numerical_gradient(FULL, data, found.at)
    moved = _numerical_gradient(FULL, data, _shifted(found.at, "shape", (0, 1), 0.01))
    assert max(abs(x) for x in moved.values()) > 0.1
    if fixed is not None:
        assert abs(gradient.pop(("mu", (0,)))) > 1e-2
    assert max(abs(x) for x in gradient.values()) < 2e-4


@pytest.mark.parametrize("observed", [True, False])
def test_expansion_holds_the_derivatives(observed):
    """The expected curvature is that of -ln L at Asimov data; the observed one is at any."""
    at = FULL.nominal(2.0)._replace(variations=np.array([[0.3, -0.4]]))
    data = FULL.draw(at, np.random.default_rng(5)) if observed else FULL.asimov(at)
    d = fits._expand(FULL, data, at, fits._held(FULL, Fixed()), observed=observed)
    step = 1e-4

    def second(field, index):
        high, low = (
            _numerical_gradient(FULL, data, _shifted(at, field, index, sign * step))
            for sign in (1, -1)
        )
        return {key: (high[key] - low[key]) / 2 / step for key in high}

    rows = [("mu", (0,)), ("variations", (0, 0)), ("variations", (0, 1))]
    for row, key in enumerate(rows):
        by = second(*key)
        assert d.shared_shared[0, row] == pytest.approx([by[other] for other in rows], rel=1e-3)
        for b in range(4):
            assert d.g_shared[0, row, b] == pytest.approx(by["stat", (0, b)], rel=2e-3)
            assert d.h_shared[0, row, b] == pytest.approx(by["shape", (0, b)], rel=2e-3)
    for b in range(4):
        by = second("stat", (0, b))
        assert d.gg[0, b] == pytest.approx(by["stat", (0, b)], rel=1e-3)
        assert d.gh[0, b] == pytest.approx(by["shape", (0, b)], rel=1e-3)
        assert d.hh[0, b] == pytest.approx(second("shape", (0, b))["shape", (0, b)], rel=1e-3)


def test_uncertainty_is_the_curvature_of_the_profile():
    data = observe(FULL, [55, 49, 28, 10])
    best, step = fit(FULL, data), 0.05
    around = [fit(FULL, data, mu=best.mu + sign * step).half_deviance for sign in (-1, 1)]
    curvature = (sum(around) - 2 * best.half_deviance) / step**2
    assert best.uncertainty == pytest.approx(1 / np.sqrt(curvature), rel=3e-3)


@pytest.mark.parametrize("n", [1.0, 17.0, 400.0])
def test_counting_experiment_has_its_closed_form(n):
    model = BinnedModel.build([5.0], [20.0])
    found = fit(model, observe(model, [n]))
    assert found.mu == pytest.approx([(n - 20) / 5], rel=1e-4)
    assert found.uncertainty == pytest.approx([np.sqrt(n) / 5], rel=1e-4)
    assert found.half_deviance == pytest.approx([0], abs=1e-9)
    fixed = fit(model, observe(model, [n]), mu=2.0)
    assert fixed.half_deviance == pytest.approx([30 - n - n * np.log(30 / n)])


def test_asimov_data_give_back_their_parameters():
    at = FULL.nominal(3.0)._replace(variations=np.array([[0.5, -1.0]]))
    found = fit(FULL, FULL.asimov(at))
    for part, truth in zip(found.at, at, strict=True):
        assert part == pytest.approx(truth, abs=1e-5)
    assert found.half_deviance == pytest.approx([0], abs=1e-9)


def test_background_uncertainty_adds_to_that_of_the_counts():
    """Linear case: a single bin with many events."""
    model = BinnedModel.build([1e3], [1e6], variations=[[2e4]])
    found = fit(model, observe(model, [1e6]))
    assert found.uncertainty == pytest.approx([np.hypot(1e3, 2e4) / 1e3], rel=1e-6)


def test_batch_gives_what_single_fits_give():
    rng = np.random.default_rng(2)
    batch = FULL[np.zeros(7, int)]
    data = batch.draw(batch.nominal(1.0), rng)
    together = fit(batch, data)
    for row in range(7):
        alone = fit(FULL, data.rows(slice(row, row + 1)))
        assert alone.mu[0] == pytest.approx(together.mu[row], abs=1e-8)
        assert alone.uncertainty[0] == pytest.approx(together.uncertainty[row], rel=1e-6)
        assert alone.half_deviance[0] == pytest.approx(together.half_deviance[row], abs=1e-9)


def test_blocks_do_not_change_fits(monkeypatch):
    rng = np.random.default_rng(3)
    batch = FULL[np.zeros(7, int)]
    data = batch.draw(batch.nominal(1.0), rng)
    whole = fit(batch, data, mu=np.linspace(0, 3, 7))
    monkeypatch.setattr(models, "BLOCK", 45)
    pieces = fit(batch, data, mu=np.linspace(0, 3, 7))
    assert pieces.mu.tolist() == np.linspace(0, 3, 7).tolist()
    assert pieces.half_deviance == pytest.approx(whole.half_deviance, abs=1e-9)
    assert pieces.at.stat == pytest.approx(whole.at.stat, abs=1e-6)


@pytest.mark.parametrize("mu", [30.0, 1e3, 1e6])
def test_start_does_not_change_the_minimum(mu):
    """Far from it -ln L does not curve upwards everywhere."""
    rng = np.random.default_rng(4)
    data = FULL.draw(FULL.nominal(1.0), rng)
    first = fit(FULL, data)
    far = FULL.nominal(mu)._replace(stat=np.full((1, 4), 1.3), variations=np.full((1, 2), 2.0))
    second = fit(FULL, data, start=far)
    assert second.mu == pytest.approx(first.mu, abs=1e-4)
    assert second.half_deviance == pytest.approx(first.half_deviance, abs=1e-8)


def test_fixed_nuisances_stay_where_they_start():
    data = observe(FULL, [70, 49, 28, 10])
    start = FULL.nominal(1.0)._replace(
        variations=np.array([[0.7, 0.0]]), shape=np.full((1, 4), 1.05)
    )
    held = Fixed(shape=True, variations=np.array([True, False]))
    found = fit(FULL, data, start=start, fixed=held)
    assert found.at.shape.tolist() == start.shape.tolist()
    assert found.at.variations[0, 0] == 0.7
    assert found.at.variations[0, 1] != 0.0
    assert np.all(found.at.stat != 1.0)
    assert found.half_deviance > fit(FULL, data).half_deviance
    assert found.uncertainty < fit(FULL, data).uncertainty
    gradient = _numerical_gradient(FULL, data, found.at)
    free = [x for key, x in gradient.items() if key[0] in {"mu", "stat"}]
    assert max(abs(x) for x in free) < 2e-4


def test_nuisances_without_uncertainty_are_fixed():
    model = BinnedModel.build(SIGNAL_EVENTS, BACKGROUND_EVENTS, shape=[0.1, 0.0, 0.1, 0.0])
    found = fit(model, observe(model, [70, 49, 28, 10]))
    assert np.array_equal(found.at.shape[0] == 1, [False, True, False, True])
    assert np.all(found.at.stat == 1)


def test_fit_does_not_change_its_arguments():
    data = observe(FULL, [70, 49, 28, 10])
    start = FULL.nominal(1.0)
    before = [part.copy() for part in (*start, *data)]
    fit(FULL, data, start=start)
    assert all(np.array_equal(a, b) for a, b in zip(before, (*start, *data), strict=True))


def test_negative_strength_is_found_where_an_empty_bin_still_expects_events():
    model = BinnedModel.build([5.0, 50.0], [1.0, 10.0], stat=0.05, shape=0.1)
    data = observe(model, [0.0, 2.0])
    found = fit(model, data)
    assert found.mu < -0.1
    assert np.all(model.expected(found.at) > 0.1)
    assert max(abs(x) for x in _numerical_gradient(model, data, found.at).values()) < 2e-4


@pytest.mark.parametrize(
    ("model", "counts"),
    [
        (BOUNDARY, EMPTY_FIRST),
        pytest.param(BinnedModel.build([5.0], [3.0]), [0.0]),
        (BinnedModel.build([5.0, 1.0], [1.0, 10.0], shape=0.1, stat=0.05), EMPTY_FIRST),
        pytest.param(
            BinnedModel.build([5.0, 5.0], [3.0, 8.0], shape=0.1, stat=0.06),
            [0.0, 0.0],
        ),
        pytest.param(BinnedModel.build([5.0], [3.0], stat=0.6), [0.0]),
    ],
)
def test_minimum_where_an_empty_bin_expects_nothing_is_a_failed_fit(model, counts):
    """-ln L falls, with a slope left, until the bin expects 0: no curvature, no uncertainty."""
    found = fit(model, observe(model, counts))
    assert found.status == ["failed: no minimum within the physical range"]
    for part in (*found.at, found.half_deviance, found.uncertainty):
        assert np.isnan(part).all()


def test_signal_that_expects_no_events_is_a_failed_fit():
    model = BinnedModel.build([0.0, 0.0], [3.0, 8.0], shape=0.1)
    assert not fit(model, observe(model, [3.0, 9.0])).good.any()


def test_failed_fit_leaves_the_others_alone_and_is_logged(caplog):
    batch = BOUNDARY[np.zeros(3, int)]
    data = observe(batch, np.array([[2.0, 10.0], EMPTY_FIRST, [1.0, 12.0]]))
    with caplog.at_level(logging.WARNING, logger="bumpflow.stats.fit"):
        found = fit(batch, data)
    assert caplog.messages == ["1 of 3 fits failed"]
    assert found.good.tolist() == [True, False, True]
    assert [status.partition(":")[0] for status in found.status] == [
        "converged",
        "failed",
        "converged",
    ]
    assert found.mu[[0, 2]] == pytest.approx(
        [fit(BOUNDARY, data.rows([row])).mu[0] for row in (0, 2)], abs=1e-8
    )
    # without the freedom of the signal strength there is a minimum
    assert fit(BOUNDARY, data.rows([1]), mu=0.0).good.all()


def test_low_counts_never_stop_the_batch():
    """A fifth of these fits has its minimum where an empty bin expects nothing."""
    rng = np.random.default_rng(1)
    size = (2000, 3)
    signal, background = rng.uniform(0.1, 5, size), rng.uniform(0.2, 5, size)
    changes = 0.2 * background[:, None] * rng.uniform(-1, 1, (2000, 1, 3))
    model = BinnedModel.build(signal, background, shape=0.2, stat=0.1, variations=changes)
    data = model.draw(model.nominal(), rng)
    found, null = fit(model, data), fit(model, data, mu=0.0)
    assert null.good.all()
    assert 0.1 < np.mean(~found.good) < 0.3
    empty = np.any(data.counts == 0, axis=1)
    assert found.good[~empty].all()
    assert np.all(found.half_deviance[found.good] <= null.half_deviance[found.good] + 1e-9)
    assert np.all(model[found.good].expected(Parameters(*(x[found.good] for x in found.at))) > 0)
    assert found.uncertainty[found.good].min() > 0.01


def test_a_strength_that_expects_less_than_nothing_is_a_failed_fit():
    data = observe(BOUNDARY, [2.0, 10.0])
    found = fit(BOUNDARY, data, mu=-0.3)
    assert not found.good.any()
    assert np.isnan(found.half_deviance).all()
