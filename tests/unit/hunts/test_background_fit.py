"""Background functions and their fits."""

import numpy as np
import pytest
from scipy.integrate import quad

from bumpflow.hunts.background_fit import (
    CONVERGED,
    dijet,
    expected,
    exppoly,
    fit_background,
    fit_function,
    minimise,
    x_range_of,
)

EDGES = np.geomspace(1000, 5000, 41)
X_RANGE = x_range_of(EDGES, sqrt_s=13_000.0)
DIJET = np.array([-9.0, 9.0, 5.0, 0.2])
N_TOYS = 150


def test_functions_are_integrated_over_unequal_bins():
    def density(mass):
        x = mass / 13_000
        return np.exp(DIJET[0]) * (1 - x) ** DIJET[1] / x ** (DIJET[2] + DIJET[3] * np.log(x))

    mean, _ = expected(dijet(40, edges=EDGES, x_range=X_RANGE), DIJET)
    exact = [quad(density, *EDGES[i : i + 2])[0] for i in range(40)]
    assert mean == pytest.approx(exact, rel=1e-6)
    mean, _ = expected(exppoly(4, degree=1), np.array([0.5, -2.0]))
    assert mean == pytest.approx(np.exp(0.5) * -np.diff(np.exp(-2 * np.linspace(-1, 1, 5))), 1e-5)


@pytest.mark.parametrize("function", [dijet(30), exppoly(30, degree=3)], ids=["dijet", "exppoly"])
def test_derivatives_are_those_of_the_mean(function):
    at, step = np.array([3.0, 0.5, -0.4, 0.2]), 1e-6
    shifted = [expected(function, at + step * unit)[0] for unit in np.eye(4)]
    mean, jacobian = expected(function, at)
    assert (np.array(shifted) - mean).T / step == pytest.approx(jacobian, rel=1e-4, abs=1e-4)


@pytest.mark.physics
def test_closure_of_the_dijet_function():
    function = dijet(40, edges=EDGES, x_range=X_RANGE)
    mean, _ = expected(function, DIJET)
    truth = DIJET + np.array([np.log(1e6 / mean.sum()), 0, 0, 0])
    rng = np.random.default_rng(1)
    toys = rng.poisson(expected(function, truth)[0], (N_TOYS, 40))
    fits = [fit_function(toy, function) for toy in toys]
    assert {fit.status for fit in fits} == {CONVERGED}
    pulls = [(fit.parameters - truth) / np.sqrt(np.diag(fit.covariance)) for fit in fits]
    assert np.mean(pulls, axis=0) == pytest.approx(0, abs=4 / np.sqrt(N_TOYS))
    assert np.std(pulls, axis=0) == pytest.approx(1, abs=4 / np.sqrt(2 * N_TOYS))
    chi2 = [fit.chi2 for fit in fits]
    assert np.mean(chi2) == pytest.approx(fits[0].n_dof, abs=4 * np.sqrt(2 * 36 / N_TOYS))


def test_degree_is_as_high_as_the_counts_ask_for():
    rng = np.random.default_rng(2)
    t = np.linspace(-1, 1, 60)
    cubic = rng.poisson(1e4 * np.exp(-t - t**2 + t**3))
    fits = [fit_function(cubic, exppoly(60, degree=k)) for k in range(1, 6)]
    aic = [fit.chi2 + 2 * (k + 1) for k, fit in enumerate(fits, start=1)]
    chosen = fit_background(cubic, name="exppoly")
    assert chosen.function.name == f"exppoly{1 + np.argmin(aic)}"
    assert np.argmin(aic) >= 2
    assert chosen.n_dof == 60 - len(chosen.parameters)


def test_counts_may_be_fractions_and_scale_like_a_spectrum():
    counts = 1e3 * np.exp(-np.linspace(0, 3, 50))
    small, large = (fit_function(k * counts, exppoly(50, degree=1)) for k in (1e-3, 1e3))
    assert large.background == pytest.approx(1e6 * small.background, rel=1e-4)
    assert large.parameters[1] == pytest.approx(-1.5 * 50 / 49, rel=1e-3)


def test_empty_histogram_is_recorded_as_failed():
    fit = fit_background(np.zeros(30), name="exppoly")
    assert fit.status == "failed: all counts are zero"
    assert np.isnan([fit.chi2, *fit.parameters, *fit.background]).all()


def test_fit_without_a_minimum_is_recorded_as_failed():
    counts = np.array([5.0, 6.0, 7.0])

    def indifferent(parameters):
        """Do without the second parameter."""
        mean = np.full(3, np.exp(parameters[0]))
        return mean, np.column_stack([mean, 0 * mean])

    found = minimise(counts, indifferent, [np.zeros(2), np.ones(2)])
    assert found.status == "failed: no curvature at the minimum"
    assert np.isnan([found.deviance, *found.parameters, *found.covariance.flat]).all()


def test_messages():
    with pytest.raises(ValueError, match=r"x_range is 0.5 to 1.2"):
        dijet(30, x_range=(0.5, 1.2))
    with pytest.raises(ValueError, match=r"edges of shape \(30,\) for 30 bins"):
        exppoly(30, degree=2, edges=np.arange(30.0))
    with pytest.raises(ValueError, match=r"count -1 in bin 3"):
        fit_background(np.array([1, 1, 1, -1, 1, 1]), name="dijet")
    with pytest.raises(ValueError, match=r"4 parameters and 4 bins"):
        fit_background(np.ones(4), name="dijet")
