"""Methods for the mass side by side: networks, diphoton masses, products of single events."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import stdtr
from torch import Generator, Tensor

from bumpflow.compatibility.coverage import share_within
from bumpflow.compatibility.grids import Axis
from bumpflow.compatibility.inference import LEVELS, combine
from bumpflow.compatibility.populations import log10_diphoton_mass
from bumpflow.memory import in_chunks
from bumpflow.reconstruction import polygons
from bumpflow.reconstruction.amortised import SetPosterior
from bumpflow.reconstruction.diagnostics import flatten, mean_of, spread_of
from bumpflow.reconstruction.sets import EventSets, TrueSets, draw_sets

PRODUCT_CHUNK = 32
"""Sets whose single events' posteriors are multiplied in one go."""


class Estimates(NamedTuple):
    """Estimates of log10(m / GeV) of sets, shape ``(n_sets,)`` each.

    Attributes:
        mean: The estimates.
        std: Their claimed standard deviations, not a number where none can be claimed.
        level: Probabilities of the smallest central intervals that hold the truth.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    level: NDArray[np.float64]


def estimate_from_network(posterior: SetPosterior, sets: EventSets, log_mass: Tensor) -> Estimates:
    """Return what the amortised network says of sets.

    Args:
        posterior: Trained posteriors.
        sets: Measured sets.
        log_mass: True log10(m / GeV), shape ``(n_sets,)``.
    """
    beliefs = posterior.look(sets)
    summary = posterior.summarise(beliefs)
    below = posterior.mass_below(beliefs, log_mass)
    return _estimates(summary.mean, summary.std, 2 * (below - 0.5).abs())


def estimate_from_draws(draws: Tensor, log_mass: Tensor) -> Estimates:
    """Return what draws of posteriors say, such as those of the published network.

    Args:
        draws: Draws, shape ``(n_sets, k, 2)``.
        log_mass: True log10(m / GeV), shape ``(n_sets,)``.
    """
    of_mass = draws[..., 0].double()
    below = (of_mass < log_mass.to(of_mass)[:, None]).double().mean(1)
    return _estimates(of_mass.mean(1), of_mass.std(1), 2 * (below - 0.5).abs())


def estimate_from_diphotons(sets: EventSets, log_mass: Tensor) -> Estimates:
    """Return means of log10 of the diphoton masses of sets, with the error of the mean.

    Its intervals are those of Student's distribution.

    Args:
        sets: Measured sets.
        log_mass: True log10(m / GeV), shape ``(n_sets,)``.
    """
    each = log10_diphoton_mass(sets.x.flatten(0, 1)).view(sets.mask.shape)
    each = each.masked_fill(~sets.mask, 0.0)
    n = sets.n_events.double()
    mean = (each * sets.mask).sum(1) / n
    square = ((each - mean[:, None]) ** 2 * sets.mask).sum(1)
    std = (square / (n - 1) / n).sqrt()
    pull = (mean - log_mass.to(mean)).abs() / std
    level = torch.from_numpy(2 * stdtr((n - 1).cpu().numpy(), pull.cpu().numpy()) - 1)
    return _estimates(mean, std, level)


def estimate_from_product(
    posterior: SetPosterior, sets: EventSets, log_mass: Tensor, *, n_lifetimes: int
) -> Estimates:
    """Return what the product of the posteriors of single events says, as hunts have it.

    The network looks at each event as a set of its own. Densities are multiplied on a grid of
    mass and lifetime, since events share both, and the lifetime is then integrated out.

    Args:
        posterior: Trained posteriors.
        sets: Measured sets.
        log_mass: True log10(m / GeV), shape ``(n_sets,)``.
        n_lifetimes: Points of the grid in lifetime; those in mass are the network's.
    """
    axis = Axis(*posterior.support.log_mass, posterior.network.settings.n_masses)
    lifetime = Axis(0.0, 1.0, n_lifetimes)
    weights = torch.outer(axis.weights, lifetime.weights).flatten().to(posterior.device)

    def of_mass(rows: slice) -> Tensor:
        some = sets.rows(rows).to(posterior.device)
        logs = _single_events(posterior, some, axis.n_points, n_lifetimes)
        joint = combine(logs, weights, mask=some.mask) + weights.log()
        summed = joint.unflatten(1, (axis.n_points, -1)).logsumexp(-1)
        return summed - axis.weights.to(summed).log()

    parts = list(in_chunks(of_mass, len(sets.x), PRODUCT_CHUNK))
    heights = polygons.to_heights(torch.cat(parts))
    mean, std = polygons.moments(heights)
    width = axis.high - axis.low
    place = (log_mass.to(heights) - axis.low) / width
    below = polygons.distribution(heights, place[:, None])[:, 0]
    return _estimates(axis.low + width * mean, width * std, 2 * (below - 0.5).abs())


def _single_events(
    posterior: SetPosterior, sets: EventSets, n_masses: int, n_lifetimes: int
) -> Tensor:
    """Return log ratios on a grid of each event, shape ``(n_sets, n_max, n_grid)``, 0 of none."""
    x = sets.x[sets.mask][:, None]
    sigmas = sets.sigmas[sets.mask.nonzero()[:, 0]]
    beliefs = posterior.look(EventSets(x, torch.ones_like(x[..., 0], dtype=torch.bool), sigmas))
    each = posterior.on_grid(beliefs, n_masses=n_masses, n_lifetimes=n_lifetimes).flatten(1)
    logs = each.new_zeros(*sets.mask.shape, each.shape[1])
    logs[sets.mask] = each
    return logs


def compare(estimates: Estimates, log_mass: NDArray) -> dict[str, float]:
    """Return how good estimates are.

    Args:
        estimates: Of sets.
        log_mass: True log10(m / GeV), shape ``(n_sets,)``.

    Returns:
        ``bias``, ``spread`` of estimates about the truth's, mean ``sigma``, ``pull_width``,
        ``coverage68`` and ``coverage95`` of central intervals, each with its ``_error``, and
        ``n``. Sets whose standard deviation cannot be claimed count in bias and spread only;
        without any other, the rest is not a number.
    """
    off = estimates.mean - log_mass
    known = np.isfinite(estimates.std) & (estimates.std > 0)
    numbers = {"bias": mean_of(off), "spread": spread_of(off)}
    row = flatten(numbers) | {"n": float(len(off))}
    if np.count_nonzero(known) < 2:
        names = ("sigma", "pull_width", *(f"coverage{100 * level:.0f}" for level in LEVELS))
        return row | {f"{name}{end}": math.nan for name in names for end in ("", "_error")}
    claimed = {
        "sigma": mean_of(estimates.std[known]),
        "pull_width": spread_of(off[known] / estimates.std[known]),
    }
    for level in LEVELS:
        held = share_within(estimates.level[known], level)
        claimed[f"coverage{100 * level:.0f}"] = held
    return row | flatten(claimed)


def map_sensitivity(
    posterior: SetPosterior,
    true: TrueSets,
    *,
    energy: Sequence[float],
    angle_rad: Sequence[float],
    hit_m: float,
    n_events: int,
    generator: Generator,
) -> pd.DataFrame:
    """Return how well the mass is measured for each detector of a grid.

    The same decays are measured by all detectors.

    Args:
        posterior: Trained posteriors.
        true: Decays at parameters of interest.
        energy: Relative resolutions of energies.
        angle_rad: Resolutions of angles [rad].
        hit_m: Resolution of hits [m].
        n_events: Events of a set.
        generator: Random numbers, on the decays' device.

    Returns:
        One row per detector: ``energy``, ``angle_rad``, ``hit_m``, ``n_events``, mean ``sigma``
        of log10 m, ``spread`` of posterior means about the truth (root mean square), ``diphoton``
        that of the diphoton mass.
    """
    cells = torch.cartesian_prod(torch.tensor(energy), torch.tensor(angle_rad))
    n, k = len(true.theta), len(cells)
    device = true.theta.device
    sigmas = torch.stack(
        [torch.full((k,), hit_m), cells[:, 0], cells[:, 1], cells[:, 1]], dim=1
    ).to(device)
    repeated = TrueSets(*(part.repeat(k, *(part.ndim - 1) * [1]) for part in true))
    sets = draw_sets(
        repeated,
        torch.full((n * k,), n_events, device=device),
        sigmas.repeat_interleave(n, 0),
        posterior.drawing.setup,
        wrap=posterior.drawing.detectors.wrap,
        generator=generator,
    )
    log_mass = repeated.theta[:, 0]
    ours = estimate_from_network(posterior, sets, log_mass)
    photons = estimate_from_diphotons(sets, log_mass)
    truth = log_mass.double().cpu().numpy()

    def rms(estimates: Estimates) -> NDArray[np.float64]:
        """Return root mean squares of the differences to the truth, one per detector."""
        return np.sqrt(((estimates.mean - truth) ** 2).reshape(k, n).mean(1))

    return pd.DataFrame(
        {
            "energy": cells[:, 0].double().numpy(),
            "angle_rad": cells[:, 1].double().numpy(),
            "hit_m": hit_m,
            "n_events": n_events,
            "sigma": ours.std.reshape(k, n).mean(1),
            "spread": rms(ours),
            "diphoton": rms(photons),
        }
    )


def _estimates(mean: Tensor, std: Tensor, level: Tensor) -> Estimates:
    return Estimates(*(part.double().cpu().numpy() for part in (mean, std, level)))
