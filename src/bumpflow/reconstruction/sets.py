"""Sets of measured decays of one particle, of any size and at any resolution.

Measurements are drawn from true photons when they are needed, by the rules of
:func:`bumpflow.simulate.alps.features.observe`, so that a network never sees the same one twice.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
import torch
from torch import Generator, Tensor

from bumpflow.simulate.alps.sampling import PARAMETERS
from bumpflow.simulate.alps.settings import BeamDump, Resolution
from bumpflow.train import Stream
from bumpflow.workflow import derive_seed

SIGMAS = ("hit_m", "energy", "theta", "phi")
"""Resolutions of a set: of hits [m], energies (relative), polar angles and azimuths [rad]."""


class TrueSets(NamedTuple):
    """Sets of decays before they are measured.

    Attributes:
        photons: Energy [GeV], x, y [m], polar angle and azimuth [rad] of both photons of each
            decay, shape ``(n_sets, n_events, 2, 5)``.
        theta: log10 of mass [GeV] and lifetime, c tau / m [m/GeV], shape ``(n_sets, 2)``.
    """

    photons: Tensor
    theta: Tensor

    def to(self, device: torch.device) -> "TrueSets":
        """Return the sets on a device."""
        return TrueSets(*(part.to(device) for part in self))

    def head(self, n: int) -> "TrueSets":
        """Return the first sets."""
        return TrueSets(*(part[:n] for part in self))


class EventSets(NamedTuple):
    """Sets of measured decays.

    Attributes:
        x: Features of each decay, shape ``(n_sets, n_max, 10)``.
        mask: Which of them there are, shape ``(n_sets, n_max)``.
        sigmas: Resolutions of each set, :data:`SIGMAS`, shape ``(n_sets, 4)``.
    """

    x: Tensor
    mask: Tensor
    sigmas: Tensor

    @property
    def n_events(self) -> Tensor:
        """Sizes of the sets, shape ``(n_sets,)``."""
        return self.mask.sum(1)

    def to(self, device: torch.device) -> "EventSets":
        """Return the sets on a device."""
        return EventSets(*(part.to(device) for part in self))

    def rows(self, chosen: Tensor | slice) -> "EventSets":
        """Return some of the sets."""
        return EventSets(*(part[chosen] for part in self))


@dataclass(frozen=True)
class Detectors:
    """The detectors that a network is trained for; resolutions are flat in their logarithm.

    Attributes:
        energy: Least and largest relative resolution of energies.
        angle_rad: That of polar angles and azimuths, which are measured alike [rad].
        hit_m: That of hits [m].
        wrap: Whether azimuths beyond pi go on at -pi; else they are set to the nearest limit.
    """

    energy: tuple[float, float]
    angle_rad: tuple[float, float]
    hit_m: tuple[float, float]
    wrap: bool = True

    def __post_init__(self) -> None:
        for name in ("energy", "angle_rad", "hit_m"):
            low, high = getattr(self, name)
            if not 0 < low <= high < np.inf:
                msg = (
                    f"detectors.{name} is {[low, high]}, but must be two numbers above 0, the"
                    " lower one first"
                )
                raise ValueError(msg)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Return the detectors that a block of the configuration describes.

        Raises:
            ValueError: If a range is impossible.
        """
        ranges = {
            name: (float(settings[name][0]), float(settings[name][1]))
            for name in ("energy", "angle_rad", "hit_m")
        }
        return cls(**ranges, wrap=bool(settings.get("wrap", True)))

    @classmethod
    def only(cls, resolution: Resolution) -> Self:
        """Return one detector, whose angles are measured alike.

        Raises:
            ValueError: If they are not.
        """
        if resolution.theta != resolution.phi:
            msg = (
                f"resolutions of theta and phi are {resolution.theta:g} and {resolution.phi:g},"
                " but must be equal"
            )
            raise ValueError(msg)
        energy, angle, hit = (
            (value, value) for value in (resolution.energy, resolution.theta, resolution.hit_m)
        )
        return cls(energy, angle, hit, wrap=resolution.wrap)

    def draw(self, n: int, generator: Generator) -> Tensor:
        """Return resolutions of sets, shape ``(n, 4)``, on the generator's device."""
        limits = torch.tensor([self.hit_m, self.energy, self.angle_rad], dtype=torch.float64)
        low, high = limits.log().to(generator.device, torch.float32).T
        share = torch.rand(n, 3, generator=generator, device=generator.device)
        return torch.lerp(low, high, share).exp()[:, [0, 1, 2, 2]]


def sigmas_of(resolution: Resolution, n: int) -> Tensor:
    """Return the same resolutions for some sets, shape ``(n, 4)``."""
    return torch.tensor([[getattr(resolution, name) for name in SIGMAS]]).expand(n, -1)


def as_true_sets(table: pd.DataFrame) -> TrueSets:
    """Return the sets of a table of :func:`bumpflow.simulate.alps.sampling.sample_sets`.

    Raises:
        ValueError: If not all sets have the same number of events, in their order.
    """
    n_events = int(table["event"].max()) + 1
    number, event = np.divmod(np.arange(len(table)), n_events)
    if not (np.array_equal(number, table["set"]) and np.array_equal(event, table["event"])):
        msg = f"sets are not all of {n_events} events, one set after the other: sort the table"
        raise ValueError(msg)
    photons = []
    for i in (1, 2):
        px, py, pz = (table[f"true_p{axis}{i}"].to_numpy() for axis in "xyz")
        across = np.hypot(px, py)
        hits = (table[f"true_x{i}"], table[f"true_y{i}"])
        photons.append([np.hypot(across, pz), *hits, np.arctan2(across, pz), np.arctan2(py, px)])
    stacked = torch.from_numpy(np.moveaxis(np.array(photons), -1, 0).astype(np.float32))
    theta = table[list(PARAMETERS)].to_numpy(np.float32, copy=True)[::n_events]
    return TrueSets(stacked.unflatten(0, (-1, n_events)), torch.from_numpy(theta))


