"""First guesses of a background: smooth curves through the square roots of counts."""

import math
from functools import cache

import torch
from torch import Tensor

SHIFT = 0.375
DEGREES = ((2, 1), (4, 3), (7, 6))
"""Degrees of the polynomials in position and in its logarithm, from stiff to flexible."""
LOWEST = 0.5


def stabilise(counts: Tensor) -> Tensor:
    r"""Return :math:`2 \sqrt{n + 3/8}`, whose variance is close to 1 for Poisson counts.

    References:
        Anscombe (1948), https://doi.org/10.1093/biomet/35.3-4.246
    """
    return 2 * torch.sqrt(counts + SHIFT)


def smooth_roots(roots: Tensor) -> list[Tensor]:
    """Return least-squares polynomials through stabilised counts, from stiff to flexible.

    Args:
        roots: Stabilised counts, shape ``(n, n_bins)``.

    Returns:
        One curve for each of ``DEGREES``, shape ``(n, n_bins)``.
    """
    n_bins = roots.shape[1]
    bases = [_basis(n_bins, *degrees).to(roots) for degrees in DEGREES]
    return [(roots @ basis) @ basis.T for basis in bases]


def legendre(points: Tensor, degree: int) -> Tensor:
    """Return Legendre polynomials up to a degree, shape ``(*points.shape, degree + 1)``."""
    values = [torch.ones_like(points), points]
    for k in range(1, degree):
        values.append(((2 * k + 1) * points * values[k] - k * values[k - 1]) / (k + 1))
    return torch.stack(values[: degree + 1], -1)


def relative_centers(n_bins: int) -> Tensor:
    """Return the bins' centres as fractions of the axis, shape ``(n_bins,)``."""
    return (torch.arange(n_bins, dtype=torch.float64) + 0.5) / n_bins


@cache
def modes(n_bins: int, n_modes: int) -> Tensor:
    """Return orthogonal polynomials of the position, of mean square 1: ``(n_bins, n_modes)``."""
    values = legendre(2 * relative_centers(n_bins) - 1, n_modes - 1)
    orthogonal, _ = torch.linalg.qr(values)
    signs = torch.sign((orthogonal * values).sum(0))
    return (orthogonal * signs * math.sqrt(n_bins)).float()


@cache
def _basis(n_bins: int, degree: int, log_degree: int) -> Tensor:
    """Return an orthonormal basis of polynomials in position and in its logarithm."""
    position = relative_centers(n_bins)
    log = torch.log(position * n_bins)
    log = 2 * (log - log[0]) / (log[-1] - log[0]) - 1
    values = torch.cat(
        [legendre(2 * position - 1, degree), legendre(log, log_degree)[:, 1:]], dim=1
    )
    basis, size, _ = torch.linalg.svd(values, full_matrices=False)
    return basis[:, size > 1e-6 * size[0]].float()
