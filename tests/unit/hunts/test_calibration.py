"""Calibrated intervals contain the truth as often as they say."""

import numpy as np
import pytest

from bumpflow.hunts.calibration import (
    MIN_TOYS,
    N_CELLS,
    Calibration,
    calibrate,
    cells_of,
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


def test_table_holds_everything(rng):
    truth, quantiles = skewed(rng, 500, 1.0)
    found = calibrate(truth, quantiles, np.ones(500), rng.integers(0, N_CELLS, 500))
    for one, other in zip(found, Calibration.from_table(found.as_table()), strict=True):
        assert np.array_equal(one, other)


def test_no_calibration_changes_nothing():
    quantiles = np.array([[0.0, 1.0, 2.0, 3.0, 4.0]])
    found = Calibration.none().intervals(quantiles, np.array([3]))
    assert np.array_equal(found, quantiles)


def test_cells_are_told_apart():
    low, high = np.array([30, 30, 30, 100]), np.array([50.0, 50.0, 1e5, 1e5])
    cells = cells_of(low, high, np.array([1.0, 4.0, 1.0, 4.0]))
    assert cells.tolist() == [0, 2, 6, N_CELLS - 1]