def measure(
    photons: Tensor, sigmas: Tensor, setup: BeamDump, *, wrap: bool, generator: Generator
) -> Tensor:
    """Return measured features of decays, those of ``observe``.

    Args:
        photons: True photons, shape ``(n_sets, n_events, 2, 5)``, see :class:`TrueSets`.
        sigmas: Resolutions, :data:`SIGMAS`, shape ``(n_sets, 4)``.
        setup: The set-up.
        wrap: Whether azimuths beyond pi go on at -pi.
        generator: Random numbers, on the photons' device.

    Returns:
        Shape ``(n_sets, n_events, 10)``.
    """
    hit, energy, theta, phi = sigmas[:, None, None].unbind(-1)
    noise = torch.randn(photons.shape, generator=generator, device=photons.device)
    true_energy, x, y, true_theta, true_phi = photons.unbind(-1)
    off_energy, off_x, off_y, off_theta, off_phi = noise.unbind(-1)
    end = setup.calorimeter
    ln_e = (true_energy * (1 + energy * off_energy)).clamp_min(setup.min_energy_gev).log()
    x, y = (x + hit * off_x).clamp(*end.x_m), (y + hit * off_y).clamp(*end.y_m)
    polar = torch.maximum(true_theta + theta * off_theta, theta).clamp_max(math.pi / 2)
    azimuth = true_phi + phi * off_phi
    if wrap:
        azimuth = torch.remainder(azimuth + math.pi, 2 * math.pi) - math.pi
    else:
        azimuth = azimuth.clamp(-math.pi, math.pi)
    hits = torch.stack([x, y], dim=-1).flatten(-2)
    return torch.cat([ln_e, hits, polar.log(), azimuth], dim=-1)


def draw_sets(
    true: TrueSets,
    n_events: Tensor,
    sigmas: Tensor,
    setup: BeamDump,
    *,
    wrap: bool,
    generator: Generator,
) -> EventSets:
    """Return sets of some of the decays at each parameter point, measured.

    Args:
        true: Decays, at least as many of each set as wanted.
        n_events: Sizes of the sets, shape ``(n_sets,)``.
        sigmas: Resolutions, shape ``(n_sets, 4)``.
        setup: The set-up.
        wrap: Whether azimuths beyond pi go on at -pi.
        generator: Random numbers, on the decays' device.

    Returns:
        The sets, as wide as the largest.
    """
    n_sets, n_true = true.photons.shape[:2]
    largest = int(n_events.max())
    if largest > n_true:
        msg = f"a set of {largest} events is asked for, but sets have {n_true}: simulate more"
        raise ValueError(msg)
    device = true.photons.device
    order = torch.rand(n_sets, n_true, generator=generator, device=device).argsort(1)[:, :largest]
    photons = true.photons.gather(1, order[..., None, None].expand(-1, -1, 2, 5))
    mask = torch.arange(largest, device=device) < n_events[:, None]
    x = measure(photons, sigmas, setup, wrap=wrap, generator=generator)
    return EventSets(x, mask, sigmas)


class Drawing(NamedTuple):
    """What sets are drawn for: how many events, and which detectors.

    Attributes:
        setup: The set-up.
        detectors: Detectors.
        n_events: Least and largest size of a set; those between are as probable as the inverse
            of their square root, as small sets are the hardest and the cheapest.
    """

    setup: BeamDump
    detectors: Detectors
    n_events: tuple[int, int]

    def draw(self, true: TrueSets, generator: Generator) -> EventSets:
        """Return one measured set for each of some true ones."""
        n, (low, high) = len(true.theta), self.n_events
        known = torch.arange(low, high + 1, device=generator.device)
        sizes = known[torch.multinomial(known**-0.5, n, replacement=True, generator=generator)]
        sigmas = self.detectors.draw(n, generator)
        wrap = self.detectors.wrap
        return draw_sets(true, sizes, sigmas, self.setup, wrap=wrap, generator=generator)

    def stream(self, true: TrueSets, *, batch_size: int, seed: int) -> Stream:
        """Return sets that are drawn anew in every epoch, each true one once.

        Args:
            true: Decays, on the device where to draw.
            batch_size: Sets of a batch; what is left over waits for another epoch.
            seed: Seed; together with the number of the epoch it decides about all.

        Returns:
            Batches of ``x``, ``mask``, ``sigmas`` and the parameters, ``(batch, 2)``.
        """
        device = true.theta.device
        size = min(batch_size, len(true.theta))
        steps = len(true.theta) // size

        def batches(epoch: int) -> Iterator[tuple[Tensor, ...]]:
            generator = torch.Generator(device)
            generator.manual_seed(derive_seed(seed, "sets", str(epoch)))
            order = torch.randperm(len(true.theta), generator=generator, device=device)
            for step in range(steps):
                chosen = order[step * size : (step + 1) * size]
                some = TrueSets(*(part[chosen] for part in true))
                yield *self.draw(some, generator), some.theta

        name = f"{self.n_events} {self.detectors} {seed} {float(true.photons.double().sum())}"
        return Stream(batches, steps, name)
