"""Numbers behind figures of hunts: exact cases, and errors that hold what they say."""

import numpy as np
import pytest
from scipy.stats import chi2, poisson

from bumpflow.plotting import hunt_numbers
from tests import hunt_tables as made


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_poisson_intervals():
    """No count is compatible with 1.84 expected; both tails hold 15.9 %."""
    low, high = hunt_numbers.poisson_errors([0, 4])
    assert low[0] == 0
    assert high[0] == pytest.approx(1.841, abs=1e-3)
    assert poisson.cdf(4, 4 + high[1]) == pytest.approx(0.158655, abs=1e-6)
    assert poisson.sf(3, 4 - low[1]) == pytest.approx(0.158655, abs=1e-6)


def test_residuals_are_signed_deviances(rng):
    found = hunt_numbers.residuals([0, 10, 100, 5], [2.0, 10.0, 81.0, 0.0])
    expected = [-2, 0, np.sqrt(2 * (100 * np.log(100 / 81) - 19)), np.nan]
    assert found == pytest.approx(expected, nan_ok=True)
    pulls = hunt_numbers.residuals(rng.poisson(20, 4000), np.full(4000, 20.0))
    assert np.sum(pulls**2) == pytest.approx(4000, abs=4 * np.sqrt(2 * 4000))


def test_binomial_intervals_stay_within_probabilities():
    low, high = hunt_numbers.binomial_errors([0, 50, 100], [100, 100, 100])
    assert low[0] == high[2] == 0
    assert low[1] == pytest.approx(0.05, abs=0.001)
    assert high[0] == pytest.approx(chi2.ppf(0.841345, 1) / 200, rel=0.02)


def test_errors_of_spreads_hold_what_they_say(rng):
    samples = rng.normal(0, 2, (400, 300))
    error = np.mean([hunt_numbers.spread_error(one) for one in samples])
    assert error == pytest.approx(samples.std(axis=1).std(), rel=4 / np.sqrt(2 * 400))
    narrow = np.array([hunt_numbers.half_range(one) for one in samples])
    assert narrow[:, 0].mean() == pytest.approx(2, abs=0.02)
    assert narrow[:, 1].mean() == pytest.approx(narrow[:, 0].std(), rel=4 / np.sqrt(2 * 400))


def test_few_values_get_a_cell_each_and_many_share():
    assert hunt_numbers.cell_edges([1, 2, 4, 4]).tolist() == [0.5, 1.5, 3, 4.5]
    edges = hunt_numbers.cell_edges(np.arange(60.0), n_cells=4)
    assert np.histogram(np.arange(60), edges)[0].tolist() == [15] * 4


def test_cells_find_bias_spread_and_coverage(rng):
    n = 4000
    table = made.make_tests(rng, n, spread=0.5).assign(n_bins=np.repeat([30, 60], n // 2))
    wide = table["n_bins"] == 60
    table.loc[wide, "z_predicted"] += 0.3
    cells = hunt_numbers.measure_cells(table, table["n_bins"], edges=[20, 40, 80, 90])
    error = 4 * 0.5 / np.sqrt(n / 2)
    assert cells["center"].tolist() == [30, 60]
    assert cells["bias"].tolist() == pytest.approx([0, 0.3], abs=error)
    assert cells["bias_error"].tolist() == pytest.approx([error / 4] * 2, rel=0.1)
    assert cells["spread"].tolist() == pytest.approx([0.5] * 2, abs=error)
    assert cells["spread68"].tolist() == pytest.approx([0.5] * 2, abs=1.5 * error)
    for name, target in (("coverage68", 0.6827), ("coverage95", 0.95)):
        binomial = 4 * np.sqrt(target * (1 - target) / (n / 2))
        assert cells[name].tolist() == pytest.approx([target] * 2, abs=binomial)
        assert cells[f"{name}_high"].max() == pytest.approx(binomial / 4, rel=0.1)


def test_cells_of_few_histograms_are_left_out(rng):
    table = made.make_tests(rng, 30)
    values = np.repeat([1.0, 2.0], [25, 5])
    found = hunt_numbers.measure_cells(table, values, edges=[0, 1.5, 3])
    assert found["n"].tolist() == [25]
    assert hunt_numbers.measure_cells(table, values, edges=[5, 6]).empty


def test_shares_within_count_both_sides():
    shares, errors = hunt_numbers.shares_within([0, 0, -1, 2], [0, 1, 2])
    assert shares.tolist() == [0.5, 0.75, 1]
    assert errors.shape == (2, 3)


@pytest.mark.parametrize(
    ("p", "n_toys", "bound"),
    [(0.0, 100, True), (1 / 101, 100, True), (0.01, 100, False), (1e-7, 100, False)],
)
def test_p_values_that_are_bounds(p, n_toys, bound):
    assert hunt_numbers.is_limit({"p_global": p, "n_toys": n_toys}) is bound
