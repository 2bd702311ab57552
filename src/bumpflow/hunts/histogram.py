"""Histograms of counts, and what makes one fit for a hunt."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_BINS = 20
"""Fewest bins of a hunt: with fewer, a bump has no sidebands that tell the background."""

Place = Callable[[int], str]
"""Gives words for a bin's place in its file, such as ``line 12``, by its index from 0."""


class InvalidHistogram(ValueError):
    """A histogram that cannot be read, or that no hunt can be run on."""


@dataclass(frozen=True)
class Histogram:
    """Counts of events in adjacent bins.

    Attributes:
        name: What messages, tables and figures call it.
        values: Counts per bin, need not be whole numbers, shape ``(n_bins,)``.
        edges: Edges of the bins [``unit``], ascending, shape ``(n_bins + 1,)``.
        variable: What the axis shows, such as ``m_jj``.
        unit: Unit of the axis, such as ``GeV``; empty where it has none.
    """

    name: str
    values: NDArray[np.float64]
    edges: NDArray[np.float64]
    variable: str = ""
    unit: str = ""

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.values)

    @property
    def centers(self) -> NDArray[np.float64]:
        """Middles of the bins [``unit``], shape ``(n_bins,)``."""
        return 0.5 * (self.edges[:-1] + self.edges[1:])

    @property
    def widths(self) -> NDArray[np.float64]:
        """Widths of the bins [``unit``], shape ``(n_bins,)``."""
        return np.diff(self.edges)


def check_histogram(
    histogram: Histogram, *, min_bins: int = MIN_BINS, place: Place | None = None
) -> None:
    """Refuse a histogram that no hunt can be run on.

    Counts may be fractions, as those of weighted or simulated events are.

    Args:
        histogram: Counts and edges.
        min_bins: Fewest bins it may have.
        place: Words for a bin's place in its file, where it is known.

    Raises:
        InvalidHistogram: If shapes do not fit, there are too few bins, an edge is not finite or
            not above the one before it, a count is negative or not finite, or all are zero.
    """
    values, edges = np.asarray(histogram.values), np.asarray(histogram.edges)
    if values.ndim != 1 or edges.shape != (len(values) + 1,):
        msg = (
            f"histogram {histogram.name} has counts of shape {values.shape} and edges of shape"
            f" {edges.shape}: give one row of counts and one edge more than there are bins"
        )
        raise InvalidHistogram(msg)
    _check_edges(histogram, place)
    _check_counts(histogram, place)
    if len(values) < min_bins:
        msg = (
            f"histogram {histogram.name} has {len(values)} bins from {_range(histogram)}, but a"
            f" hunt needs at least {min_bins}: use finer bins or a wider range"
        )
        raise InvalidHistogram(msg)
    if not np.any(values > 0):
        msg = (
            f"histogram {histogram.name}: all {len(values)} counts from {_range(histogram)} are"
            " zero: check its file, column and range"
        )
        raise InvalidHistogram(msg)


def _check_edges(histogram: Histogram, place: Place | None) -> None:
    """Refuse edges that are not finite or do not ascend."""
    low, high = histogram.edges[:-1], histogram.edges[1:]
    title = f"histogram {histogram.name}"
    finite = np.isfinite(low) & np.isfinite(high)
    fault = "has an edge that is not finite: give numbers for all edges"
    _refuse(~finite, fault, title, low=low, high=high, unit=histogram.unit, place=place)
    fault = "ends where it begins or before: sort the bins by their edges, each edge once"
    _refuse(high <= low, fault, title, low=low, high=high, unit=histogram.unit, place=place)


def _check_counts(histogram: Histogram, place: Place | None) -> None:
    """Refuse counts that are not finite or negative."""
    values, low, high = histogram.values, histogram.edges[:-1], histogram.edges[1:]
    title = f"histogram {histogram.name}"
    for wrong, fault in (
        (~np.isfinite(values), "which is not finite: correct the bin, or cut it away by `range`"),
        (values < 0, "which is negative: give counts before any subtraction of background"),
    ):
        if wrong.any():
            fault = f"has the count {values[np.argmax(wrong)]:g}, {fault}"
            _refuse(wrong, fault, title, low=low, high=high, unit=histogram.unit, place=place)


def join_bins(
    low: NDArray,
    high: NDArray,
    *,
    name: str,
    unit: str = "",
    place: Place | None = None,
    tolerance: float = 1e-3,
) -> NDArray[np.float64]:
    """Return the edges of adjacent bins that are given by their two ends.

    Args:
        low: Lower ends [``unit``], shape ``(n_bins,)``.
        high: Upper ends [``unit``], shape ``(n_bins,)``.
        name: Name of the histogram or its file, for messages.
        unit: Unit of the axis, for messages.
        place: Words for a bin's place in its file, where it is known.
        tolerance: Largest distance between a bin and the next that counts as rounding, in widths
            of the narrower one.

    Returns:
        Edges [``unit``], shape ``(n_bins + 1,)``: the lower ends and the last upper end.

    Raises:
        InvalidHistogram: If there are no bins, an end is not finite, a bin has no width, or bins
            are out of order, overlap or leave a gap.
    """
    low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    if low.ndim != 1 or low.shape != high.shape or not len(low):
        msg = (
            f"{name} has lower ends of shape {low.shape} and upper ends of shape"
            f" {high.shape}: give both for each bin"
        )
        raise InvalidHistogram(msg)
    with np.errstate(invalid="ignore"):
        step, order = low[1:] - high[:-1], np.diff(low)
        slack = tolerance * np.minimum((high - low)[1:], (high - low)[:-1])
    for wrong, fault in (
        (~(np.isfinite(low) & np.isfinite(high)), "has an edge that is not finite: correct it"),
        (high <= low, "ends where it begins or before: each bin must be as wide as it says"),
        (np.append(False, order <= 0), "begins no higher than the bin before it: sort the bins"),
        (np.append(False, step < -slack), "overlaps the bin before it: correct its edges"),
        (np.append(False, step > slack), "leaves a gap after the bin before it: add the bins"),
    ):
        _refuse(wrong, fault, name, low=low, high=high, unit=unit, place=place)
    return np.append(low, high[-1])


def _refuse(
    wrong: NDArray[np.bool_],
    fault: str,
    title: str,
    *,
    low: NDArray,
    high: NDArray,
    unit: str,
    place: Place | None,
) -> None:
    """Stop at the first bin that is wrong, and name its number, edges and place."""
    if wrong.any():
        i = int(np.argmax(wrong))
        ends = f"{low[i]:g} to {high[i]:g} {unit}".rstrip()
        where = f", {place(i)}" if place else ""
        msg = f"{title}{where}, bin {i + 1} from {ends} {fault}"
        raise InvalidHistogram(msg)


def _range(histogram: Histogram) -> str:
    """Return words for the range of a histogram."""
    return f"{histogram.edges[0]:g} to {histogram.edges[-1]:g} {histogram.unit}".rstrip()
