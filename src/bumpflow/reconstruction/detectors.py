"""What detectors of different resolution reach, by network and by other methods."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Generator, Tensor

from bumpflow.reconstruction.amortised import SetPosterior
from bumpflow.reconstruction.comparison import (
    Estimates,
    compare,
    estimate_from_diphotons,
    estimate_from_draws,
    estimate_from_network,
    estimate_from_product,
    map_sensitivity,
)
from bumpflow.reconstruction.diagnostics import flatten, mean_of
from bumpflow.reconstruction.published import PublishedNet
from bumpflow.reconstruction.sets import EventSets, TrueSets, draw_sets, sigmas_of
from bumpflow.simulate.alps.settings import BeamDump, Resolution
from bumpflow.workflow import derive_seed

DIPHOTON, PRODUCT, PUBLISHED = "diphoton", "product", "published"
AMORTISED, SINGLE = "amortised", "single"
"""Methods: masses of photon pairs, products of single events' posteriors, the published network,
ours for all detectors, and ours for a single one."""
DRAW_CHUNK = 256
"""Sets whose posteriors are drawn from in one go."""


class Networks(NamedTuple):
    """Trained networks to compare.

    Attributes:
        amortised: That for all detectors.
        singles: Those for a single one, by detector.
        published: The published one, by the detector it is trained for.
    """

    amortised: SetPosterior
    singles: Mapping[str, SetPosterior]
    published: Mapping[str, PublishedNet]


def measure_sets(
    true: TrueSets, resolution: Resolution, setup: BeamDump, *, n_events: int, seed: int
) -> EventSets:
    """Return sets of some events each, measured by one detector.

    Args:
        true: Decays.
        resolution: The detector's.
        setup: The set-up.
        n_events: Size of the sets.
        seed: Seed; it decides about events and errors, the same ones for all detectors.
    """
    n = len(true.theta)
    return draw_sets(
        true,
        torch.full((n,), n_events),
        sigmas_of(resolution, n),
        setup,
        wrap=resolution.wrap,
        generator=torch.Generator().manual_seed(seed),
    )


def compare_detectors(
    networks: Networks,
    true: TrueSets,
    detectors: Mapping[str, Resolution],
    *,
    n_events: int,
    seed: int,
    n_product: int = 0,
    n_lifetimes: int = 2,
    n_draws: int = 2,
) -> pd.DataFrame:
    """Return how good estimates of the mass are, by detector and method.

    Args:
        networks: Trained networks.
        true: Decays at one parameter point.
        detectors: Resolutions by name.
        n_events: Events of a set.
        seed: Seed.
        n_product: Sets that products of single events' posteriors are tried on; 0 leaves them out.
        n_lifetimes: Points of their grid in lifetime.
        n_draws: Draws from each posterior of the published network, if there is one.

    Returns:
        One row per detector and method: ``energy``, ``angle_rad``, ``hit_m``, ``n_events``,
        ``method`` and the numbers of :func:`bumpflow.reconstruction.comparison.compare`.
    """
    rows = []
    for name, resolution in detectors.items():
        setup = networks.amortised.drawing.setup
        sets = measure_sets(true, resolution, setup, n_events=n_events, seed=seed)
        detector: dict[str, Any] = {
            "energy": resolution.energy,
            "angle_rad": resolution.theta,
            "hit_m": resolution.hit_m,
            "n_events": n_events,
        }
        sizes = {"n_product": n_product, "n_lifetimes": n_lifetimes, "n_draws": n_draws}
        for method, found in _estimate(networks, name, sets, true.theta[:, 0], seed=seed, **sizes):
            truth = true.theta[: len(found.mean), 0].double().numpy()
            rows.append(detector | {"method": method} | compare(found, truth))
    return pd.DataFrame(rows)


def _estimate(
    networks: Networks,
    name: str,
    sets: EventSets,
    log_mass: Tensor,
    *,
    n_product: int,
    n_lifetimes: int,
    n_draws: int,
    seed: int,
) -> Iterator[tuple[str, Estimates]]:
    """Yield estimates of each method that there is for a detector."""
    yield DIPHOTON, estimate_from_diphotons(sets, log_mass)
    if n_product:
        first = slice(0, n_product)
        yield (
            PRODUCT,
            estimate_from_product(
                networks.amortised, sets.rows(first), log_mass[first], n_lifetimes=n_lifetimes
            ),
        )
    if name in networks.published:
        network = networks.published[name]
        draws = draw_published(network, sets, n_draws, seed=derive_seed(seed, name))
        yield PUBLISHED, estimate_from_draws(draws, log_mass)
    yield AMORTISED, estimate_from_network(networks.amortised, sets, log_mass)
    if name in networks.singles:
        yield SINGLE, estimate_from_network(networks.singles[name], sets, log_mass)


def draw_published(network: PublishedNet, sets: EventSets, n_draws: int, *, seed: int) -> Tensor:
    """Return draws from the published network's posteriors, shape ``(n_sets, n_draws, 2)``."""
    device = network.scaled.mean.device
    generator = torch.Generator(device).manual_seed(seed)
    with torch.no_grad():
        summaries = network(network.concatenate(sets).to(device))
    parts = summaries.split(DRAW_CHUNK)
    return torch.cat([network.sample(part, n_draws, generator=generator) for part in parts])


