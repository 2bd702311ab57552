"""Smooth shapes of the falling parts of spectra."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import chi2 as chi2_distribution
from scipy.stats import kstest

from bumpflow.hunts.categories import Spectra
from bumpflow.hunts.shapes import (
    POOR,
    RISING,
    SHORT,
    SPARSE,
    effective_counts,
    falling_part,
    fit_shapes,
    fit_spectra,
    merged_chi2,
    shape_counts,
)

TRUE = np.array([5.0, -4.0, -1.0, 1.0])
N_BINS = 40


def spectra(*rows, n_events=None):
    """Return spectra of given counts from 100 GeV in steps of 10 GeV."""
    most = max(map(len, rows))
    values = np.array([np.pad(np.asarray(row, float), (0, most - len(row))) for row in rows])
    edges = np.tile(100 + 10.0 * np.arange(most + 1), (len(rows), 1))
    n_events = np.ones(len(rows), dtype=int) if n_events is None else n_events
    names = np.array(["all"] * len(rows))
    return Spectra(np.zeros(len(rows), int), names, values, values, n_events, edges)


def test_shapes_are_exponentials_of_polynomials():
    counts = shape_counts(np.array([TRUE, TRUE]), np.array([2, 4]))
    expected = [np.exp(5 - 4 * x - x**2 + x**3) for x in (0.25, 0.75)]
    np.testing.assert_allclose(counts[0], [*expected, 0, 0])
    np.testing.assert_allclose(counts[1, 1], np.exp(5 - 1.5 - 0.140625 + 0.052734375))


def test_fit_finds_the_maximum_that_a_general_minimiser_finds():
    rng = np.random.default_rng(1)
    n_bins = np.array([N_BINS, 25, 33])
    scales = rng.uniform(0.2, 3, (3, N_BINS))
    counts = rng.poisson(shape_counts(np.tile(TRUE - [2, 0, 0, 0], (3, 1)), n_bins)).astype(float)
    counts[1, 25:] = 99  # beyond the end
    fits = fit_shapes(counts, scales, n_bins)
    assert fits.converged.all()
    for row, n in enumerate(n_bins):
        x = (np.arange(n) + 0.5) / n
        design = x[:, None] ** np.arange(4)

        def loss(c, row=row, n=n, design=design):
            exponent = design @ c
            expected = scales[row, :n] * np.exp(exponent)
            slope = design.T @ (expected - counts[row, :n])
            return expected.sum() - counts[row, :n] @ exponent, slope

        best = minimize(loss, [3, -4, 0, 0], jac=True, method="BFGS", options={"gtol": 1e-7})
        np.testing.assert_allclose(fits.coefficients[row], best.x, rtol=1e-4, atol=1e-4)


def test_fit_converges_far_from_its_first_guess():
    counts = np.zeros((1, N_BINS))
    counts[0, [0, 4, -1]] = 1e3, 1e6, 1  # full Newton steps overshoot here
    fits = fit_shapes(counts, np.ones_like(counts), np.array([N_BINS]))
    assert fits.converged.all()
    assert shape_counts(fits.coefficients, N_BINS).sum() == pytest.approx(counts.sum())


@pytest.mark.physics
def test_fits_of_toys_are_unbiased_and_as_precise_as_fisher_information_says():
    n, rng = 600, np.random.default_rng(2)
    expected = shape_counts(TRUE[None], N_BINS)[0]
    toys = rng.poisson(expected, (n, N_BINS)).astype(float)
    fits = fit_shapes(toys, np.ones_like(toys), np.full(n, N_BINS))
    design = ((np.arange(N_BINS) + 0.5)[:, None] / N_BINS) ** np.arange(4)
    errors = np.sqrt(np.diag(np.linalg.inv(design.T @ (expected[:, None] * design))))
    pulls = (fits.coefficients - TRUE) / errors
    # Likelihood fits are biased at order 1 / n_events: 0.05 standard deviations allow for it.
    np.testing.assert_allclose(pulls.mean(axis=0), 0, atol=4 / np.sqrt(n) + 0.05)
    np.testing.assert_allclose(pulls.std(axis=0), 1, atol=4 / np.sqrt(2 * n) + 0.02)
    p_values = chi2_distribution.sf(fits.chi2, fits.n_dof)
    assert kstest(p_values, "uniform").pvalue > 1e-3


@pytest.mark.physics
def test_weighted_events_give_the_shape_of_their_weighted_sum():
    n, rng = 400, np.random.default_rng(4)
    steep, flat = shape_counts(np.array([[6.0, -4, 0, 0], [6.5, -2, 0, 0]]), N_BINS)
    toys = [rng.poisson(counts, (n, N_BINS)) for counts in (steep, flat)]
    values, variances = toys[0] * 3.0 + toys[1] * 0.5, toys[0] * 9.0 + toys[1] * 0.25
    counts, scales = effective_counts(values, variances)
    fits = fit_shapes(counts, scales, np.full(n, N_BINS))
    fitted = shape_counts(fits.coefficients, N_BINS)
    truth = 3 * steep + 0.5 * flat
    error = fitted.std(axis=0) / truth / np.sqrt(n)
    # Two exponentials are not quite one of a cubic polynomial, and scales follow the counts.
    np.testing.assert_allclose(fitted.mean(axis=0) / truth, 1, atol=4 * error.max() + 0.01)
    p_values = chi2_distribution.sf(fits.chi2, fits.n_dof)
    assert np.mean(p_values < 0.05) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / n) + 0.02


def test_effective_counts_of_equal_weights_are_numbers_of_events():
    n = np.random.default_rng(0).poisson(3.0, (5, 30)).astype(float)
    n[:, 20:] = 0
    counts, scales = effective_counts(0.2 * n, 0.04 * n)
    np.testing.assert_allclose(counts, n)
    np.testing.assert_allclose(scales, 5)


def test_falling_part_begins_at_the_maximum_and_ends_with_the_last_entry():
    rising, falling = np.linspace(0, 90, 10), np.linspace(100, 1, 50)
    row = np.concatenate([rising, falling, [0, 0, 1], np.zeros(7)])
    start, stop = falling_part(np.array([row, row]), max_bins=100)
    # Smoothing moves a sharp corner by less than its standard deviation.
    assert np.all(np.abs(start - 10) <= 2)
    assert stop.tolist() == [63, 63]
    start, stop = falling_part(row[None], max_bins=30)
    assert stop - start == 30


def test_chi2_merges_neighbours_that_expect_little():
    expected = np.array([[20.0, 10, 2, 2, 2, 2, 2, 0, 0]])
    observed = np.array([[25.0, 10, 0, 0, 0, 0, 5, 0, 0]])
    chi2, n_dof = merged_chi2(observed, expected)
    assert n_dof == 4 - 4  # groups that expect 20, 10, 4 and 6
    assert chi2 == pytest.approx((25 - 20) ** 2 / 20 + 0 + (0 - 4) ** 2 / 4 + (5 - 6) ** 2 / 6)


def test_smoothly_falling_spectra_give_shapes_and_others_a_reason():
    x = (np.arange(N_BINS) + 0.5) / N_BINS
    smooth = np.round(np.exp(6 - 5 * x))
    turn_on = np.concatenate([np.linspace(20, 380, 6), smooth])
    peak = smooth + np.where(np.arange(N_BINS) == 20, 300, 0)
    back_up = np.exp(6 - 8 * x) + np.exp(7 * x - 2)
    few = np.where(np.arange(N_BINS) % 4 == 0, 1, 0)
    rows = [smooth, turn_on, peak, back_up, smooth[:25], few]
    table, dropped = fit_spectra([spectra(*rows)], n_bins=(30, 100), min_events=50)
    assert len(table) == 2
    assert {reason: n for reason, n in dropped.items() if n} == {SHORT: 2, POOR: 1, SPARSE: 1}
    assert table.low_gev[0] == 100
    assert table.low_gev[1] in (150, 160, 170)
    assert table.high_gev.tolist() == [500, 560]
    np.testing.assert_allclose(table[["c0", "c1", "c2", "c3"]].loc[0], [6, -5, 0, 0], atol=0.3)
    assert table.n_events[0] == pytest.approx(smooth.sum())


def test_a_range_is_cut_where_its_fit_rises():
    # Level at its beginning, so that about half of all fits rise there at first.
    x = (np.arange(60) + 0.5) / 60
    rows = np.random.default_rng(9).poisson(np.exp(5 - 5 * x**2), (60, 60))
    table, _ = fit_spectra([spectra(*rows)], n_bins=(30, 100), min_events=50)
    assert len(table) > 50
    assert table.low_gev.nunique() > 5


def test_a_flat_spectrum_that_rises_on_average_is_no_shape():
    rng = np.random.default_rng(8)
    x = (np.arange(60) + 0.5) / 60
    rows = rng.poisson(np.exp(4 - 30 * (x - 0.1) * (x - 0.5) * (x - 0.9)), (20, 60))
    table, dropped = fit_spectra([spectra(*rows)], n_bins=(30, 100), min_events=50)
    assert len(table) + sum(dropped.values()) == 20
    assert dropped[RISING] + dropped[SHORT] + dropped[POOR] > 10
    for row in table.itertuples():
        counts = shape_counts(np.array([[row.c0, row.c1, row.c2, row.c3]]), 100)
        assert np.all(np.diff(counts) <= 0)


def test_blocks_without_spectra_give_an_empty_table():
    table, dropped = fit_spectra([spectra([0.0])], n_bins=(30, 100), min_events=50)
    assert len(table) == 0
    assert table.dtypes["n_bins"] == np.int64
    assert sum(dropped.values()) == 1
