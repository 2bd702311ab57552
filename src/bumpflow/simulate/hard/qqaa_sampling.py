"""Importance sampling of the phase space of two partons and two photons.

References:
    Lepage (2021), https://arxiv.org/abs/2009.05112
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.simulate.extras import optional
from bumpflow.simulate.hard.pdf import PartonDensities
from bumpflow.simulate.hard.qqaa_channels import Channel, DiphotonSettings
from bumpflow.simulate.hard.qqaa_phase_space import N_DIMENSIONS, map_phase_space
from bumpflow.simulate.kinematics import collinear

PB_PER_GEV2 = 0.3893793721e9
"""Cross-section [pb] of 1 GeV^-2."""
ALPHA_QED = 1 / 132.5
"""Electromagnetic coupling, between those of real photons and at the Z mass."""
N_INTERVALS = 60
DAMPING = 0.5
CHECKS = 20
"""Cross-section and largest weight come from this many times the points of one iteration."""
CLIPPED_SHARE = 0.005
"""Share of the cross-section above the weight that counts as the largest one, so that single
points do not decide about it. Events above it keep weights above 1."""
KEYS = ["channel", "quantity", "axis", "index"]


@dataclass(frozen=True)
class AdaptedChannel:
    """Importance sampling of a channel.

    Attributes:
        name: Name of the channel.
        edges: Ends of intervals of equal probability in each dimension, shape ``(9, n + 1)``.
        crosssection_pb: Cross-section [pb].
        crosssection_error_pb: Its statistical uncertainty [pb].
        maximum_pb: Weight [pb] that counts as the largest one.
        clipped_share: Share of the cross-section above it.
    """

    name: str
    edges: NDArray[np.float64]
    crosssection_pb: float
    crosssection_error_pb: float
    maximum_pb: float
    clipped_share: float

    @property
    def efficiency(self) -> float:
        """Share of points that are kept."""
        return self.crosssection_pb * (1 - self.clipped_share) / self.maximum_pb


class WeightedPoints(NamedTuple):
    """Points of phase space within the cuts.

    Attributes:
        where: Which of the given numbers they belong to, shape ``(n,)``.
        momenta: Momenta [GeV] of both incoming partons, both outgoing ones and both photons in the
            laboratory, shape ``(n, 6, 4)``.
        scale: Half the mass of all outgoing particles [GeV], shape ``(n,)``.
        weights: Weights [pb], whose mean over all numbers is the cross-section, by process, shape
            ``(n_processes, n)``.
    """

    where: NDArray[np.int64]
    momenta: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]


def adapt_channel(
    name: str,
    channel: Channel,
    settings: DiphotonSettings,
    *,
    n_iterations: int,
    n_evaluations: int,
    rng: np.random.Generator,
) -> AdaptedChannel:
    """Adapt the importance sampling of a channel, and measure its cross-section.

    Args:
        name: Name of the channel.
        channel: Its amplitudes.
        settings: Beams and cuts.
        n_iterations: Iterations of the adaptation.
        n_evaluations: Points in each; 20 times as many measure the cross-section.
        rng: Source of random numbers.

    Raises:
        MissingExtra: If vegas is not installed.
        ValueError: If no point passes the cuts.
    """
    with optional():
        import vegas
    sampling = vegas.AdaptiveMap([[0, 1]] * N_DIMENSIONS, ninc=N_INTERVALS)
    densities, shape = PartonDensities(settings.pdf), (n_evaluations, N_DIMENSIONS)

    def weigh(edges: NDArray) -> tuple[NDArray, NDArray]:
        numbers, weights = rng.random(shape), np.zeros(n_evaluations)
        points = weigh_points(numbers, edges, channel, settings, densities=densities)
        weights[points.where] = points.weights.sum(axis=0)
        return numbers, weights

    for _ in range(n_iterations):
        numbers, weights = weigh(np.array(sampling.grid))
        if not weights.any():
            msg = (
                f"none of {n_evaluations} points of channel {name!r} passes {settings.cuts}:"
                " loosen them, or raise n_evaluations"
            )
            raise ValueError(msg)
        sampling.add_training_data(numbers, np.square(weights))
        sampling.adapt(alpha=DAMPING)
    edges = np.array(sampling.grid)
    weights = np.concatenate([weigh(edges)[1] for _ in range(CHECKS)])
    maximum = _find_maximum(weights)
    return AdaptedChannel(
        name=name,
        edges=edges,
        crosssection_pb=float(weights.mean()),
        crosssection_error_pb=float(weights.std() / np.sqrt(len(weights))),
        maximum_pb=maximum,
        clipped_share=float(np.maximum(weights - maximum, 0).sum() / weights.sum()),
    )


def _find_maximum(weights: NDArray) -> float:
    """Return the weight above which lies ``CLIPPED_SHARE`` of the sum of all weights."""
    descending = np.sort(weights)[::-1]
    above = np.cumsum(descending) - descending * np.arange(1, len(weights) + 1)
    place = np.searchsorted(above, CLIPPED_SHARE * weights.sum())
    return float(descending[min(place, len(weights) - 1)])


def weigh_points(
    numbers: NDArray,
    edges: NDArray,
    channel: Channel,
    settings: DiphotonSettings,
    *,
    densities: PartonDensities,
) -> WeightedPoints:
    """Return points of phase space with their weights.

    Args:
        numbers: Uniform random numbers between 0 and 1, shape ``(n, 9)``.
        edges: Ends of intervals of equal probability, shape ``(9, n_intervals + 1)``.
        channel: Amplitudes.
        settings: Beams and cuts.
        densities: Parton densities.
    """
    stretched, jacobian = _stretch(numbers, edges)
    energy = settings.energy_gev
    points = map_phase_space(
        stretched, settings.cuts, energy_gev=energy, symmetric=channel.symmetric
    )
    x_1, x_2 = points.fractions.T
    square = x_1 * x_2 * energy**2
    scale = np.sqrt(square) / 2
    beams = [
        collinear(fraction * energy / 2, direction=sign)[:, None]
        for fraction, sign in ((x_1, 1), (x_2, -1))
    ]
    momenta = np.concatenate([*beams, points.momenta], axis=1)
    couplings = (4 * np.pi) ** 4 * np.square(densities.alpha_s(scale) * ALPHA_QED)
    factor = PB_PER_GEV2 * couplings * jacobian[points.where] * points.measure / (2 * square)
    if not channel.symmetric:
        factor = 2 * factor  # either beam may be either parton's
    weights = (
        factor
        * channel.squared(momenta)
        * _luminosities(channel, points.fractions, scale, densities)
    )
    return WeightedPoints(points.where, momenta, scale, weights)


def _luminosities(
    channel: Channel, fractions: NDArray, scale: NDArray, densities: PartonDensities
) -> NDArray[np.float64]:
    """Return products of parton densities of the channel's processes, ``(n_processes, n)``."""
    x_1, x_2 = fractions.T
    return np.stack(
        [
            densities.xf(first, x_1, scale) * densities.xf(second, x_2, scale) / (x_1 * x_2)
            for first, second in channel.codes[:, :2].tolist()
        ]
    )


