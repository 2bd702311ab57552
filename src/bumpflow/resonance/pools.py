"""Events drawn from a measurement's own densities, in the signal region."""

from collections.abc import Sequence
from typing import Literal

import torch
from numpy.typing import ArrayLike, NDArray
from torch import Generator, Tensor

from bumpflow.flows.density import EventDensity
from bumpflow.resonance.likelihood import BACKGROUND, SIGNAL
from bumpflow.resonance.scan import peak_density
from bumpflow.resonance.scoring import score
from bumpflow.resonance.shapes import draw_masses
from bumpflow.resonance.store import Measurement
from bumpflow.resonance.toys import Density
from bumpflow.resonance.variations import Norms

Kind = Literal["signal", "background"]
N_NORMS = 20_000
"""Events of each component that the means of piecewise weights are averaged over."""


def draw_features(densities: Sequence[EventDensity], mass: Tensor, generator: Generator) -> Tensor:
    """Return features drawn from the mean of densities, one event per mass, ``(n, features)``.

    Args:
        densities: Densities, on the generator's device.
        mass: Resonance variable [GeV], shape ``(n,)``.
        generator: Source of random numbers.
    """
    chosen = torch.randint(
        len(densities), (len(mass),), generator=generator, device=generator.device
    )
    x = torch.empty(len(mass), len(densities[0].settings.features), device=generator.device)
    for index, density in enumerate(densities):
        rows = (chosen == index).nonzero()[:, 0]
        x[rows] = density.sample(len(rows), mass[rows, None].double(), generator=generator)
    return x.double()


def mass_density(measurement: Measurement, kind: Kind, theta: ArrayLike) -> Density:
    """Return a component's density in mass as a function of masses [GeV].

    Args:
        measurement: Densities and shapes.
        kind: Which component.
        theta: Parameters of the background's shape, ``(order,)``.
    """
    masses = measurement.masses
    if kind == "signal":
        return peak_density(masses.peak, masses.window)

    def background(mass: NDArray) -> NDArray:
        return masses.background.at(mass, theta)

    return background


def draw_component(
    measurement: Measurement, kind: Kind, n: int, *, theta: ArrayLike, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Return features and masses [GeV] of a component's events in the signal region.

    Args:
        measurement: Densities and shapes.
        kind: Which component.
        n: Number of events.
        theta: Parameters of the background's shape, ``(order,)``.
        generator: Source of random numbers, on the densities' device.
    """
    shape = mass_density(measurement, kind, theta)
    mass = draw_masses(shape, measurement.masses.signal_region, n, generator)
    densities = measurement.densities
    members = [densities.signal.density] if kind == "signal" else densities.backgrounds
    return draw_features(members, mass, generator), mass


def norms_of(measurement: Measurement, n: int, generator: Generator) -> Norms:
    """Return the means of piecewise weights over a measurement's densities.

    Args:
        measurement: Densities and shapes.
        n: Events of each component.
        generator: Source of random numbers.
    """
    parts: dict[int, tuple[Tensor, Tensor]] = {}
    kinds: dict[int, Kind] = {SIGNAL: "signal", BACKGROUND: "background"}
    for place, kind in kinds.items():
        x, mass = draw_component(
            measurement, kind, n, theta=measurement.theta, generator=generator
        )
        events = score(x, mass, measurement.densities)
        parts[place] = events.up[:, place], events.down[:, place]
    up, down = (
        torch.stack([parts[place][side] for place in (SIGNAL, BACKGROUND)], dim=1)
        for side in (0, 1)
    )
    return Norms.from_events(up, down)
