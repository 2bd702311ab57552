r"""Compatibility of pairs of events, from their posteriors and nothing else.

Two events share their parameters, or have parameters of their own. With
:math:`r_i(\theta) = p(\theta \mid x_i) / \pi(\theta)` the Bayes factor between both is

.. math:: B_{ij} = \int \pi(\theta)\, r_i(\theta)\, r_j(\theta)\, \mathrm{d}\theta,

one matrix product for all pairs of a data set, and with equal prior odds
:math:`B_{ij} / (1 + B_{ij})` is the probability that they share them: what the networks of
https://arxiv.org/abs/2407.20329, section 3.3, learn.
"""

import torch
from torch import Tensor

LOG_FLOOR = -80.0
"""Smallest log Bayes factor. Its score is still positive in single precision."""


def log_bayes_factors(log_ratio: Tensor, weights: Tensor, *, mask: Tensor | None = None) -> Tensor:
    r"""Return :math:`\ln \sum_g w_g r_{ig} r_{jg}` for all pairs of events of each toy.

    Posteriors that do not overlap, or are zero everywhere, give :data:`LOG_FLOOR`.

    Args:
        log_ratio: Log ratios of posterior and prior, shape ``(n_toys, n_events, n_grid)``.
        weights: Prior probabilities of the grid points, shape ``(n_grid,)``.
        mask: Which events there are, shape ``(n_toys, n_events)``; all by default.

    Returns:
        Symmetric matrices, shape ``(n_toys, n_events, n_events)``. Pairs with an event that is
        not there have :data:`LOG_FLOOR`; the diagonal pairs each event with itself.

    Raises:
        ValueError: If a log ratio is NaN or plus infinity.
    """
    peak = peaks(log_ratio, mask)
    root = torch.exp(log_ratio - peak[..., None]) * weights.to(log_ratio.dtype).sqrt()
    logs = (root @ root.mT).log()
    logs = (logs + (peak[..., :, None] + peak[..., None, :])).clamp_min(LOG_FLOOR)
    if mask is None:
        return logs
    return logs.masked_fill(~(mask[..., :, None] & mask[..., None, :]), LOG_FLOOR)


def pair_scores(log_ratio: Tensor, weights: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Return the probabilities that pairs of events share their parameters, in (0, 1).

    Args:
        log_ratio: As for :func:`log_bayes_factors`.
        weights: Likewise.
        mask: Likewise.

    Returns:
        Shape ``(n_toys, n_events, n_events)``.
    """
    return torch.sigmoid(log_bayes_factors(log_ratio, weights, mask=mask))


def peaks(log_ratio: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return each event's largest log ratio, or 0 if it is minus infinity everywhere.

    Args:
        log_ratio: Log ratios, shape ``(n_toys, n_events, n_grid)``.
        mask: Which events there are, shape ``(n_toys, n_events)``.

    Returns:
        Shape ``(n_toys, n_events)``.

    Raises:
        ValueError: If that of an event is NaN or plus infinity.
    """
    peak = log_ratio.amax(-1)
    wrong = torch.isnan(peak) | torch.isposinf(peak)
    if mask is not None:
        wrong &= mask
    if bool(wrong.any()):
        toy, event = wrong.nonzero()[0].tolist()
        msg = (
            f"log ratios of event {event} of toy {toy} reach {float(peak[toy, event])}: they must"
            " be numbers below infinity; look at that event's features and at the network"
        )
        raise ValueError(msg)
    return torch.nan_to_num(peak, nan=0.0, posinf=0.0, neginf=0.0)
