"""Histograms of many features at once, with their uncertainties."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Densities(NamedTuple):
    """Histograms normalised to a density.

    Attributes:
        values: Densities [1 / unit of the feature], shape ``(n_features, n_bins)``.
        variances: Their Poisson variances, shape ``(n_features, n_bins)``.
        edges: Edges of the bins, shape ``(n_features, n_bins + 1)``.
    """

    values: NDArray
    variances: NDArray
    edges: NDArray


def count_features(
    x: NDArray, ranges: NDArray, n_bins: int, *, weights: NDArray | None = None
) -> NDArray:
    """Count events per bin of every feature, in one pass and with bins of equal width.

    Args:
        x: Events, shape ``(n_events, n_features)``.
        ranges: Lower and upper edge of each feature, shape ``(n_features, 2)``.
        n_bins: Number of bins.
        weights: Weight of each event, shape ``(n_events,)``; 1 by default.

    Returns:
        Counts or sums of weights, shape ``(n_features, n_bins)``; events outside the range are left out, and the
        last bin holds its upper edge.
    """
    x, low, high = np.asarray(x, dtype=np.float64), ranges[:, 0], ranges[:, 1]
    inside = (x >= low) & (x <= high)
    place = (np.where(inside, x, low) - low) / (high - low) * n_bins
    bins = np.minimum(place.astype(np.int64), n_bins - 1) + n_bins * np.arange(len(ranges))
    each = None if weights is None else np.broadcast_to(weights[:, None], x.shape)[inside]
    counts = np.bincount(bins[inside], weights=each, minlength=n_bins * len(ranges))
    return counts.reshape(len(ranges), n_bins)


def as_densities(
    counts: NDArray, n_events: float, ranges: NDArray, *, squares: NDArray | None = None
) -> Densities:
    """Return counts as densities, normalised to all events, drawn or not.

    Args:
        counts: Events, or sum of their weights, per bin, shape ``(n_features, n_bins)``.
        n_events: The same for all events, those outside the ranges included.
        ranges: Lower and upper edge of each feature, shape ``(n_features, 2)``.
        squares: Sum of squared weights per bin, shape ``(n_features, n_bins)``; the counts
            where events have no weights.

    Raises:
        ValueError: If there is no event.
    """
    if n_events == 0:
        msg = "cannot draw the density of 0 events"
        raise ValueError(msg)
    edges = np.linspace(ranges[:, 0], ranges[:, 1], counts.shape[1] + 1, axis=1)
    scale = 1 / (n_events * np.diff(edges, axis=1))
    return Densities(counts * scale, (counts if squares is None else squares) * scale**2, edges)


def measure_densities(
    x: NDArray, ranges: NDArray, n_bins: int, *, weights: NDArray | None = None
) -> Densities:
    """Return the density of every feature.

    Args:
        x: Events, shape ``(n_events, n_features)``.
        ranges: Lower and upper edge of each feature, shape ``(n_features, 2)``.
        n_bins: Number of bins.
        weights: Weight of each event, shape ``(n_events,)``; 1 by default.
    """
    if weights is None:
        return as_densities(count_features(x, ranges, n_bins), len(x), ranges)
    weights = np.asarray(weights, dtype=np.float64)
    counts, squares = (
        count_features(x, ranges, n_bins, weights=each) for each in (weights, weights**2)
    )
    return as_densities(counts, float(weights.sum()), ranges, squares=squares)


def sum_densities(pieces: Iterable[NDArray], ranges: NDArray, n_bins: int) -> Densities:
    """Return the density of every feature of events that arrive in pieces.

    Args:
        pieces: Events, each of shape ``(n_events, n_features)``; memory holds one at a time.
        ranges: Lower and upper edge of each feature, shape ``(n_features, 2)``.
        n_bins: Number of bins.
    """
    counts, n_events = np.zeros((len(ranges), n_bins), dtype=np.int64), 0
    for x in pieces:
        counts += count_features(x, ranges, n_bins)
        n_events += len(x)
    return as_densities(counts, n_events, ranges)


def divide(values: NDArray, variances: NDArray, by: NDArray) -> tuple[NDArray, NDArray]:
    """Return a ratio and the uncertainty that its numerator causes, NaN where ``by`` is 0.

    Args:
        values: Numerator, shape ``(...)``.
        variances: Variances of the numerator, shape ``(...)``.
        by: Denominator, shape ``(...)``.
    """
    safe = np.where(by > 0, by, np.nan)
    return values / safe, np.sqrt(variances) / safe