def _stretch(numbers: NDArray, edges: NDArray) -> tuple[NDArray, NDArray]:
    """Map uniform numbers to intervals of equal probability; return them and the Jacobian."""
    n_intervals = edges.shape[1] - 1
    position = numbers * n_intervals
    interval = np.minimum(position.astype(np.int64), n_intervals - 1)
    axes = np.arange(N_DIMENSIONS)
    low, width = edges[axes, interval], np.diff(edges)[axes, interval]
    return low + (position - interval) * width, np.prod(width * n_intervals, axis=1)


def to_table(channels: Sequence[AdaptedChannel]) -> pd.DataFrame:
    """Return adapted channels as a table, one number per row.

    Columns are ``channel``, ``quantity`` (a field of ``AdaptedChannel``), ``axis`` and ``index``
    (of entries of ``edges``, else 0) and ``value``.
    """
    parts = []
    for channel in channels:
        for quantity, value in vars(channel).items():
            if quantity != "name":
                values = np.atleast_2d(value)
                axis, index = np.indices(values.shape)
                columns = {"axis": axis.ravel(), "index": index.ravel(), "value": values.ravel()}
                parts.append(
                    pd.DataFrame({"channel": channel.name, "quantity": quantity} | columns)
                )
    return pd.concat(parts, ignore_index=True)


def from_table(table: pd.DataFrame) -> list[AdaptedChannel]:
    """Return adapted channels from a table of :func:`to_table`.

    Raises:
        ValueError: If a column is missing.
    """
    if missing := [name for name in (*KEYS, "value") if name not in table]:
        msg = f"the table of phase space lacks {missing}: write it with to_table"
        raise ValueError(msg)
    channels = []
    for name, rows in table.groupby("channel", sort=False):
        quantities = {
            str(quantity): part.pivot(index="axis", columns="index", values="value").to_numpy()
            for quantity, part in rows.groupby("quantity")
        }
        edges = quantities.pop("edges")
        scalars = {quantity: float(values[0, 0]) for quantity, values in quantities.items()}
        channels.append(AdaptedChannel(name=str(name), edges=edges, **scalars))
    return channels
