import time

import numpy as np
import pytest
import torch
from scipy.stats import chi2, kstest, norm

from bumpflow.resonance.goodness import goodness_of_fit
from bumpflow.resonance.peak_fits import fit_peak
from bumpflow.resonance.shapes import DoubleCrystalBall, Window, draw_masses

WINDOW, REGION = Window(90.0, 180.0), Window(115.0, 135.0)
PEAK = DoubleCrystalBall(125.0, 1.4, 1.6, 3.0, 1.7, 1.9, 4.0)


def peak_masses(n, *, seed, window=REGION, peak=PEAK):
    generator = torch.Generator().manual_seed(seed)
    return draw_masses(lambda m: peak.density(m, window), window, n, generator).numpy()


@pytest.fixture(scope="module")
def peak_toys():
    """Return fits to toys, and what their p-values are."""
    return [fit_peak(peak_masses(5000, seed=seed), REGION) for seed in range(50)]


def test_peak_fits_are_unbiased_with_correct_errors(peak_toys):
    fits = [found for found in peak_toys if not found.held]
    assert all(found.valid for found in peak_toys)
    assert len(fits) > 45
    pulls = np.array(
        [(np.array(found.peak) - np.array(PEAK)) / np.array(found.errors) for found in fits]
    )[:, [0, 1, 4]]  # those of tails are not normal with so few events
    assert np.all(np.abs(pulls.mean(axis=0)) < 4 / np.sqrt(len(fits)))
    assert pulls.std(axis=0) == pytest.approx(np.ones(3), abs=4 / np.sqrt(2 * len(fits)))


def test_goodness_of_peak_fits_is_uniform(peak_toys):
    assert kstest([found.p_value for found in peak_toys], "uniform").pvalue > 1e-3


def test_large_sample_is_fitted_in_full_and_fast():
    masses = np.append(peak_masses(20_000, seed=5), [100.0, 150.0])
    start = time.perf_counter()
    found = fit_peak(masses, REGION)
    assert time.perf_counter() - start < 4
    assert found.valid
    assert found.n == found.n_effective == 20_000
    deviations = np.array(found.peak) - np.array(PEAK)
    distance = deviations @ np.linalg.solve(found.covariance, deviations)
    assert chi2.sf(distance, 7) > 1e-3


@pytest.mark.parametrize("weight", [1.0, 0.02])
def test_goodness_without_a_shape_is_the_usual_chi2(weight):
    """Forty bins of a uniform density, of which only the yield is fitted."""
    n, grid = 50_000, np.linspace(90, 180, 8012)  # no bin ends at a point of the grid
    masses = np.random.default_rng(7).uniform(90, 180, n)
    density = np.full(8012, weight * n / 90)
    found = goodness_of_fit(
        masses,
        np.full(n, weight),
        scores=np.ones((n, 1)),
        inverse=np.array([[1 / (weight * n)]]),
        grid=grid,
        density=density,
        slopes=density[:, None],
    )
    edges = grid[np.ceil(8011 * np.arange(41) / 40).astype(int)]
    counts = np.histogram(masses, edges)[0]
    neyman = np.sum((counts - n * np.diff(edges) / 90) ** 2 / counts)
    assert found == pytest.approx(chi2.sf(neyman, 39), abs=0.01)


def test_a_wrong_shape_fits_badly():
    rng = np.random.default_rng(2)
    masses = np.concatenate([rng.normal(123, 0.6, 3000), rng.normal(127, 0.6, 3000)])
    assert fit_peak(masses, REGION).p_value < 1e-6


def test_tails_that_are_not_there_are_held():
    found = fit_peak(np.random.default_rng(3).normal(125, 1.5, 3000), REGION)
    assert found.valid
    assert {name.split("_")[1] for name in found.held} == {"left", "right"}
    assert all(found.errors[PEAK._fields.index(name)] == 0 for name in found.held)
    masses = np.linspace(120, 130, 21)
    density = found.peak.density(masses, REGION)
    assert density == pytest.approx(norm.pdf(masses, 125, 1.5), abs=0.02)
    known = [error for name, error in found.errors._asdict().items() if name not in found.held]
    assert min(known) > 1e-3


def test_tails_beyond_all_events_are_held():
    found = fit_peak(norm.ppf(np.linspace(0.001, 0.999, 3000), 125, 1.5), REGION)
    tails = {"beta_left", "power_left", "beta_right", "power_right"}
    assert set(found.held) == tails
    assert (found.peak.scale_left, found.peak.scale_right) == pytest.approx((1.5, 1.5), abs=0.02)


def test_scale_of_weights_does_not_matter():
    masses = peak_masses(5000, seed=8)
    plain, weighted = fit_peak(masses, REGION), fit_peak(masses, REGION, np.full(5000, 0.01))
    assert np.array(weighted.peak) == pytest.approx(np.array(plain.peak), rel=1e-3)
    assert weighted.covariance == pytest.approx(plain.covariance, rel=0.02, abs=1e-5)
    assert weighted.p_value == pytest.approx(plain.p_value, abs=0.01)
    assert weighted.n_effective == pytest.approx(5000)


def test_errors_of_weighted_fits_are_those_of_toys():
    """Weights of 1 and 9 make errors larger than as many unweighted events have."""
    pulls, p_values = [], []
    for seed in range(50):
        weights = np.where(np.random.default_rng(seed).random(6000) < 0.5, 1.0, 9.0)
        found = fit_peak(peak_masses(6000, seed=seed), REGION, weights)
        assert found.n_effective == pytest.approx(6000 * 25 / 41, rel=0.05)
        pulls.append((found.peak.location - 125) / found.errors.location)
        p_values.append(found.p_value)
    assert np.std(pulls) == pytest.approx(1, abs=4 / np.sqrt(100))
    assert kstest(p_values, "uniform").pvalue > 1e-3


@pytest.mark.parametrize(
    ("masses", "weights", "message"),
    [
        (np.full(50, 125.0), None, r"50 of 50 .* worth 50\.0 .* a peak needs 100: generate more"),
        (np.full(500, 140.0), None, "0 of 500 events are within 115 to 135 GeV"),
        (np.full(500, 125.0), None, "no peak with a width"),
        (np.linspace(120, 130, 500), np.eye(500)[0], r"worth 1\.0 of equal weight"),
        (np.append(np.full(500, 125.0), np.nan), None, r"event 500 \(from 0\) has mass nan"),
        (np.full(500, 125.0), np.ones(499), r"shape \(500,\) with weights of shape \(499,\)"),
    ],
)
def test_samples_without_a_peak_are_refused(masses, weights, message):
    with pytest.raises(ValueError, match=message):
        fit_peak(masses, REGION, weights)
