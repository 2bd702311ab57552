"""The library of background shapes."""

import numpy as np
import pytest
import torch

from bumpflow.hunts.library import N_KNOTS, BackgroundLibrary
from bumpflow.hunts.smoothing import relative_centers, smooth_roots, stabilise
from bumpflow.hunts.spectra import draw_backgrounds, gaussian_counts, strength_for
from tests.unit.hunts.drawn import poisson, seeded, settings

KNOTS = relative_centers(N_KNOTS)
N_BINS = 60


def handmade(*, slopes=(-3.0,), log_weight=None):
    """Return a library of exponentials, each with a slope and a curvature that vary."""
    library = BackgroundLibrary(len(slopes), 2)
    t = 2 * KNOTS - 1
    for component, slope in enumerate(slopes):
        library.mean[component] = slope * t
        library.directions[component] = torch.stack([0.3 * t, 0.1 * (t**2 - 1 / 3)])
    library.log_weight[:] = torch.zeros(len(slopes)) if log_weight is None else log_weight
    return library


def shapes(n, *, slope, seed, level=6.0, n_bins=N_BINS):
    """Return expected counts of shapes drawn from one component, and the basis they are of."""
    t = 2 * relative_centers(n_bins) - 1
    basis = torch.stack([torch.ones_like(t), 0.3 * t, 0.1 * (t**2 - 1 / 3)])
    drawn = torch.randn(n, 2, generator=seeded(seed), dtype=torch.float64)
    coefficients = torch.cat([torch.full((n, 1), level).double(), drawn], 1)
    return torch.exp(slope * t + coefficients @ basis), basis


def pilot_of(observed):
    return (smooth_roots(stabilise(observed))[1].clamp_min(1) ** 2 / 4).clamp_min(0.05)


@pytest.mark.physics
def test_posterior_recovers_shapes_of_the_library():
    n = 1500
    expected, basis = shapes(n, slope=-1.0, seed=1)
    fit = handmade(slopes=(-1.0,))(poisson(expected, seed=2), expected).background()
    error = fit.log_background.double() - torch.log(expected)
    size = (expected * error**2).sum(1)
    # the mean square of the posterior, from its covariance
    matrix = torch.einsum("ni,pi,qi->npq", expected, basis, basis)
    covariance = torch.linalg.inv(matrix + torch.diag(torch.tensor([0.0, 1, 1])).double())
    known = torch.einsum("npq,npq->n", matrix, covariance)
    spread = np.sqrt(2 * 3 / n)
    assert float((size - known).mean()) == pytest.approx(0, abs=4 * spread)
    pulls = error / torch.sqrt(torch.einsum("pi,npq,qi->ni", basis, covariance, basis))
    assert float(pulls[:, 30].mean()) == pytest.approx(0, abs=4 / np.sqrt(n))
    assert float(pulls[:, 30].std()) == pytest.approx(1, abs=4 / np.sqrt(2 * n))
    # prior pulls included, chi2 has as many degrees of freedom as bins less the level
    degrees = N_BINS - 1
    assert float(fit.chi2.mean()) == pytest.approx(degrees, abs=4 * np.sqrt(2 * degrees / n) + 0.2)


def test_evidence_picks_the_right_component():
    expected, _ = shapes(20, slope=-3.0, seed=3)
    observed = poisson(expected, seed=4)
    both = handmade(slopes=(0.0, -3.0))(observed, pilot_of(observed)).background()
    right = handmade(slopes=(-3.0,))(observed, pilot_of(observed)).background()
    wrong = handmade(slopes=(0.0,))(observed, pilot_of(observed)).background()
    torch.testing.assert_close(both.log_background, right.log_background, rtol=0, atol=1e-3)
    assert (wrong.chi2 > both.chi2 + 20).all()


def test_component_without_weight_does_not_count():
    expected, _ = shapes(5, slope=-3.0, seed=5)
    observed = poisson(expected, seed=6)
    weights = torch.tensor([0.0, -torch.inf])
    library = handmade(slopes=(-2.0, -3.0), log_weight=weights)
    fit = library(observed, pilot_of(observed)).background()
    alone = handmade(slopes=(-2.0,))(observed, pilot_of(observed)).background()
    torch.testing.assert_close(fit.log_background, alone.log_background)


