import numpy as np
import pyhf
import pytest
from scipy.stats import norm, poisson

from bumpflow.stats import model as models
from bumpflow.stats.model import BinnedModel, Parameters, half_deviance, observe
from bumpflow.stats.workspace import BACKGROUND, POI, SHAPE, SIGNAL, STAT, read_workspace

# pyhf 0.7 checks its schema with a class that jsonschema is about to remove
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
SIGNAL_EVENTS = np.array([1.5, 6.0, 4.0, 0.5])
BACKGROUND_EVENTS = np.array([60.0, 40.0, 25.0, 12.0])
CHANGES = np.array([[3.0, 1.0, -1.0, -2.0], [0.5, 2.0, 2.0, 0.5]])
COUNTS = np.array([55.0, 49.0, 28.0, 10.0])
FULL = BinnedModel.build(
    SIGNAL_EVENTS,
    BACKGROUND_EVENTS,
    shape=[0.1, 0.05, 0.2, 0.15],
    stat=[0.02, 0.04, 0.1, 0.08],
    variations=CHANGES,
)


@pytest.fixture
def numpy_backend():
    before = pyhf.get_backend()
    pyhf.set_backend("numpy")
    yield
    pyhf.set_backend(*before)


def _random_parameters(rng, model):
    size = model.background.shape
    return Parameters(
        rng.uniform(-0.5, 3, len(model)),
        rng.uniform(0.8, 1.2, size),
        rng.uniform(0.7, 1.3, size),
        rng.normal(size=(len(model), model.n_variations)),
    )


def _pyhf_workspace():
    """A workspace written out by hand: other kinds of uncertainty in every bin."""
    signal_errors, background_errors = [0.2, 0.5, 0.4, 0.1], [2.0, 1.0, 0.0, 1.5]
    shifts = {
        f"change_{number}": {
            "hi_data": (BACKGROUND_EVENTS + change).tolist(),
            "lo_data": (BACKGROUND_EVENTS - change).tolist(),
        }
        for number, change in enumerate(CHANGES)
    }
    background = [
        {"name": SHAPE, "type": "shapesys", "data": [6.0, 2.0, 5.0, 0.5]},
        {"name": STAT, "type": "staterror", "data": background_errors},
        *({"name": name, "type": "histosys", "data": data} for name, data in shifts.items()),
    ]
    signal = [
        {"name": POI, "type": "normfactor", "data": None},
        {"name": STAT, "type": "staterror", "data": signal_errors},
    ]
    samples = [
        {"name": BACKGROUND, "data": BACKGROUND_EVENTS.tolist(), "modifiers": background},
        {"name": SIGNAL, "data": SIGNAL_EVENTS.tolist(), "modifiers": signal},
    ]
    config = {"poi": POI, "parameters": []}
    return {
        "version": "1.0.0",
        "channels": [{"name": "selection", "samples": samples}],
        "observations": [{"name": "selection", "data": COUNTS.tolist()}],
        "measurements": [{"name": "strength", "config": config}],
    }


@pytest.mark.usefixtures("numpy_backend")
def test_deviance_is_that_of_pyhf_up_to_a_constant():
    workspace = pyhf.Workspace(_pyhf_workspace())
    theirs = workspace.model()
    model, data = read_workspace(_pyhf_workspace())

    def both(at):
        values = np.zeros(theirs.config.npars)
        for name, part in {
            POI: at.mu,
            STAT: at.stat[0],
            SHAPE: at.shape[0],
            "change_0": at.variations[0, :1],
            "change_1": at.variations[0, 1:],
        }.items():
            values[theirs.config.par_slice(name)] = part
        log_prob = theirs.logpdf(values, workspace.data(theirs))[0]
        return -2 * log_prob, 2 * half_deviance(model, data, at)[0]

    rng = np.random.default_rng(1)
    nominal = both(model.nominal(1.0))
    for _ in range(20):
        found = both(_random_parameters(rng, model))
        assert found[1] - nominal[1] == pytest.approx(found[0] - nominal[0], rel=1e-9, abs=1e-9)


