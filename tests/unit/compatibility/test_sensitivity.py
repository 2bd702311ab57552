import numpy as np
import pytest
from scipy.stats import norm, poisson

from bumpflow.compatibility.sensitivity import Comparison, sensitivity_map, smallest_p
from bumpflow.compatibility.significance import Sample, Tally, p_values, type_one_error
from bumpflow.compatibility.toys import plan_cells

RATES_B, RATES_S = np.array([0.5, 2.0, 6.0]), np.array([0.5, 4.0])
N = np.arange(100)


def counting(offset=0.0):
    cells = plan_cells(RATES_B, RATES_S, n_min=2, neglect=1e-10)
    alone = plan_cells([0.5, 10.0], n_min=2, neglect=1e-12)
    values = (cells.n_background + cells.n_signal)[cells.cell]
    tallies = (
        Tally.of(values + offset, cells),
        Tally.of(alone.n_background[alone.cell] + offset, alone),
    )
    return Comparison.of(*tallies)


@pytest.mark.parametrize("null", ["background", "total"])
def test_map_of_counting_agrees_with_poisson_sums(null):
    found = sensitivity_map(counting(), mu_b=RATES_B, mu_s=RATES_S, null=null)
    for i, b in enumerate(RATES_B):
        for j, s in enumerate(RATES_S):
            p = poisson.sf(N - 1, b if null == "background" else b + s)
            z = np.where(p > 0, norm.isf(p / 2), 0)
            assert found.value[i, j] == pytest.approx(poisson.pmf(N, b + s) @ z, abs=1e-4)
    assert np.all(found.uncertainty < 1e-9)


def test_statistics_may_depend_on_the_background_rate():
    rates = []

    def compare(mu_b):
        rates.append(mu_b)
        return counting(offset=mu_b)  # the same order of toys: the same map

    settings = {"mu_b": RATES_B, "mu_s": RATES_S}
    found = sensitivity_map(compare, **settings)
    np.testing.assert_allclose(found.value, sensitivity_map(counting(), **settings).value)
    assert rates == RATES_B.tolist()
    sensitivity_map(compare, **settings, null="total")
    assert rates[3:] == [b + s for b in RATES_B for s in RATES_S]


def test_choosing_the_best_setting_costs_its_trials():
    mu_b, n_settings, alpha = 2.0, 5, 0.1
    cells = plan_cells([mu_b], n_min=800, neglect=1e-4)
    rng = np.random.default_rng(1)
    n = cells.n_toys.sum()
    calibration, half, test = rng.normal(size=(3, n, n_settings))
    statistics = [smallest_p(values, calibration, cells, mu_b=mu_b) for values in (half, test)]
    background, tested = (Tally.of(values, cells).at(mu_b) for values in statistics)
    # Independent settings: the smallest p-value is below alpha with 1 - (1 - alpha)^5.
    naive = tested.weights @ (tested.values >= -np.log(alpha))
    assert naive == pytest.approx(1 - (1 - alpha) ** n_settings, abs=0.03)
    found = type_one_error(tested, background, alpha=alpha)
    assert found.value == pytest.approx(alpha, abs=4 * found.uncertainty)


def test_one_setting_has_no_trials():
    cells = plan_cells([1.0], n_min=50)
    rng = np.random.default_rng(2)
    calibration = rng.normal(size=(cells.n_toys.sum(), 1))
    found = smallest_p(np.array([[0.3], [2.0]]), calibration, cells, mu_b=1.0)
    background = Tally.of(calibration[:, 0], cells).at(1.0)
    np.testing.assert_allclose(np.exp(-found), p_values([0.3, 2.0], background))
    assert isinstance(background, Sample)
