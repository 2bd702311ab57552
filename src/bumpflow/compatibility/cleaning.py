r"""Remove incompatible events one by one, for all toys and all thresholds at once.

The event whose scores with the others have the lowest mean :math:`s_i` is removed as long as
:math:`s_i \leq t`; the test statistic is the number of survivors. Which event goes next does not
depend on the threshold :math:`t`, only when to stop does. So one pass gives each event a *level*,
the largest :math:`s` removed so far when its turn came, and it survives all thresholds below.

References:
    Chathirathas et al. (2024), https://arxiv.org/abs/2407.20329, section 4.1
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor


class Cleaned(NamedTuple):
    """What cleaning leaves.

    Attributes:
        statistic: Numbers of compatible events, shape ``(n_toys, n_thresholds)``, integer.
        survivors: Which events they are, shape ``(n_toys, n_thresholds, n_events)``.
    """

    statistic: Tensor
    survivors: Tensor


def clean(
    scores: Tensor,
    mask: Tensor | None = None,
    *,
    thresholds: Sequence[float] | NDArray | Tensor,
) -> Cleaned:
    """Clean toys at each of some thresholds.

    As published, events stay if their mean score is above the threshold, not at it; the last two
    have the same mean, so both stay or both go; and without survivors the statistic is 1, since
    an event is compatible with itself. Toys of no or one event have statistic 0 or 1. Unlike in
    the published code a score of exactly 0 is a score as any other.

    Args:
        scores: Compatibility of pairs, shape ``(n_toys, n_events, n_events)``; symmetric, with
            any diagonal.
        mask: Which events there are, shape ``(n_toys, n_events)``; all by default.
        thresholds: Thresholds, shape ``(n_thresholds,)``.

    Raises:
        ValueError: If a score is NaN.
    """
    if mask is None:
        mask = torch.ones(scores.shape[:2], dtype=torch.bool, device=scores.device)
    level = removal_levels(scores, mask)
    cuts = torch.as_tensor(thresholds, dtype=level.dtype, device=level.device)
    survivors = level[:, None, :] > cuts[:, None]
    statistic = torch.maximum(survivors.sum(-1), mask.any(-1, keepdim=True).long())
    return Cleaned(statistic, survivors)


def removal_levels(scores: Tensor, mask: Tensor) -> Tensor:
    """Return the threshold at which cleaning removes each event; below it the event survives.

    Among events of equal mean score the first goes first.

    Args:
        scores: Compatibility of pairs, shape ``(n_toys, n_events, n_events)``; symmetric.
        mask: Which events there are, shape ``(n_toys, n_events)``.

    Returns:
        Levels, shape ``(n_toys, n_events)``, double precision: plus infinity for the only event
        of a toy, minus infinity for events that are not there.

    Raises:
        ValueError: If a score of a pair of events is NaN.
    """
    n_events = mask.shape[1]
    pairs = _without_diagonal(scores, mask)
    alive = mask.clone()
    level = torch.full(mask.shape, -torch.inf, dtype=torch.float64, device=mask.device)
    level[mask & (mask.sum(1, keepdim=True) == 1)] = torch.inf
    highest = torch.full_like(level[:, :1], -torch.inf)
    for _ in range(n_events - 1):
        n_alive = alive.sum(1, keepdim=True)
        mean = (pairs @ alive.double()[..., None])[..., 0] / (n_alive - 1).clamp_min(1)
        lowest, worst = mean.masked_fill(~alive, torch.inf).min(1, keepdim=True)
        highest = torch.where(n_alive > 1, torch.maximum(highest, lowest), highest)
        removed = torch.zeros_like(alive).scatter_(1, worst, value=True)
        removed = torch.where(n_alive == 2, alive, removed & (n_alive > 2))
        level = torch.where(removed, highest, level)
        alive &= ~removed
    return level


def _without_diagonal(scores: Tensor, mask: Tensor) -> Tensor:
    """Return scores in double precision with 0 where there is no pair of two events."""
    absent = ~(mask[:, :, None] & mask[:, None, :])
    absent |= torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)
    pairs = scores.double().masked_fill(absent, 0.0)
    wrong = torch.isnan(pairs)
    if bool(wrong.any()):
        toy, first, second = wrong.nonzero()[0].tolist()
        msg = (
            f"score of events {first} and {second} of toy {toy} is NaN: cleaning needs numbers;"
            " look at these events' features and at the network"
        )
        raise ValueError(msg)
    return pairs