@pytest.mark.usefixtures("numpy_backend")
def test_expectation_is_that_of_pyhf():
    theirs = pyhf.Workspace(_pyhf_workspace()).model()
    model, _ = read_workspace(_pyhf_workspace())
    at = _random_parameters(np.random.default_rng(2), model)
    values = np.zeros(theirs.config.npars)
    parts = (at.mu, at.stat[0], at.shape[0], at.variations[0, :1], at.variations[0, 1:])
    for name, part in zip((POI, STAT, SHAPE, "change_0", "change_1"), parts, strict=True):
        values[theirs.config.par_slice(name)] = part
    assert model.expected(at)[0] == pytest.approx(theirs.expected_actualdata(values), rel=1e-12)


def test_expectation_of_one_bin_by_hand():
    model = BinnedModel.build([2.0], [10.0], shape=0.1, stat=0.1, variations=[[3.0]])
    at = Parameters(*(np.array(x) for x in ([4.0], [[1.1]], [[0.9]], [[-2.0]])))
    assert model.expected(at) == pytest.approx(np.array([[1.1 * (4 * 2 + 0.9 * (10 - 2 * 3))]]))


def test_deviance_is_the_log_of_the_densities():
    rng = np.random.default_rng(3)
    at, best = _random_parameters(rng, FULL), FULL.nominal()
    data = FULL.draw(best, rng)
    counts = 1 / FULL.shape**2

    def log_density(nu, at):
        # toys hold whole numbers of events here, too
        measured = poisson.logpmf(np.rint(data.shape * counts), counts * at.shape)
        return (
            poisson.logpmf(data.counts, nu).sum()
            + measured.sum()
            + norm.logpdf(data.stat, at.stat, FULL.stat).sum()
            + norm.logpdf(data.variations, at.variations).sum()
        )

    expected = log_density(FULL.expected(best), best) - log_density(FULL.expected(at), at)
    found = half_deviance(FULL, data, at) - half_deviance(FULL, data, best)
    assert found == pytest.approx([expected], rel=1e-9)


def test_asimov_data_fit_perfectly_and_only_at_their_own_parameters():
    rng = np.random.default_rng(4)
    at = _random_parameters(rng, FULL)
    data = FULL.asimov(at)
    assert half_deviance(FULL, data, at) == pytest.approx([0.0], abs=1e-12)
    for field in Parameters._fields:
        moved = at._replace(**{field: getattr(at, field) + 0.05})
        assert half_deviance(FULL, data, moved) > 1e-4


def test_deviance_outside_the_physical_range_is_infinite():
    model = BinnedModel.build([5.0, 1.0], [1.0, 10.0], shape=0.1, stat=0.1)
    data = observe(model, [1.0, 10.0])
    assert half_deviance(model, data, model.nominal(-0.19)) < np.inf
    assert half_deviance(model, data, model.nominal(-0.21)) == np.inf
    # a factor below 0, and yet every bin expects a positive number
    for mu, field in [(-20.0, "stat"), (100.0, "shape")]:
        at = model.nominal(mu)._replace(**{field: np.full((1, 2), -0.5)})
        assert np.all(model.expected(at) > 0)
        assert half_deviance(model, data, at) == np.inf


def test_deviance_of_an_empty_bin_is_what_it_expects():
    model = BinnedModel.build([5.0], [3.0])
    assert half_deviance(model, observe(model, [0.0]), model.nominal(2.0)) == pytest.approx([13])


def test_uncertainty_of_zero_is_no_term_of_the_likelihood():
    model = BinnedModel.build([5.0], [3.0])
    at = model.nominal()._replace(shape=np.array([[2.0]]))
    assert half_deviance(model, observe(model, [6.0]), at) == pytest.approx([0.0], abs=1e-15)
    assert models.precision(np.array([0.0, 0.5])).tolist() == [0.0, 4.0]


def test_poisson_term_is_the_deviance_of_a_count():
    found = models.poisson_term(np.array([0.0, 3.0, 3.0]), np.array([2.0, 3.0, 6.0]))
    assert found == pytest.approx([2.0, 0.0, 3 - 3 * np.log(2)], abs=1e-15)


def test_batch_broadcasts_and_rows_are_the_single_models():
    shapes = np.array([[0.1], [0.3], [0.0]])
    batch = BinnedModel.build(
        SIGNAL_EVENTS, BACKGROUND_EVENTS, shape=shapes, stat=0.05, variations=CHANGES
    )
    batch = batch[np.arange(len(batch))]
    assert (len(batch), batch.n_bins, batch.n_variations) == (3, 4, 2)
    rng = np.random.default_rng(5)
    at = _random_parameters(rng, batch)
    data = batch.draw(at, rng)
    for row, shape in enumerate(shapes):
        one = BinnedModel.build(
            SIGNAL_EVENTS, BACKGROUND_EVENTS, shape=shape, stat=0.05, variations=CHANGES
        )
        rows = slice(row, row + 1)
        alone = half_deviance(one, data.rows(rows), Parameters(*(part[rows] for part in at)))
        assert half_deviance(batch, data, at)[row] == alone[0]
        assert np.array_equal(batch[[row]].shape, one.shape)


