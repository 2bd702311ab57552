"""Densities on the unit interval that are linear between equally spaced knots.

Their distribution functions are quadratic splines, known and inverted in closed form, so that
no probability is outside of the interval and none is lost to a grid.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

FLOOR = 1e-9
"""Added to heights that add up to 1: no density vanishes, and none of this adds to a spread."""


def to_heights(logits: Tensor) -> Tensor:
    """Return heights at the knots, of area 1, from any numbers, shape ``(..., n_knots)``."""
    heights = F.softmax(logits, dim=-1) + FLOOR
    return heights / _areas(heights).sum(-1, keepdim=True)


def log_density(logits: Tensor, at: Tensor) -> Tensor:
    """Return log densities at places of the unit interval.

    Args:
        logits: Numbers that :func:`to_heights` turns into heights, shape ``(n, n_knots)``.
        at: Places, shape ``(n,)``, or ``(n, k)``; those outside count as the nearest end.

    Returns:
        Shape of ``at``.
    """
    places = at if at.ndim == 2 else at[:, None]
    cells = logits.shape[-1] - 1
    shares = F.softmax(logits, dim=-1)
    area = (1 - (shares[:, :1] + shares[:, -1:]) / 2 + cells * FLOOR) / cells
    index, along = _place(places, cells)
    height = torch.lerp(shares.gather(1, index), shares.gather(1, index + 1), along)
    return ((height + FLOOR) / area).log().view(at.shape)


def distribution(heights: Tensor, at: Tensor) -> Tensor:
    """Return probabilities below places.

    Args:
        heights: From :func:`to_heights`, shape ``(n, n_knots)``.
        at: Places, shape ``(n, k)``.
    """
    cells = heights.shape[-1] - 1
    index, along = _place(at, cells)
    left, right = heights.gather(1, index), heights.gather(1, index + 1)
    below = F.pad(_areas(heights).cumsum(-1), (1, 0)).gather(1, index)
    return below + along * (left + along * (right - left) / 2) / cells


def quantiles(heights: Tensor, probability: Tensor) -> Tensor:
    """Return where the probability below has some values.

    Args:
        heights: From :func:`to_heights`, shape ``(n, n_knots)``.
        probability: Probabilities, shape ``(n, k)``.
    """
    cells = heights.shape[-1] - 1
    below = F.pad(_areas(heights).cumsum(-1), (1, 0))
    wanted = (probability * below[:, -1:]).contiguous()
    index = torch.searchsorted(below[:, 1:-1].contiguous(), wanted, right=True)
    left, right = heights.gather(1, index), heights.gather(1, index + 1)
    rest = (wanted - below.gather(1, index)).clamp_min(0) * cells
    root = (left.square() + 2 * (right - left) * rest).clamp_min(0).sqrt()
    along = (2 * rest / (left + root).clamp_min(torch.finfo(heights.dtype).tiny)).clamp_max(1)
    return (index + along) / cells


def moments(heights: Tensor) -> tuple[Tensor, Tensor]:
    """Return means and standard deviations, shape ``(n,)`` each, of heights ``(n, n_knots)``."""
    heights = heights.double()
    cells = heights.shape[-1] - 1
    start = torch.arange(cells, device=heights.device) / cells
    left, right = heights[:, :-1], heights[:, 1:]
    step = 1 / cells
    area = step * (left + right) / 2
    first = step**2 * (left / 6 + right / 3)
    second = step**3 * (left / 12 + right / 4)
    mean = (area * start + first).sum(-1)
    square = (area * start**2 + 2 * start * first + second).sum(-1)
    return mean, (square - mean**2).clamp_min(0).sqrt()


def knots(n_knots: int, *, like: Tensor) -> Tensor:
    """Return the knots, shape ``(n_knots,)``."""
    return torch.linspace(0, 1, n_knots, device=like.device, dtype=like.dtype)


def _areas(heights: Tensor) -> Tensor:
    """Return the area between neighbouring knots, shape ``(..., n_knots - 1)``."""
    return (heights[..., 1:] + heights[..., :-1]) / (2 * (heights.shape[-1] - 1))


def _place(at: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """Return the knot below each place and how far it is on the way to the next one."""
    steps = at.clamp(0, 1) * cells
    index = steps.detach().floor().clamp_max(cells - 1)
    return index.long(), steps - index
