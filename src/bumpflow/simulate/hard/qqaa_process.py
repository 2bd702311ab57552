"""Draw events of two photons and a quark pair: the background of Higgs pairs."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.simulate.hard.partons import INCOMING, OUTGOING, Partons
from bumpflow.simulate.hard.pdf import PartonDensities
from bumpflow.simulate.hard.qqaa_channels import DiphotonSettings, build_channels
from bumpflow.simulate.hard.qqaa_phase_space import N_DIMENSIONS
from bumpflow.simulate.hard.qqaa_sampling import (
    AdaptedChannel,
    WeightedPoints,
    adapt_channel,
    from_table,
    to_table,
    weigh_points,
)

PHOTON = 22
BATCH = 50_000
MARGIN = 1.2
"""How many more points are tried than are needed on average."""
REFLECTION = np.array([1.0, 1.0, -1.0, 1.0])
MIRROR = np.array([1.0, -1.0, 1.0, 1.0])


def adapt_phase_space(
    settings: DiphotonSettings, *, n_iterations: int, n_evaluations: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Return the table that events of two photons and a quark pair are drawn from.

    Args:
        settings: What to make.
        n_iterations: Iterations of the adaptation of each channel.
        n_evaluations: Matrix elements in each; 20 times as many measure the cross-section.
        rng: Source of random numbers.
    """
    channels = build_channels(settings).items()
    adapted = [
        adapt_channel(
            name,
            channel,
            settings,
            n_iterations=n_iterations,
            n_evaluations=n_evaluations,
            rng=rng,
        )
        for name, channel in channels
    ]
    return to_table(adapted)


class DiphotonBackground:
    """Two photons and a pair of b or c quarks at leading order.

    Scales are half the mass of all particles. Quarks are massless.

    Attributes:
        energy_gev: Centre-of-mass energy of two protons [GeV].
        crosssection_pb: Cross-section within the cuts [pb].
        crosssection_error_pb: Its statistical uncertainty [pb].
        channels: Importance sampling of the channels, with their cross-sections.
    """

    def __init__(self, table: pd.DataFrame, settings: DiphotonSettings) -> None:
        """Take the table of :func:`adapt_phase_space`.

        Args:
            table: Importance sampling of all channels.
            settings: The same as it was adapted with.

        Raises:
            ValueError: If the table has other channels.
        """
        self.energy_gev, self._settings = settings.energy_gev, settings
        self._densities = PartonDensities(settings.pdf)
        self._amplitudes = build_channels(settings)
        self.channels = from_table(table)
        names = [channel.name for channel in self.channels]
        if names != list(self._amplitudes):
            known = list(self._amplitudes)
            msg = f"phase space was adapted for channels {names}, not {known}: adapt it again"
            raise ValueError(msg)
        self.crosssection_pb = sum(channel.crosssection_pb for channel in self.channels)
        errors = [channel.crosssection_error_pb for channel in self.channels]
        self.crosssection_error_pb = float(np.sqrt(np.square(errors).sum()))

    def draw(self, n_events: int, rng: np.random.Generator) -> Partons:
        """Return ``n_events`` events; the same ``rng`` state gives the same events.

        Args:
            n_events: Number of events.
            rng: Source of random numbers.
        """
        # Weights above 1 add to a channel's cross-section, so that it needs fewer events.
        shares = np.array([c.crosssection_pb * (1 - c.clipped_share) for c in self.channels])
        counts = rng.multinomial(n_events, shares / shares.sum())
        drawn = [
            self._draw_channel(channel, int(count), rng)
            for channel, count in zip(self.channels, counts, strict=True)
            if count
        ]
        codes, colours, momenta, scale, weights = (
            np.concatenate(part) for part in zip(*drawn, strict=True)
        )
        order = rng.permutation(n_events)
        scale = scale[order]
        return Partons(
            pdg=codes[order],
            status=np.array([INCOMING] * 2 + [OUTGOING] * 4),
            mothers=np.array([[0, 0]] * 2 + [[1, 2]] * 4),
            colours=colours[order],
            momenta=momenta[order],
            masses=np.zeros(6),
            scale=scale,
            alpha_s=self._densities.alpha_s(scale),
            weights=weights[order],
        )

    def _draw_channel(
        self, adapted: AdaptedChannel, n_events: int, rng: np.random.Generator
    ) -> tuple[NDArray, ...]:
        """Return codes, colours, momenta, scales and weights of events of one channel."""
        channel = self._amplitudes[adapted.name]
        found: list[tuple[NDArray, ...]] = []
        missing = n_events
        while missing > 0:
            n_points = int(min(BATCH, MARGIN * missing / adapted.efficiency + 1000))
            points = weigh_points(
                rng.random((n_points, N_DIMENSIONS)),
                adapted.edges,
                channel,
                self._settings,
                densities=self._densities,
            )
            found.append(_unweight(points, adapted.maximum_pb, rng))
            missing -= len(found[-1][0])
        momenta, scale, weights, process = (
            np.concatenate(part)[:n_events] for part in zip(*found, strict=True)
        )
        if channel.symmetric:
            swapped = rng.random(n_events) < 0.5
            momenta[swapped, 2:4] = momenta[swapped, 3:1:-1]
        colours = channel.colours(momenta, rng)
        photons = np.full((n_events, 2), PHOTON)
        codes = np.concatenate([channel.codes[process], photons], axis=1)
        return (*_symmetrise(codes, colours, momenta, rng), scale, weights)


def _unweight(
    points: WeightedPoints, maximum: float, rng: np.random.Generator
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Return momenta, scales, weights and processes of the points that are kept."""
    ratio = points.weights.sum(axis=0) / maximum
    kept = ratio > rng.random(len(ratio))
    cumulative = np.cumsum(points.weights[:, kept], axis=0)
    threshold = rng.random(kept.sum()) * cumulative[-1]
    process = (threshold >= cumulative[:-1]).sum(axis=0)
    return points.momenta[kept], points.scale[kept], np.maximum(ratio[kept], 1), process


def _symmetrise(
    codes: NDArray, colours: NDArray, momenta: NDArray, rng: np.random.Generator
) -> tuple[NDArray, NDArray, NDArray]:
    """Return events turned about the beam axis at random, half of them mirrored, or beams swapped."""
    n = len(codes)
    phi = rng.uniform(-np.pi, np.pi, n)[:, None]
    mirrored, reflected = rng.random((2, n)) < 0.5
    momenta = np.where(mirrored[:, None, None], momenta * MIRROR, momenta)
    momenta = np.where(reflected[:, None, None], momenta * REFLECTION, momenta)
    x, y = momenta[..., 0].copy(), momenta[..., 1].copy()
    momenta[..., 0] = np.cos(phi) * x - np.sin(phi) * y
    momenta[..., 1] = np.sin(phi) * x + np.cos(phi) * y
    order = np.tile(np.arange(codes.shape[1]), (n, 1))
    order[reflected, :2] = 1, 0
    take = np.take_along_axis
    return (
        take(codes, order, axis=1),
        take(colours, order[..., None], axis=1),
        take(momenta, order[..., None], axis=1),
    )
