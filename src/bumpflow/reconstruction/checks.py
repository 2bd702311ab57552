"""Whether observed sets are of the kind that posteriors were trained with."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bumpflow.compatibility.populations import log10_diphoton_mass
from bumpflow.reconstruction.sets import SIGMAS, Drawing, EventSets, as_true_sets, measure
from bumpflow.simulate.alps.features import FEATURES
from bumpflow.simulate.alps.sampling import sample_sets
from bumpflow.workflow import derive_seed

TOLERANCE = 1e-3
"""Relative excess over a resolution's range that counts as none."""
MARGIN = 0.05
"""How far, in units of its range in training, a feature may be outside of it."""
PREDICTED = (
    "mean_ln_energy",
    "mean_energy_share",
    "mean_log10_diphoton_mass",
    "mean_ln_distance",
    "mean_radius_m",
    "mean_ln_theta",
    "spread_ln_energy",
    "spread_log10_diphoton_mass",
)
"""Summaries of a set: of the energies, the first one's share, the mass from angles, the distance
of hits, their centre from the axis, polar angles. The last two need two events."""
LEAST = 1e-3


class Predictive(NamedTuple):
    """Observed summaries of a set among those of simulated ones.

    Attributes:
        p: Share of simulated sets that are as far from the mean of all, by their covariance.
        table: One row per summary: ``summary``, ``observed``, ``mean`` and ``std`` of simulated
            ones, ``pull`` and two-sided ``p``.
    """

    p: float
    table: pd.DataFrame


def reasons_outside(
    sets: EventSets, drawing: Drawing, limits: Tensor, *, wrap: bool | None = None
) -> list[list[str]]:
    """Return why sets are outside of what posteriors were trained with: a list for each.

    Args:
        sets: Measured sets.
        drawing: What posteriors were trained for.
        limits: Least and largest features in training, shape ``(2, 10)``.
        wrap: How azimuths were measured; unknown by default.
    """
    reasons: list[list[str]] = [[] for _ in sets.x]
    for index, text in _list_reasons(sets, drawing, limits):
        reasons[index].append(text)
    if wrap is not None and wrap != drawing.detectors.wrap:
        ways = {True: "wrap", False: "are cut off at pi"}
        text = f"azimuths {ways[wrap]}, but in training they {ways[drawing.detectors.wrap]}"
        for one in reasons:
            one.append(text)
    return reasons


def _list_reasons(sets: EventSets, drawing: Drawing, limits: Tensor) -> Iterator[tuple[int, str]]:
    """Find sets outside of the training, and what is outside."""
    low, high = drawing.n_events
    sizes = sets.n_events.tolist()
    for index in ((sets.n_events < low) | (sets.n_events > high)).nonzero()[:, 0].tolist():
        yield index, f"{sizes[index]} events, but training had {low} to {high}"
    detectors = drawing.detectors
    ranges = (detectors.hit_m, detectors.energy, detectors.angle_rad, detectors.angle_rad)
    edges = torch.tensor(ranges, dtype=torch.float64)
    edges *= 1 + TOLERANCE * torch.tensor([-1.0, 1.0])
    sigmas = sets.sigmas.double().cpu()
    for index, column in ((sigmas < edges[:, 0]) | (sigmas > edges[:, 1])).nonzero().tolist():
        begin, end = ranges[column]
        value = f"resolution {SIGMAS[column]} is {sigmas[index, column]:.4g}"
        yield index, f"{value}, but training had {begin:g} to {end:g}"
    unequal = (sigmas[:, 2] / sigmas[:, 3]).log().abs() > TOLERANCE
    for index in unequal.nonzero()[:, 0].tolist():
        yield index, "resolutions of theta and phi differ, but in training they were equal"
    limits = limits.double().cpu()
    x = sets.x.double().cpu()
    reach = MARGIN * (limits[1] - limits[0])
    off = ((x < limits[0] - reach) | (x > limits[1] + reach)) & sets.mask.cpu()[..., None]
    for index, event, column in off.nonzero().tolist():
        value = f"event {event}: {FEATURES[column]} is {x[index, event, column]:.4g}"
        begin, end = limits[:, column].tolist()
        yield index, f"{value}, but training had {begin:.4g} to {end:.4g}"