def test_toys_have_the_moments_of_their_parameters():
    n_toys = 20_000
    model = FULL[np.zeros(n_toys, int)]
    at = model.nominal(2.0)
    at = at._replace(shape=at.shape * 1.1, stat=at.stat * 0.95, variations=at.variations + 0.5)
    toys = model.draw(at, np.random.default_rng(6))
    nu = model.expected(at)[0]
    spreads = {
        "counts": (nu, np.sqrt(nu)),
        "shape": (at.shape[0], FULL.shape[0] * np.sqrt(1.1)),
        "stat": (at.stat[0], FULL.stat[0]),
        "variations": (at.variations[0], np.ones(2)),
    }
    for field, (mean, spread) in spreads.items():
        drawn = getattr(toys, field)
        assert np.all(np.abs(drawn.mean(axis=0) - mean) < 5 * spread / np.sqrt(n_toys)), field
        # the variance of a Poisson's variance is that of a normal one and 1 / nu more
        wide = 5 * np.sqrt((1 / 2 + 1 / 40) / n_toys)
        assert drawn.std(axis=0) == pytest.approx(spread, rel=wide), field


def test_toys_leave_nuisances_without_uncertainty_alone():
    model = BinnedModel.build(SIGNAL_EVENTS, BACKGROUND_EVENTS)
    at = model.nominal()
    toys = model.draw(at, np.random.default_rng(7))
    assert np.array_equal(toys.shape, at.shape)
    assert np.array_equal(toys.stat, at.stat)
    assert toys.variations.shape == (1, 0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"background": [5, 0, 3, -2]}, r"background template: bins \[1, 3\] .* bin 1 holds 0:"),
        ({"background": [5, 1, np.nan, 2]}, r"background .* bins \[2\] .* bin 2 holds nan"),
        ({"signal": [1, 1, 1, -0.5]}, r"signal template: bins \[3\] .* 0 or more.* holds -0\.5"),
        ({"signal": [np.inf, 1, 1, 1]}, r"signal template: bins \[0\]"),
        ({"shape": [0.1, -0.1, 0.1, 0.1]}, r"shape uncertainty template: bins \[1\]"),
        ({"stat": [0.1, 0.1, np.nan, 0.1]}, r"statistical uncertainty template: bins \[2\]"),
    ],
)
def test_refused_templates_name_the_bins(changed, message):
    parts = {"signal": SIGNAL_EVENTS, "background": BACKGROUND_EVENTS} | changed
    with pytest.raises(ValueError, match=message):
        BinnedModel.build(**parts)


def test_a_bad_bin_of_any_model_is_named():
    background = np.stack([BACKGROUND_EVENTS, BACKGROUND_EVENTS * [1, 1, 0, 1]])
    with pytest.raises(ValueError, match=r"bins \[2\] \(counted from 0\) must be positive"):
        BinnedModel.build(SIGNAL_EVENTS, background)


def test_negative_data_are_refused():
    with pytest.raises(ValueError, match=r"data template: bins \[1\] .* bin 1 holds -1"):
        observe(FULL, [3, -1, 2, 2])
    assert observe(FULL, [0, 0, 0, 0]).counts.tolist() == [[0, 0, 0, 0]]


def test_blocks_cover_all_rows_once(monkeypatch):
    monkeypatch.setattr(models, "BLOCK", 30)
    slices = models.in_blocks(10, 9, lambda rows: rows)
    assert [list(range(10))[rows] for rows in slices] == [
        [0, 1, 2],
        [3, 4, 5],
        [6, 7, 8],
        [9],
    ]
    assert len(models.in_blocks(2, 1000, lambda rows: rows)) == 2


def test_model_without_nuisances_keeps_its_templates():
    bare = models.without_nuisances(FULL)
    assert not bare.shape.any()
    assert not bare.stat.any()
    assert bare.n_variations == 0
    assert np.array_equal(bare.background, FULL.background)