def compare_sharpness(
    networks: Networks,
    true: TrueSets,
    detectors: Mapping[str, Resolution],
    *,
    n_events: int,
    n_draws: int,
    seed: int,
) -> pd.DataFrame:
    """Return how sharp posteriors of the prior's sets are where several networks can be compared.

    Args:
        networks: Trained networks.
        true: Decays at parameters from the prior.
        detectors: Resolutions by name.
        n_events: Events of a set.
        n_draws: Draws from each posterior of the published network.
        seed: Seed.

    Returns:
        One row per method and detector with more than our network: ``detector``, ``energy``,
        ``angle_rad``, ``method``; mean ``sigma`` of log10 m; ``loss``, minus the mean log density
        of the truth in standardised parameters, as published; ``ratio``, the geometric mean of the
        amortised network's standard deviations over the method's; each with ``_error``; ``n``.
    """
    rows = []
    for name, resolution in detectors.items():
        if name not in {*networks.singles, *networks.published}:
            continue
        setup = networks.amortised.drawing.setup
        sets = measure_sets(true, resolution, setup, n_events=n_events, seed=seed)
        results = dict(_judge(networks, name, sets, true.theta, n_draws=n_draws, seed=seed))
        reference = results[AMORTISED][0]
        for method, (sigma, loss) in results.items():
            ratio = mean_of((reference / sigma).log().numpy())
            factor = math.exp(ratio.value)
            numbers = {"sigma": mean_of(sigma.numpy()), "loss": mean_of(loss.numpy())}
            row: dict[str, Any] = {
                "detector": name,
                "energy": resolution.energy,
                "angle_rad": resolution.theta,
                "method": method,
            }
            row |= flatten(numbers)
            ratios = {"ratio": factor, "ratio_error": factor * ratio.uncertainty}
            rows.append(row | ratios | {"n": len(sigma)})
    return pd.DataFrame(rows)


def _judge(
    networks: Networks, name: str, sets: EventSets, theta: Tensor, *, n_draws: int, seed: int
) -> Iterator[tuple[str, tuple[Tensor, Tensor]]]:
    """Yield standard deviations of log10 m and losses in standardised parameters, by method."""
    scale = theta.double().std(0).log().sum()
    ours = {AMORTISED: networks.amortised}
    if name in networks.singles:
        ours[SINGLE] = networks.singles[name]
    for method, posterior in ours.items():
        beliefs = posterior.look(sets)
        loss = -posterior.log_prob(beliefs, theta).double().cpu() - scale
        yield method, (posterior.summarise(beliefs).std.double().cpu(), loss)
    if name in networks.published:
        network = networks.published[name]
        device = network.scaled.mean.device
        with torch.no_grad():
            summaries = network(network.concatenate(sets).to(device))
        loss = -network.log_prob(summaries, theta.to(device)).double().cpu() - scale
        draws = draw_published(network, sets, n_draws, seed=derive_seed(seed, name))
        yield PUBLISHED, (draws[..., 0].double().std(1).cpu(), loss)


def map_detectors(
    posterior: SetPosterior,
    true: TrueSets,
    *,
    energy: Sequence[float],
    angle_rad: Sequence[float],
    hit_m: float,
    n_events: int,
    n_draws: int,
    seed: int,
) -> pd.DataFrame:
    """Return how well mass and lifetime are measured for each detector of a grid.

    Args:
        posterior: Trained posteriors.
        true: Decays at one parameter point.
        energy: Relative resolutions of energies.
        angle_rad: Resolutions of angles [rad].
        hit_m: Resolution of hits [m].
        n_events: Events of a set.
        n_draws: Draws from each posterior that standard deviations of the lifetime come from.
        seed: Seed.

    Returns:
        See :func:`bumpflow.reconstruction.comparison.map_sensitivity`; ``sigma_mass`` for its
        ``sigma``, and mean ``sigma_lifetime``.
    """
    table = map_sensitivity(
        posterior,
        true,
        energy=energy,
        angle_rad=angle_rad,
        hit_m=hit_m,
        n_events=n_events,
        generator=torch.Generator().manual_seed(seed),
    ).rename(columns={"sigma": "sigma_mass"})
    setup, wrap = posterior.drawing.setup, posterior.drawing.detectors.wrap
    generator = torch.Generator(posterior.device).manual_seed(seed)
    widths = []
    for of_energy, of_angle in table[["energy", "angle_rad"]].to_numpy().tolist():
        resolution = Resolution(hit_m, of_energy, of_angle, of_angle, wrap)
        sets = measure_sets(true, resolution, setup, n_events=n_events, seed=seed)
        widths.append(
            float(draw_widths(posterior, sets, n_draws, generator=generator)[:, 1].mean())
        )
    return table.assign(sigma_lifetime=widths)


def draw_widths(
    posterior: SetPosterior, sets: EventSets, n_draws: int, *, generator: Generator
) -> Tensor:
    """Return standard deviations of both parameters, by draws, shape ``(n_sets, 2)``."""
    return posterior.sample(posterior.look(sets), n_draws, generator=generator).std(1)