def summarise_sets(sets: EventSets) -> Tensor:
    """Return summaries of sets of equal size, :data:`PREDICTED`, shape ``(n_sets, 6 or 8)``.

    Raises:
        ValueError: If sizes differ.
    """
    sizes = sets.n_events.unique().tolist()
    if len(sizes) != 1:
        msg = f"sets have {sizes} events, but need the same number: summarise them apart"
        raise ValueError(msg)
    x = sets.x[sets.mask].double().view(len(sets.x), sizes[0], -1)
    ln_e1, ln_e2, x1, y1, x2, y2, ln_theta1, ln_theta2, _, _ = x.unbind(-1)
    mass = log10_diphoton_mass(x.flatten(0, 1)).view(x.shape[:2])
    share = torch.sigmoid(ln_e1 - ln_e2)
    ln_energy = torch.logaddexp(ln_e1, ln_e2)
    distance = torch.hypot(x1 - x2, y1 - y2).clamp_min(LEAST)
    radius = torch.hypot(share * x1 + (1 - share) * x2, share * y1 + (1 - share) * y2)
    each = [ln_energy, share, mass, distance.log(), radius, (ln_theta1 + ln_theta2) / 2]
    columns = [part.mean(1) for part in each]
    if sizes[0] > 1:
        columns += [part.std(1) for part in (ln_energy, mass)]
    return torch.stack(columns, dim=1)


def check_prediction(
    observed: EventSets,
    draws: Tensor,
    drawing: Drawing,
    *,
    seed: int,
    mesons: np.ndarray | None = None,
) -> Predictive:
    """Simulate sets at draws from a posterior and compare the observed set with them.

    Args:
        observed: A single set.
        draws: Parameters from its posterior, one for each simulated set, shape ``(n, 2)``.
        drawing: Set-up and detectors.
        seed: Seed of the simulation.
        mesons: As in :func:`bumpflow.simulate.alps.sampling.sample_sets`.

    Raises:
        ValueError: If more than one set is given, or too few draws.
    """
    n_events = int(observed.n_events[0])
    if len(observed.x) != 1 or len(draws) <= len(PREDICTED):
        msg = (
            f"{len(observed.x)} sets and {len(draws)} draws are given: give one set, and more than"
            f" {len(PREDICTED)} draws"
        )
        raise ValueError(msg)
    theta = draws.double().cpu().numpy()
    table = sample_sets(theta, n_events, drawing.setup, seed=seed, mesons=mesons)
    true = as_true_sets(table)
    generator = torch.Generator().manual_seed(derive_seed(seed, "predicted"))
    sigmas = observed.sigmas.cpu().expand(len(theta), -1)
    x = measure(
        true.photons, sigmas, drawing.setup, wrap=drawing.detectors.wrap, generator=generator
    )
    mask = torch.ones(x.shape[:2], dtype=torch.bool)
    return _compare(summarise_sets(observed)[0].cpu(), summarise_sets(EventSets(x, mask, sigmas)))


def _compare(observed: Tensor, simulated: Tensor) -> Predictive:
    """Return where observed summaries are among simulated ones."""
    mean, std = simulated.mean(0), simulated.std(0)
    scaled, at = (simulated - mean) / std, (observed - mean) / std
    inverse = torch.linalg.pinv(scaled.T.cov(), hermitian=True)
    distance = ((scaled @ inverse) * scaled).sum(1)
    farther = int((distance >= at @ inverse @ at).sum())
    below = (simulated < observed).double().mean(0)
    p = 2 * torch.minimum(below, 1 - below)
    numbers = (observed, mean, std, at, p)
    names = ("observed", "mean", "std", "pull", "p")
    columns = {name: part.numpy() for name, part in zip(names, numbers, strict=True)}
    table = pd.DataFrame({"summary": PREDICTED[: len(mean)]} | columns)
    return Predictive((farther + 1) / (len(simulated) + 1), table)
