import numpy as np
import pytest
import torch
from scipy.integrate import cumulative_trapezoid

from bumpflow.reconstruction import polygons

GENERATOR = torch.Generator().manual_seed(1)
LOGITS = 2 * torch.randn(5, 9, generator=GENERATOR, dtype=torch.float64)
AT = torch.rand(5, 300, generator=GENERATOR, dtype=torch.float64)
FINE = np.linspace(0, 1, 80_001)


def fine_density(logits):
    """Return densities at many places, shape ``(n, 80001)``."""
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True) + polygons.FLOOR
    lines = np.stack([np.interp(FINE, np.linspace(0, 1, logits.shape[1]), one) for one in shares])
    return lines / np.trapezoid(lines, FINE, axis=1)[:, None]


EXACT = fine_density(LOGITS.numpy())


def test_density_is_linear_between_knots():
    found = polygons.log_density(LOGITS, AT)
    exact = [np.interp(at, FINE, one) for at, one in zip(AT.numpy(), EXACT, strict=True)]
    np.testing.assert_allclose(found, np.log(exact), rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(polygons.log_density(LOGITS, AT[:, 0]), found[:, 0])


def test_heights_are_the_density_at_the_knots():
    knots = torch.linspace(0, 1, 9, dtype=torch.float64).expand(5, -1)
    density = polygons.log_density(LOGITS, knots).exp()
    torch.testing.assert_close(polygons.to_heights(LOGITS), density)


def test_distribution_is_the_integral():
    exact = cumulative_trapezoid(EXACT, FINE, initial=0)
    wanted = [np.interp(at, FINE, one) for at, one in zip(AT.numpy(), exact, strict=True)]
    found = polygons.distribution(polygons.to_heights(LOGITS), AT)
    np.testing.assert_allclose(found, wanted, atol=1e-8)


def test_quantiles_invert_the_distribution():
    heights = polygons.to_heights(LOGITS)
    at = polygons.quantiles(heights, AT)
    torch.testing.assert_close(polygons.distribution(heights, at), AT, atol=1e-12, rtol=0)
    ends = polygons.quantiles(heights, torch.tensor([[0.0, 1.0]]).double().expand(5, -1))
    torch.testing.assert_close(ends, torch.tensor([[0.0, 1.0]]).double().expand(5, -1))


def test_moments_are_those_of_the_density():
    mean, std = polygons.moments(polygons.to_heights(LOGITS))
    exact = np.trapezoid(EXACT * FINE, FINE, axis=1)
    square = np.trapezoid(EXACT * FINE**2, FINE, axis=1)
    np.testing.assert_allclose(mean, exact, atol=1e-8)
    np.testing.assert_allclose(std, np.sqrt(square - exact**2), atol=1e-7)


def test_flat_logits_are_uniform():
    logits = torch.full((1, 33), 7.0)
    torch.testing.assert_close(polygons.log_density(logits, AT[:1].float()), torch.zeros(1, 300))
    mean, std = polygons.moments(polygons.to_heights(logits))
    assert (float(mean), float(std)) == pytest.approx((0.5, 12**-0.5), abs=1e-6)


def test_steep_logits_stay_finite():
    logits = torch.tensor([[0.0, 500.0, -500.0, 0.0]], requires_grad=True)
    at = torch.tensor([[0.0, 0.34, 0.99, 1.0]])
    found = polygons.log_density(logits, at)
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert torch.isfinite(logits.grad).all()
    assert torch.isfinite(polygons.quantiles(polygons.to_heights(logits.detach()), at)).all()
