"""Smooth curves through counts."""

import numpy as np
import pytest
import torch

from bumpflow.hunts.smoothing import (
    DEGREES,
    legendre,
    modes,
    relative_centers,
    smooth_roots,
    stabilise,
)
from tests.unit.hunts.drawn import poisson, seeded


@pytest.mark.parametrize("n_bins", [20, 100, 300])
def test_projections_are_idempotent(n_bins):
    roots = 100 * torch.rand(5, n_bins, generator=seeded(1), dtype=torch.float64)
    for place, curve in enumerate(smooth_roots(roots)):
        torch.testing.assert_close(smooth_roots(curve)[place], curve, rtol=0, atol=1e-4)
        residual = roots - curve
        assert float((residual * curve).sum(1).abs().max()) < 1e-3 * float((roots**2).sum(1).min())
    assert place + 1 == len(DEGREES)


def test_flexible_curves_come_closer():
    roots = torch.rand(20, 60, generator=seeded(2))
    rest = [float(((roots - curve) ** 2).sum()) for curve in smooth_roots(roots)]
    assert rest == sorted(rest, reverse=True)
    assert rest[0] > 1.05 * rest[-1]


def test_curve_follows_a_falling_spectrum():
    expected = 1e4 * torch.exp(-torch.arange(80) / 12.0)[None]
    flexible = smooth_roots(stabilise(expected))[-1]
    torch.testing.assert_close(flexible, stabilise(expected), rtol=0, atol=0.3)


@pytest.mark.physics
@pytest.mark.parametrize("mean", [3.0, 30.0, 3000.0])
def test_stabilised_counts_have_unit_variance(mean):
    roots = stabilise(poisson(torch.full((20_000,), mean), seed=3))
    # Anscombe's root has a variance within 3 % of 1 from 3 events on
    assert float(roots.var()) == pytest.approx(1, abs=0.03 + 4 * np.sqrt(2 / 20_000))


def test_legendre_polynomials_match_numpy():
    points = torch.linspace(-1, 1, 7, dtype=torch.float64)
    expected = np.polynomial.legendre.legvander(points.numpy(), 6)
    assert legendre(points, 6).numpy() == pytest.approx(expected)
    assert legendre(points, 0).shape == (7, 1)


def test_modes_are_orthogonal_and_of_unit_mean_square():
    values = modes(50, 8).double()
    torch.testing.assert_close(values.T @ values / 50, torch.eye(8).double(), rtol=0, atol=1e-5)
    t = 2 * relative_centers(50) - 1
    assert float((values[:, 3] * t**2).sum()) == pytest.approx(0, abs=1e-4)
    assert (values[-1] > 0).all()
