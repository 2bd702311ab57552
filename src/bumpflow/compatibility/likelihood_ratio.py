r"""Likelihood ratio between background alone and background with a signal of unknown parameters.

Background events follow the density averaged over the prior, so :math:`r_i(\theta)`, the ratio
of posterior and prior, is also the density ratio of signal at :math:`\theta` and background. With
odds :math:`\lambda` of signal and background a data set of :math:`n` events has

.. math:: \prod_i (1 + \lambda r_i(\theta)) = \sum_{k=0}^n \lambda^k e_k(\theta),

where the elementary symmetric polynomial :math:`e_k` adds up all ways to choose :math:`k` signal
events. Two assumptions about rates bring in the odds (:class:`Strength`):

* background rate :math:`\mu_b` known: signal rates :math:`\mu` are equally likely,
  :math:`\lambda = \mu / \mu_b`, with a factor :math:`e^{-\mu}` of the extended likelihood;
* unknown: only events as such count. Shares of signal :math:`f` are equally likely,
  :math:`\lambda = f / (1 - f)`, with a factor :math:`(1 - f)^n`.

The statistic is either the mean over parameters and strengths, the most powerful one for signals
that the priors describe, or the maximum. For the mean it is enough to keep the
:math:`E_k = \int \pi(\theta)\, e_k(\theta)\, \mathrm{d}\theta` of a toy: they serve all rates.

References:
    Neyman, Pearson (1933), https://doi.org/10.1098/rsta.1933.0009;
    Barlow (1990), https://doi.org/10.1016/0168-9002(90)91334-8 (extended likelihood)
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from bumpflow.compatibility.pairs import peaks

SIGNAL_RATES = tuple(0.5 * (step + 1) for step in range(16))
"""Expected signal events that are equally likely, 0.5 to 8."""
SIGNAL_SHARES = tuple((step + 0.5) / 20 for step in range(20))
"""Shares of signal that are equally likely."""
EVENTS_PER_LOG = 16
"""Factors multiplied before a logarithm; their product stays far from overflow."""


class Strength(NamedTuple):
    """Signal strengths on a grid, all equally likely, shape ``(n_strengths,)`` each.

    Attributes:
        odds: Odds of signal and background.
        log_factor: Logarithm of the factor that a data set gets.
        log_factor_per_event: Logarithm of the factor that each of its events gets.
    """

    odds: Tensor
    log_factor: Tensor
    log_factor_per_event: Tensor

    def log_factors(self, n_events: Tensor) -> Tensor:
        """Return log factors of data sets, shape ``(n_toys, n_strengths)``."""
        n = n_events.to(self.odds)[:, None]
        return self.log_factor + n * self.log_factor_per_event

    def to(self, device: torch.device) -> "Strength":
        """Return the same on another device."""
        return Strength(*(part.to(device) for part in self))


def known_background(mu_b: float, rates: Sequence[float] | Tensor = SIGNAL_RATES) -> Strength:
    """Return signal strengths for a known background.

    Args:
        mu_b: Expected background events.
        rates: Expected signal events, shape ``(n_strengths,)``.

    Raises:
        ValueError: If no background is expected: any event would then prove a signal.
    """
    if not mu_b > 0:
        msg = f"expected background is {mu_b}: the likelihood ratio needs a number above 0"
        raise ValueError(msg)
    mu = torch.as_tensor(rates, dtype=torch.float64)
    return Strength(mu / mu_b, -mu, torch.zeros_like(mu))


def unknown_background(shares: Sequence[float] | Tensor = SIGNAL_SHARES) -> Strength:
    """Return signal strengths where the number of events says nothing.

    Args:
        shares: Shares of signal, from 0 to below 1, shape ``(n_strengths,)``.

    Raises:
        ValueError: If a share is outside that range.
    """
    f = torch.as_tensor(shares, dtype=torch.float64)
    if bool(((f < 0) | (f >= 1)).any()):
        msg = f"shares of signal are {f.tolist()}: they must be 0 or more and below 1"
        raise ValueError(msg)
    return Strength(f / (1 - f), torch.zeros_like(f), torch.log1p(-f))


def log_mean_polynomials(
    log_ratio: Tensor,
    weights: Tensor,
    *,
    mask: Tensor | None = None,
    n_max: int | None = None,
) -> Tensor:
    r"""Return :math:`\ln E_k`, with :math:`E_k = \sum_g w_g e_k(\theta_g)`.

    :math:`E_1` is the sum of the events' mean ratios, hence the number of events if they are
    normalised, and :math:`E_2` the sum of the Bayes factors of all pairs.

    Args:
        log_ratio: Log ratios of posterior and prior, shape ``(n_toys, n_events, n_grid)``.
        weights: Prior probabilities of the grid points, shape ``(n_grid,)``.
        mask: Which events there are, shape ``(n_toys, n_events)``; all by default.
        n_max: Highest order to return, at least the number of events, which is the default.

    Returns:
        Double precision, shape ``(n_toys, n_max + 1)``; minus infinity above the number of
        events of a toy.

    Raises:
        ValueError: If a log ratio is NaN or plus infinity.
    """
    n_toys, n_events, n_grid = log_ratio.shape
    peak = peaks(log_ratio, mask)
    if mask is not None:
        peak = peak.masked_fill(~mask, -torch.inf)
    scale = peak.amax(1) if n_events else log_ratio.new_zeros(n_toys)
    scale = scale.nan_to_num(neginf=0.0).double()
    ratio = torch.exp(log_ratio.double() - scale[:, None, None])
    if mask is not None:
        ratio = ratio.masked_fill(~mask[..., None], 0.0)
    e = ratio.new_zeros(n_toys, n_events + 1, n_grid)
    e[:, 0] = 1.0
    for i in range(n_events):
        e[:, 1 : i + 2] += ratio[:, i, None] * e[:, : i + 1]
    order = torch.arange(n_events + 1, device=e.device)
    logs = torch.log(e @ weights.to(e)) + order * scale[:, None]
    missing = (n_events if n_max is None else n_max) - n_events
    return torch.nn.functional.pad(logs, (0, missing), value=-torch.inf)


def log_likelihood_ratio(log_e: Tensor, n_events: Tensor, strength: Strength) -> Tensor:
    r"""Return the log likelihood ratio averaged over parameters and strengths.

    Args:
        log_e: From :func:`log_mean_polynomials`, shape ``(n_toys, n_max + 1)``.
        n_events: Numbers of events, shape ``(n_toys,)``.
        strength: Signal strengths.

    Returns:
        :math:`\ln \langle \sum_k \lambda^k E_k \rangle`, factors included, shape ``(n_toys,)``.
        Its exponential has mean 1 over background.
    """
    at = strength.to(log_e.device)
    order = torch.arange(log_e.shape[1], device=log_e.device)
    logs = at.odds.clamp_min(torch.finfo(at.odds.dtype).tiny).log()
    middle = logs.median()  # taken out, lest a sum's largest term underflow
    tilted = log_e + order * middle
    powers = order * (logs - middle)[:, None]
    tops = tilted.amax(1, keepdim=True), powers.amax(1, keepdim=True)
    sums = torch.exp(tilted - tops[0]) @ torch.exp(powers - tops[1]).mT
    sums = sums.log() + tops[0] + tops[1].mT + at.log_factors(n_events.to(log_e.device))
    return torch.logsumexp(sums, 1) - math.log(len(logs))


def log_likelihoods(log_ratio: Tensor, odds: Tensor, *, mask: Tensor | None = None) -> Tensor:
    r"""Return :math:`\sum_i \ln(1 + \lambda r_i(\theta))`.

    Args:
        log_ratio: Log ratios of posterior and prior, shape ``(n_toys, n_events, n_grid)``.
        odds: Odds :math:`\lambda` of signal and background, shape ``(n_strengths,)``.
        mask: Which events there are, shape ``(n_toys, n_events)``; all by default.

    Returns:
        Double precision, shape ``(n_toys, n_strengths, n_grid)``.

    Raises:
        ValueError: If a log ratio is NaN or plus infinity.
    """
    peaks(log_ratio, mask)
    ratio = log_ratio.double().exp()
    if mask is not None:
        ratio = ratio.masked_fill(~mask[..., None], 0.0)
    odds = odds.to(ratio)
    total = ratio.new_zeros(len(ratio), len(odds), ratio.shape[2])
    for start in range(0, ratio.shape[1], EVENTS_PER_LOG):
        product = torch.ones_like(total)
        for i in range(start, min(start + EVENTS_PER_LOG, ratio.shape[1])):
            product *= torch.addcmul(torch.ones_like(total), odds[:, None], ratio[:, i, None])
        total += product.log()
    return total


def log_largest_likelihoods(
    log_ratio: Tensor, odds: Tensor, *, mask: Tensor | None = None
) -> Tensor:
    """Return the largest over parameters of :func:`log_likelihoods`, for each of some odds.

    Args:
        log_ratio: As for :func:`log_likelihoods`.
        odds: Likewise.
        mask: Likewise.

    Returns:
        Shape ``(n_toys, n_strengths)``; they serve all background rates, see
        :func:`log_maximum_ratio`.
    """
    return log_likelihoods(log_ratio, odds, mask=mask).amax(-1)


def log_maximum_ratio(largest: Tensor, n_events: Tensor, strength: Strength) -> Tensor:
    """Return the log likelihood ratio at its largest over parameters and strengths.

    No signal at all is among the strengths, so it is never negative.

    Args:
        largest: From :func:`log_largest_likelihoods` at these strengths' odds, shape
            ``(n_toys, n_strengths)``. To vary a known background, keep the odds and let the rates
            follow: ``known_background(mu_b, mu_b * odds)``.
        n_events: Numbers of events, shape ``(n_toys,)``.
        strength: Signal strengths.

    Returns:
        Shape ``(n_toys,)``.
    """
    factors = strength.to(largest.device).log_factors(n_events.to(largest.device))
    return (largest + factors).amax(1).clamp_min(0.0)


def log_parameter_ratio(
    log_ratio: Tensor, weights: Tensor, strength: Strength, *, mask: Tensor | None = None
) -> Tensor:
    r"""Return the log ratio of the parameters' posterior and prior, given whole data sets.

    Which events are signal, and how strong it is, are averaged over:
    :math:`p(\theta) \propto \pi(\theta) \langle \prod_i (1 + \lambda r_i(\theta)) \rangle`. No
    event is cut, and without signal-like pairs the prior comes back.

    Args:
        log_ratio: Log ratios of posterior and prior of each event, shape
            ``(n_toys, n_events, n_grid)``.
        weights: Prior probabilities of the grid points, shape ``(n_grid,)``.
        strength: Signal strengths.
        mask: Which events there are, shape ``(n_toys, n_events)``; all by default.

    Returns:
        Double precision, shape ``(n_toys, n_grid)``; the mean of its exponential over the prior
        is 1.
    """
    return torch.logsumexp(_log_joint(log_ratio, weights, strength, mask), 1)


def signal_probabilities(
    log_ratio: Tensor, weights: Tensor, strength: Strength, *, mask: Tensor | None = None
) -> Tensor:
    r"""Return each event's probability to be signal, given all events of its data set.

    The mean over the posterior of parameters and strengths of
    :math:`\lambda r_i(\theta) / (1 + \lambda r_i(\theta))`.

    Args:
        log_ratio: As for :func:`log_parameter_ratio`.
        weights: Likewise.
        strength: Likewise.
        mask: Likewise.

    Returns:
        Double precision, shape ``(n_toys, n_events)``; 0 for events that are not there.
    """
    joint = _log_joint(log_ratio, weights, strength, mask).exp()
    joint *= weights.to(joint)
    odds = strength.odds.to(joint)[:, None]
    found = joint.new_zeros(log_ratio.shape[:2])
    for i, ratio in enumerate(log_ratio.double().exp().unbind(1)):
        signal = odds * ratio[:, None]
        found[:, i] = (joint * (signal / (1 + signal))).sum((1, 2))
    return found if mask is None else found.masked_fill(~mask, 0.0)


def _log_joint(
    log_ratio: Tensor, weights: Tensor, strength: Strength, mask: Tensor | None
) -> Tensor:
    """Return log ratios of posterior and prior of grid points, split up by strength.

    Their exponentials sum to 1 over strengths and, with the weights, over grid points.
    """
    logs = log_likelihoods(log_ratio, strength.odds, mask=mask)
    n_toys, n_events, _ = log_ratio.shape
    n = torch.full((n_toys,), n_events, device=logs.device) if mask is None else mask.sum(1)
    logs += strength.to(logs.device).log_factors(n)[..., None]
    total = torch.logsumexp((logs + weights.to(logs).log()).flatten(1), 1)
    return logs - total[:, None, None]
