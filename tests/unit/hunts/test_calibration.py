"""Calibrated intervals contain the truth as often as they say."""

import numpy as np
import pytest

from bumpflow.hunts.calibration import (
    MIN_TOYS,
    N_CELLS,
    PENALTIES,
    Calibration,
    calibrate,
    cells_of,
    correct,
    coverage,
)
from bumpflow.hunts.networks import QUANTILES


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def skewed(rng, n, scale):
    """Return truths with a long tail, and quantiles of a normal distribution of width 1."""
    middle = rng.uniform(5, 9, n)
    truth = middle + scale * (rng.gamma(3, 1, n) - 2.674)
    return truth, middle[:, None] + np.array([-1.96, -0.994, 0, 0.994, 1.96])


def test_coverage_counts():
    quantiles = np.tile(np.arange(5.0), (4, 1))
    assert coverage(np.array([0.5, 1.5, 3.0, 9.0]), quantiles) == [0.5, 0.75]


def test_intervals_cover_after_calibration(rng):
    n = 20_000
    cells = rng.integers(0, 2, n)
    truth, quantiles = skewed(rng, n, np.where(cells, 0.5, 2.0))
    factors = calibrate(truth, quantiles, np.ones(n), cells)
    fresh, predicted = skewed(rng, n, np.where(cells, 0.5, 2.0))
    for cell in (0, 1):
        here = cells == cell
        corrected = factors.intervals(predicted[here], cells[here])
        for share, level in zip(coverage(fresh[here], corrected), (0.68, 0.95), strict=True):
            assert share == pytest.approx(level, abs=5 * np.sqrt(level * (1 - level) / 10_000))
    assert abs(coverage(fresh, predicted)[0] - 0.68) > 0.05
    assert np.all(np.diff(corrected, axis=1) >= 0)


def test_cells_without_toys_take_the_correction_of_all(rng):
    truth, quantiles = skewed(rng, MIN_TOYS + 10, 1.0)
    cells = np.zeros(MIN_TOYS + 10, dtype=int)
    cells[:10] = 5
    found = calibrate(truth, quantiles, np.full(MIN_TOYS + 10, 2.0), cells)
    assert found.factors.shape == (N_CELLS, len(QUANTILES))
    assert np.array_equal(found.factors[5], found.factors[7])
    assert not np.array_equal(found.factors[0], found.factors[7])
    assert np.all(found.sigma == 2)
    assert found.n_toys[:6].tolist() == [MIN_TOYS, 0, 0, 0, 0, 10]


def shrunk(rng, n):
    """Return truths, medians that are drawn to 4, evidence and strengths; 20 % have no signal.

    The truth is about the strength, or 2 without a signal. Evidence tells signals from none.
    """
    signal = rng.random(n) < 0.8
    strength = np.where(signal, rng.uniform(0, 10, n), 0.0)
    truth = np.maximum(strength, 2) + rng.normal(0, 0.3, n)
    median = 4 + 0.8 * (truth - 4) + rng.normal(0, 0.4, n)
    return truth, median, rng.normal(np.where(signal, 4, 0), 1.0), strength


def corrected(rng, penalty):
    """Return errors on fresh histograms, and their strengths, after a correction on others."""
    names = ("truth", "median", "evidence", "strength")
    known = dict(zip(names, shrunk(rng, 40_000), strict=True))
    found = correct(Calibration.none(), penalty=penalty, **known)
    truth, median, evidence, strength = shrunk(rng, 40_000)
    return found.z_max(median, evidence) - truth, strength


def test_mean_has_the_least_error(rng):
    errors, _ = corrected(rng, PENALTIES["mean"])
    truth, median, _, strength = shrunk(rng, 40_000)
    # The best straight line, which knows nothing of the kink at 2.
    line = np.polyval(np.polyfit(median, truth, 1), median)
    assert np.mean(errors**2) < np.mean((line - truth) ** 2) < np.mean((median - truth) ** 2)
    assert errors.mean() == pytest.approx(0, abs=0.02)
    assert strength.max() > 9


def test_unbiased_estimates_are_so_at_every_strength(rng):
    raw = shrunk(rng, 40_000)
    pulled = (raw[1] - raw[0])[raw[3] > 9].mean()
    assert pulled < -1
    for name, most in (("mean", 0.5), ("unbiased", 0.05)):
        errors, strength = corrected(rng, PENALTIES[name])
        shared = np.array([errors[np.ceil(strength) == s].mean() for s in range(11)])
        worst = np.abs(shared).max()
        assert worst < most
        assert (worst > 0.05) == (name == "mean")


def test_corrections_are_linear_between_knots_and_constant_beyond():
    none = Calibration.none()
    shifts = np.array([0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.5])
    found = none._replace(z_shifts=shifts, evidence_shifts=none.evidence_shifts - 0.25)
    median = np.array([0.1, 1.5, 2.0, 14.0, 99.0])
    assert found.z_max(median, np.zeros(5)) == pytest.approx([0, 1.75, 2.75, 14.25, 99.25])


def test_table_holds_everything(rng):
    truth, quantiles = skewed(rng, 500, 1.0)
    found = calibrate(truth, quantiles, np.ones(500), rng.integers(0, N_CELLS, 500))
    names = ("truth", "median", "evidence", "strength")
    found = correct(found, penalty=1.0, **dict(zip(names, shrunk(rng, 500), strict=True)))
    assert np.all(found.z_shifts != 0)
    back = Calibration.from_table(found.as_table())
    for one, other in zip(found, back, strict=True):
        assert np.array_equal(one, other)
        assert one.dtype == other.dtype


def test_no_calibration_changes_nothing():
    quantiles = np.array([[0.0, 1.0, 2.0, 3.0, 4.0]])
    found = Calibration.none().intervals(quantiles, np.array([3]))
    assert np.array_equal(found, quantiles)
    z = np.array([0.0, 3.0, 20.0])
    assert np.array_equal(Calibration.none().z_max(z, z), z)


def test_cells_are_told_apart():
    low, high = np.array([30, 30, 30, 100]), np.array([50.0, 50.0, 1e5, 1e5])
    cells = cells_of(low, high, np.array([1.0, 4.0, 1.0, 4.0]))
    assert cells.tolist() == [0, 2, 6, N_CELLS - 1]
