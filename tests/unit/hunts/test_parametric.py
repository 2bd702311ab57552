"""Significance of bumps over backgrounds that are fitted to the same histogram."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import ndtr
from scipy.stats import kstest

from bumpflow.hunts import parametric
from bumpflow.hunts.background_fit import CONVERGED, exppoly, fit_function
from bumpflow.hunts.parametric import hunt, profiled_significance, templates

N_BINS, WIDTH, AT = 40, 1.5, 22
FALLING = 400 * np.exp(-np.arange(N_BINS) / 15)
BUMP = ndtr((np.arange(N_BINS) - AT + 0.5) / WIDTH) - ndtr((np.arange(N_BINS) - AT - 0.5) / WIDTH)


def profile(values, mu):
    """Return -2 ln L at each signal strength, minimised over an exponential's parameters."""
    edges = np.arange(N_BINS + 1) / N_BINS

    def twice_nll(parameters, strength):
        level, slope = parameters
        mean = np.diff(np.exp(level + slope * edges)) * N_BINS / slope + strength * BUMP
        return 2 * np.sum(mean - values * np.log(mean))

    start, found = np.array([6.0, -2.7]), []
    for strength in mu:
        best = minimize(twice_nll, start, args=(strength,), method="Nelder-Mead", tol=1e-7)
        start = best.x
        found.append(best.fun)
    return np.array(found)


def test_exact_ratio_and_uncertainty_match_a_dense_scan():
    values = np.random.default_rng(3).poisson(FALLING + 90 * BUMP)
    found = hunt(values, name="exppoly", widths=(WIDTH,), degrees=(1,))
    assert (found.status, found.bin, found.width) == (CONVERGED, AT, WIDTH)
    mu = found.mu + found.mu_uncertainty * np.linspace(-1, 1, 21)
    curve = profile(values, mu)
    (without,) = profile(values, [0.0])
    # the grid misses the minimum by 0.05 standard deviations at most, q by 0.0025
    assert found.z_max**2 == pytest.approx(without - curve.min(), abs=5e-3)
    assert abs(np.argmin(curve) - 10) <= 1
    assert curve[[0, -1]] - curve.min() == pytest.approx(1, abs=0.1)  # likelihood is skewed
    known = templates(N_BINS, WIDTH)[AT]
    assert known == pytest.approx(BUMP, abs=1e-12)


def test_significance_at_the_best_bin_is_close_to_the_exact_one():
    rng = np.random.default_rng(4)
    toys = rng.poisson(FALLING + 70 * BUMP, (10, N_BINS))
    found = [hunt(toy, name="dijet", widths=(WIDTH,)) for toy in toys]
    ratio = [one.z[one.bin] / one.z_max for one in found]
    assert np.array(ratio) == pytest.approx(1, abs=0.01)
    assert max(ratio) < 1 + 1e-3  # a path in the parameters never beats the whole space


def test_one_event_far_out_is_no_discovery():
    values = np.round(1e4 * np.exp(-np.arange(N_BINS) / 2))
    values[35] = 1
    fit = fit_function(values, exppoly(N_BINS, degree=1))
    mean = fit.background[35]
    z = profiled_significance(values, fit, width=0.1)[35]
    assert mean < 1e-3
    assert z == pytest.approx(np.sqrt(2 * (np.log(1 / mean) - 1 + mean)), rel=0.02)


@pytest.mark.physics
def test_significance_is_standard_normal_without_signal():
    rng = np.random.default_rng(5)
    n_toys = 300
    toys = rng.poisson(10 * FALLING, (n_toys, N_BINS))
    function = exppoly(N_BINS, degree=2)
    z = np.array(
        [profiled_significance(toy, fit_function(toy, function), width=2.0) for toy in toys]
    )
    for at in (0, 12, 39):  # an end, where the background's fit takes most of it, and the middle
        assert np.mean(z[:, at]) == pytest.approx(0, abs=4 / np.sqrt(n_toys))
        assert np.std(z[:, at]) == pytest.approx(1, abs=4 / np.sqrt(2 * n_toys))
        assert kstest(z[:, at], "norm").pvalue > 1e-4


def test_known_background_would_be_more_significant():
    values = FALLING + 60 * BUMP
    fit = fit_function(values, exppoly(N_BINS, degree=2))
    fixed = fit._replace(background=FALLING, jacobian=np.full((N_BINS, 1), 1e-9))
    z = [profiled_significance(values, one, width=WIDTH)[AT] for one in (fit, fixed)]
    assert z[0] < 0.95 * z[1]


def test_widths_compete():
    values = np.random.default_rng(6).poisson(FALLING + 120 * templates(N_BINS, 3.0)[AT])
    single = [hunt(values, name="exppoly", widths=(w,), degrees=(2,)) for w in (1.0, 3.0)]
    both = hunt(values, name="exppoly", widths=(1.0, 3.0), degrees=(2,))
    assert both.z == pytest.approx(np.maximum(single[0].z, single[1].z))
    assert both.width == 3.0
    assert both.z_max == pytest.approx(single[1].z_max)


def test_templates_are_cut_off_at_the_ends():
    shares = templates(N_BINS, WIDTH).sum(axis=1)
    assert shares[N_BINS // 2] == pytest.approx(1)
    assert shares[0] == pytest.approx(ndtr(0.5 / WIDTH), abs=1e-6)


def test_failed_fit_is_recorded():
    found = hunt(np.zeros(N_BINS), name="dijet", widths=(1.0,))
    assert found.status == "failed: all counts are zero (without signal)"
    assert found.bin == -1
    assert np.isnan([found.z_max, found.mu, *found.z, *found.background]).all()


def test_failed_fit_of_the_signal_keeps_the_background(monkeypatch):
    values = np.round(FALLING)
    good = hunt(values, name="dijet", widths=(1.0,))

    def fail(counts, model, starts):  # noqa: ARG001
        n = len(starts[0])
        nothing = np.full(n, np.nan), np.full((n, n), np.nan), np.nan
        return parametric.Minimum(*nothing, "failed: call limit reached")

    monkeypatch.setattr(parametric, "minimise", fail)
    found = hunt(values, name="dijet", widths=(1.0,))
    assert found.status == "failed: call limit reached (with signal)"
    assert np.isnan([found.z_max, found.mu, found.mu_uncertainty]).all()
    assert found.background == pytest.approx(good.background)