def test_average_over_components_weighs_by_evidence():
    # one direction of no size: evidences are those of fixed shapes, known in closed form
    library = handmade(slopes=(-0.1, 0.1))
    library.directions.zero_()
    expected = torch.full((1, N_BINS), 20.0, dtype=torch.float64)
    observed = expected * torch.exp(0.02 * (2 * relative_centers(N_BINS) - 1))
    fit = library(observed, expected).background()
    t = 2 * relative_centers(N_BINS) - 1
    y = (observed / expected - 1)[0]
    chi2 = torch.stack([(20 * (y - y.mean() - slope * t) ** 2).sum() for slope in (-0.1, 0.1)])
    share = torch.softmax(-0.5 * chi2, 0)
    curve = fit.log_background[0].double()
    slope = float(((curve - curve.mean()) * t).sum() / (t**2).sum())
    assert slope == pytest.approx(float(0.1 * (share[1] - share[0])), rel=1e-3)
    assert float(fit.chi2[0]) == pytest.approx(float((share * chi2).sum()), rel=1e-4)


def test_room_for_a_bump_removes_its_pull_on_the_background():
    expected, _ = shapes(10, slope=-2.0, seed=7)
    signal = gaussian_counts(torch.full((10,), 25.0), torch.full((10,), 3.0), n_bins=N_BINS)
    size = strength_for(torch.full((10,), 12.0), signal, expected.float())
    bump = signal * size[:, None]
    observed = expected + bump
    posterior = handmade(slopes=(-2.0,))(observed, expected)
    without = handmade(slopes=(-2.0,))(expected, expected).background().log_background
    near = slice(20, 30)
    fits = posterior.background(), posterior.background(bump)
    bias = [float((fit.log_background - without)[:, near].abs().mean()) for fit in fits]
    assert bias[0] > 0.005
    assert bias[1] < 0.1 * bias[0]
    assert (fits[1].chi2 < 0.1 * fits[0].chi2).all()
    # the other way round, room for a bump that is not there changes little
    vain = handmade(slopes=(-2.0,))(expected, expected).background(bump).log_background
    assert float((vain - without)[:, near].abs().mean()) < 0.1 * bias[0]


@pytest.mark.parametrize("n_bins", [20, 50, 200, 300])
def test_numbers_of_bins_agree(n_bins):
    slopes = (-1.0, -2.0)
    coarse, _ = shapes(5, slope=-1.4, seed=8, level=8.0, n_bins=100)
    fine, _ = shapes(5, slope=-1.4, seed=8, level=8.0 + np.log(100 / n_bins), n_bins=n_bins)
    first = handmade(slopes=slopes)(coarse, coarse).background().log_background
    second = handmade(slopes=slopes)(fine, fine).background().log_background
    at = relative_centers(n_bins).numpy()
    inside = (at > 0.01) & (at < 0.99)
    for a, b in zip(first.numpy(), second.numpy(), strict=True):
        same = np.interp(at, KNOTS.numpy(), a) + np.log(100 / n_bins)
        assert b[inside] == pytest.approx(same[inside], abs=2e-3)


def test_library_learns_shapes_it_has_seen():
    chosen = settings(families={"exponential": 1.0, "power2": 1.0}, counts=(100.0, 1e4))
    seen = [draw_backgrounds(600, chosen, n_bins=n, generator=seeded(n))[0] for n in (40, 70)]
    library = BackgroundLibrary(6, 3).learn(seen, seed=1)
    assert float(library.log_weight.exp().sum()) == pytest.approx(1)
    new, _ = draw_backgrounds(50, chosen, n_bins=55, generator=seeded(9))
    error = library(new, new).background().log_background - torch.log(new)
    assert float(error.abs().median()) < 0.01
    again = BackgroundLibrary(6, 3).learn(seen, seed=1)
    assert torch.equal(again.directions, library.directions)


def test_state_dict_round_trip():
    expected, _ = shapes(5, slope=-3.0, seed=10)
    source, target = handmade(slopes=(-3.0, -1.0)), handmade(slopes=(1.0, 2.0))
    target(expected, expected).background()  # tables of the former weights must not survive
    target.load_state_dict(source.state_dict())
    results = [one(expected, expected).background() for one in (source, target)]
    assert torch.equal(results[0].log_background, results[1].log_background)
