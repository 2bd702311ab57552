"""Pseudo-experiments from pools of events whose densities are known."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from bumpflow.resonance.fitting import fit
from bumpflow.resonance.likelihood import DataSets, Events, ResonanceModel, Sidebands
from bumpflow.resonance.shapes import Window, expected_counts
from bumpflow.stats.toys import Toys

SIDEBAND_BIN_GEV = 0.05
"""Width of the bins that toys have beside the signal region; there only the mass counts."""

Density = Callable[[NDArray], NDArray]


class Pool(NamedTuple):
    """Events of one component in the signal region, from which toys take theirs.

    Attributes:
        events: The events.
        share: Part of the component's events that lie in the signal region.
        sidebands: Part that lies in each of the bins beside it, shape ``(n_bins,)``.
    """

    events: Events
    share: float
    sidebands: Tensor


class Layout(NamedTuple):
    """Bins beside the signal region, shape ``(n_bins,)`` each.

    Attributes:
        low: Lower edges [GeV].
        high: Upper edges [GeV].
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def beside(
        cls, window: Window, signal_region: Window, *, width: float = SIDEBAND_BIN_GEV
    ) -> "Layout":
        """Return bins of (nearly) equal ``width`` [GeV] on both sides of the signal region."""
        sides = ((window.low, signal_region.low), (signal_region.high, window.high))
        edges = [np.linspace(a, b, max(1, round((b - a) / width)) + 1) for a, b in sides]
        low, high = (
            np.concatenate([part[cut] for part in edges]) for cut in (slice(-1), slice(1, None))
        )
        return cls(low, high)

    @property
    def centres(self) -> NDArray[np.float64]:
        """Middles of the bins [GeV]."""
        return (self.low + self.high) / 2

    def shares(self, density: Density) -> NDArray[np.float64]:
        """Return the integral of a mass density over each bin."""
        pairs = np.stack([self.low, self.high])
        return (
            np.diff(pairs, axis=0)[0]
            * (density(self.low) + density(self.high) + 4 * density(self.centres))
            / 6
        )

    def counts(self, mass: NDArray) -> NDArray[np.float64]:
        """Return how many masses [GeV] fall into each bin."""
        place = np.searchsorted(self.low, mass, side="right") - 1
        inside = (place >= 0) & (mass < self.high[place.clip(0)])
        return np.bincount(place[inside], minlength=len(self.low)).astype(float)


def share_of(density: Density, region: Window) -> float:
    """Return the integral of a mass density over a region."""
    return float(expected_counts(density, np.linspace(*region, 2001)).sum())


def draw_toys(
    pools: list[Pool],
    yields: list[float],
    n_toys: int,
    *,
    layout: Layout,
    peak: Density,
    others: tuple[Density, ...] = (),
    generator: Generator,
    replace: bool = True,
) -> DataSets:
    """Draw pseudo-experiments with Poisson numbers of events of each component.

    Args:
        pools: Events of each component.
        yields: Expected events of each component in the whole window.
        n_toys: How many to draw.
        layout: Bins beside the signal region.
        peak: Signal's density in mass [1/GeV].
        others: Those of further components.
        generator: Source of random numbers, on the pools' device.
        replace: Whether an event may be in several toys. If not, toys take successive events of
            each pool, and are independent as long as it lasts.

    Raises:
        ValueError: If a pool is too small for toys without replacement.
    """
    device = generator.device
    counts = torch.stack(
        [
            torch.poisson(
                torch.full((n_toys,), rate * pool.share, dtype=torch.float64, device=device),
                generator=generator,
            ).long()
            for pool, rate in zip(pools, yields, strict=True)
        ]
    )
    ends = counts.cumsum(0)
    place = torch.arange(max(1, int(ends[-1].max())), device=device).expand(n_toys, -1)
    rows, offset = torch.zeros_like(place), 0
    for index, pool in enumerate(pools):
        start = ends[index] - counts[index]
        here = (place >= start[:, None]) & (place < ends[index][:, None])
        if replace:
            chosen = torch.randint(pool.events.n, place.shape, generator=generator, device=device)
        else:
            first = counts[index].cumsum(0) - counts[index]
            if int(counts[index].sum()) > pool.events.n:
                msg = (
                    f"{n_toys} toys need {int(counts[index].sum())} events of component {index}, but"
                    f" its pool holds {pool.events.n}: enlarge it, or draw with replacement"
                )
                raise ValueError(msg)
            chosen = first[:, None] + place - start[:, None]
        rows = torch.where(here, offset + chosen, rows)
        offset += pool.events.n
    everything = Events(
        *(torch.cat(parts) for parts in zip(*(p.events for p in pools), strict=True))
    )
    weight = (place < ends[-1][:, None]).double()
    rates = sum(rate * pool.sidebands for pool, rate in zip(pools, yields, strict=True))
    beside = torch.poisson(torch.as_tensor(rates).expand(n_toys, -1), generator=generator)
    sidebands = sideband_bins(layout, beside, peak=peak, others=others)
    return DataSets.of(everything.take(rows), weight, sidebands)


def sideband_bins(
    layout: Layout, counts: Tensor, *, peak: Density, others: tuple[Density, ...] = ()
) -> Sidebands:
    """Return the sidebands of data sets as counts in narrow bins.

    Args:
        layout: The bins.
        counts: Events in each, shape ``(n_sets, n_bins)``.
        peak: Signal's density in mass [1/GeV].
        others: Those of further components.
    """
    centres = layout.centres
    widths = layout.high - layout.low
    signal, *rest = (
        torch.as_tensor(layout.shares(density) / widths, device=counts.device)
        for density in (peak, *others)
    )
    further = torch.stack(rest, dim=-1) if rest else signal.new_zeros(len(centres), 0)
    mass = torch.as_tensor(centres, device=counts.device)
    return Sidebands(mass, counts, signal, further)


def fit_toys(model: ResonanceModel, toys: DataSets, *, signal: float) -> Toys:
    """Fit pseudo-experiments that were drawn with ``signal`` events.

    Returns:
        Pulls and distances as :func:`bumpflow.stats.toys.summarise_toys` takes them.
    """
    free = fit(model, toys)
    start = torch.where(free.good[:, None], free.values, model.start(toys))
    truth = fit(model, toys, held={"signal": signal}, start=start)
    distance = (truth.deviance - free.deviance).clamp_min(0).cpu().numpy()
    return Toys((free.signal - signal) / free.uncertainty, distance, free.uncertainty)
