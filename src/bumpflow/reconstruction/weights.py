r"""Posteriors under another prior, and with the number of events as a measurement.

Of :math:`N` decays of B mesons to the particle, :math:`N \epsilon(\theta)` are expected to be seen.
With a production that is flat in :math:`\ln N` from :math:`N_0` to :math:`N_1`, the number seen,
:math:`n`, has

.. math::

    p(n \mid \theta) = \int \mathrm{Pois}(n \mid N \epsilon)\, \frac{d \ln N}{\ln N_1/N_0}
    = \frac{P(n, N_1 \epsilon) - P(n, N_0 \epsilon)}{n \ln N_1/N_0}

with the regularised incomplete gamma function :math:`P`. It multiplies posteriors from what is
measured of the decays, as sets of a given size do not depend on it.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from bumpflow.reconstruction.support import Support
from bumpflow.simulate.alps.sampling import acceptance
from bumpflow.simulate.alps.settings import BeamDump


class AcceptanceTable(NamedTuple):
    """Log probabilities that a decay is seen, on a grid of a prior's unit square.

    Attributes:
        log_value: Shape ``(n_masses, n_lifetimes)``, from end to end.
        error: Standard errors of the logarithms, likewise.
        support: The prior's region.
    """

    log_value: Tensor
    error: Tensor
    support: Support

    def __call__(self, theta: Tensor) -> Tensor:
        """Return log acceptances, interpolated, of parameters ``(..., 2)`` within the prior."""
        table = self.log_value.to(theta.device)
        sizes = torch.tensor(table.shape, device=theta.device)
        steps = self.support.to_unit(theta.double()).clamp(0, 1) * (sizes - 1)
        index = torch.minimum(steps.floor().long(), sizes - 2)
        (i, j), (a, b) = index.unbind(-1), (steps - index).unbind(-1)
        low = torch.lerp(table[i, j], table[i, j + 1], b)
        high = torch.lerp(table[i + 1, j], table[i + 1, j + 1], b)
        return torch.lerp(low, high, a)


def tabulate_acceptance(
    setup: BeamDump,
    *,
    n_masses: int,
    n_lifetimes: int,
    n_tries: int,
    rng: np.random.Generator,
    mesons: np.ndarray | None = None,
) -> AcceptanceTable:
    """Return the acceptance of a set-up over its prior.

    Args:
        setup: The set-up.
        n_masses: Points in log mass.
        n_lifetimes: Points in log lifetime.
        n_tries: Tries at each point.
        rng: Random numbers.
        mesons: As in :func:`bumpflow.simulate.alps.sampling.sample_events`.

    Raises:
        ValueError: If nothing is seen at a point.
    """
    support = Support.of(setup.prior)
    axes = [torch.linspace(0, 1, n, dtype=torch.float64) for n in (n_masses, n_lifetimes)]
    theta = support.to_theta(torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1))
    found = acceptance(theta.flatten(0, 1).numpy(), setup, n_tries=n_tries, rng=rng, mesons=mesons)
    value = torch.from_numpy(found.value).view(n_masses, n_lifetimes)
    error = torch.from_numpy(found.error).view(n_masses, n_lifetimes)
    if not bool((value > 0).all()):
        at = theta[value == 0][0].tolist()
        msg = (
            f"nothing is seen in {n_tries} tries at log10 mass {at[0]:.3g} and log10 lifetime"
            f" {at[1]:.3g}: raise n_tries"
        )
        raise ValueError(msg)
    return AcceptanceTable(value.log(), error / value, support)


def log_rate(
    log_acceptance: Tensor, n_events: Tensor | int, *, n_decays: tuple[float, float]
) -> Tensor:
    """Return log probabilities of a number of seen events, see the top of this module.

    Args:
        log_acceptance: Log probabilities to see a decay, shape ``(...)``.
        n_events: Numbers of seen events, from 1 on, of a shape that fits.
        n_decays: Least and largest number of decays of B mesons to the particle.

    Returns:
        Double precision, shape ``(...)``.

    Raises:
        ValueError: If the numbers are impossible.
    """
    first, last = n_decays
    n = torch.as_tensor(n_events, device=log_acceptance.device).double()
    if not 0 < first < last or not bool((n >= 1).all()):
        msg = (
            f"n_decays is {list(n_decays)} and the least n_events {float(n.min()):g}: give two"
            " numbers above 0, the lower one first, and one event or more"
        )
        raise ValueError(msg)
    logs = log_acceptance.double()
    n = n.expand(torch.broadcast_shapes(n.shape, logs.shape)).contiguous()
    low, high = ((logs + math.log(end)).exp().expand(n.shape) for end in n_decays)
    below = torch.special.gammainc(n, high) - torch.special.gammainc(n, low)
    above = torch.special.gammaincc(n, low) - torch.special.gammaincc(n, high)
    value = torch.where(low > n, above, below).clamp_min(torch.finfo(torch.float64).tiny)
    return value.log() - n.log() - math.log(math.log(last / first))


class Weighted(NamedTuple):
    """Draws with weights that make them follow another posterior.

    Attributes:
        theta: Draws, shape ``(n_sets, n, 2)``.
        weights: Weights that add up to 1, shape ``(n_sets, n)``.
        effective: Numbers of draws that they are worth, shape ``(n_sets,)``.
    """

    theta: Tensor
    weights: Tensor
    effective: Tensor

    def resample(self, n: int, *, generator: Generator) -> Tensor:
        """Return equally weighted draws, shape ``(n_sets, n, 2)``, with repetitions."""
        rows = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        return self.theta.gather(1, rows[..., None].expand(-1, -1, 2))


def reweight(theta: Tensor, log_weight: Tensor) -> Weighted:
    """Return draws from posteriors as draws from others.

    Args:
        theta: Draws, shape ``(n_sets, n, 2)``.
        log_weight: Log ratios of the other density, such as a prior that is not flat or the
            probability of the number of events, shape ``(n_sets, n)``; any constant may be added.

    Raises:
        ValueError: If all weights of a set vanish.
    """
    logs = log_weight.double()
    lost = (~torch.isfinite(logs).any(1)).nonzero()[:, 0].tolist()
    if lost:
        msg = f"all draws of sets {lost[:5]} have no weight: the other prior excludes them"
        raise ValueError(msg)
    weights = torch.softmax(logs, dim=1)
    return Weighted(theta, weights, 1 / weights.square().sum(1))


def reweight_grid(log_ratio: Tensor, log_weight: Tensor) -> Tensor:
    """Return posteriors on a grid as those of another density, normalised.

    Args:
        log_ratio: Log ratios of posterior and flat prior at points of the unit square, end to
            end, shape ``(n_sets, n_masses, n_lifetimes)``.
        log_weight: As in :func:`reweight`, of a shape that fits.

    Returns:
        Log densities in the unit square, whose mean by the trapezoid rule is 1.
    """
    logs = log_ratio.double() + log_weight.double()
    shares = [torch.ones(n, dtype=logs.dtype, device=logs.device) for n in logs.shape[-2:]]
    for share in shares:
        share[[0, -1]] = 0.5
    cells = torch.outer(*(share / share.sum() for share in shares)).log()
    return logs - (logs + cells).logsumexp((-2, -1), keepdim=True)
