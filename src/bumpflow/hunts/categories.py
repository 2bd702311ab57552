r"""Mass spectra of combinations of objects, in exclusive categories of events.

Bins are one mass resolution wide, so that a narrow resonance is a Gaussian of one bin's width
whatever its mass. Weighted events fill sums of weights :math:`W` and of their squares :math:`V`
per bin; what such a sum is worth is the effective count :math:`W^2/V`.

References:
    Bohm, Zech (2014), weighted counts, https://arxiv.org/abs/1309.1287
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.hunts.objects import (
    KINDS,
    J,
    Objects,
    category_codes,
    category_counts,
    category_name,
)
from bumpflow.simulate.kinematics import invariant_mass

ALL = "all"
"""Name of the combination of all objects that a category counts."""
N_GRID = 20_000
BIN_BITS, COMBINATION_BITS = 13, 16
N_SUMS = 3

Resolution = Callable[[NDArray], NDArray]
"""Gives relative mass resolutions at masses [GeV]."""


class Combination(NamedTuple):
    """Leading objects whose common mass is a spectrum.

    Attributes:
        name: Such as ``e1_j2``, the leading electron and the second light jet, or ``all``.
        objects: Kind and rank from 0 of each; none for ``all``.
    """

    name: str
    objects: tuple[tuple[int, int], ...]


class Spectra(NamedTuple):
    """Histograms of masses; rows that end early are padded with zeros, and edges with NaN.

    Attributes:
        category: Codes of the categories, shape ``(n,)``.
        combination: Names of the combinations, shape ``(n,)``.
        values: Sums of weights, shape ``(n, n_bins)``.
        variances: Sums of squared weights, shape ``(n, n_bins)``.
        n_events: Numbers of events, shape ``(n,)``.
        edges: Edges of the bins [GeV], shape ``(n, n_bins + 1)``.
    """

    category: NDArray[np.int64]
    combination: NDArray[np.str_]
    values: NDArray[np.float64]
    variances: NDArray[np.float64]
    n_events: NDArray[np.int64]
    edges: NDArray[np.float64]


def combinations(*, sizes: Sequence[int], leading: Mapping[str, int]) -> list[Combination]:
    """Return all combinations of some numbers of leading objects, and that of all objects.

    Args:
        sizes: Numbers of objects to combine, such as 2 and 3; 0 stands for all objects that a
            category counts.
        leading: How many objects of highest transverse momentum take part, by kind.

    Raises:
        ValueError: If a kind is unknown or a size is negative.
    """
    if unknown := [kind for kind in leading if kind not in KINDS]:
        msg = f"`leading` has unknown kinds of objects {unknown}: choose among {list(KINDS)}"
        raise ValueError(msg)
    if min(sizes, default=0) < 0:
        msg = f"`sizes` of combinations are {list(sizes)}: give numbers from 1, or 0 for all"
        raise ValueError(msg)
    slots = [(KINDS.index(kind), rank) for kind in leading for rank in range(leading[kind])]
    named = [
        Combination("_".join(f"{KINDS[kind]}{rank + 1}" for kind, rank in chosen), chosen)
        for size in sizes
        if size
        for chosen in itertools.combinations(slots, size)
    ]
    return [*named, Combination(ALL, ())] if 0 in sizes else named


def mass_resolution(
    kinds: Iterable[int], *, resolutions: Mapping[str, Mapping[str, float]]
) -> Resolution:
    r"""Return how the relative resolution of a combination's mass depends on the mass.

    Angles are taken as exact and the objects as equal sharers of the mass m, so that each of k
    objects has momentum :math:`p = m/k` and
    :math:`\sigma_m/m = \frac1k \sqrt{\sum_i (\sigma_p/p)_i^2}`, exact for two massless objects
    of equal momentum, with :math:`(\sigma_p/p)^2 = c^2 + s^2/p + (l p)^2`.

    Args:
        kinds: Kinds of the objects, as indices in :data:`KINDS`.
        resolutions: By kind the terms c ``constant``, s ``stochastic_sqrt_gev`` [GeV^1/2] and l
            ``slope_per_gev`` [1/GeV].

    Raises:
        ValueError: If a kind has no resolution.
    """
    names = [KINDS[kind] for kind in kinds]
    if missing := sorted({name for name in names if name not in resolutions}):
        msg = f"`resolutions` lack the kinds {missing}: give them for {', '.join(KINDS)}"
        raise ValueError(msg)
    terms = [resolutions[name] for name in names]
    constant = sum(term["constant"] ** 2 for term in terms)
    stochastic = sum(term["stochastic_sqrt_gev"] ** 2 for term in terms)
    slope = sum(term["slope_per_gev"] ** 2 for term in terms)

    def resolution(mass: NDArray) -> NDArray:
        momentum = mass / len(terms)
        return np.sqrt(constant + stochastic / momentum + slope * momentum**2) / len(terms)

    return resolution


def resolution_edges(low: float, high: float, resolution: Resolution) -> NDArray[np.float64]:
    r"""Return edges of bins that are one mass resolution wide.

    The edges are where :math:`\int_{low}^m \mathrm{d}m' / \sigma(m')` is a whole number; the
    last one is the largest of these up to ``high``.

    Args:
        low: First edge [GeV].
        high: Upper limit [GeV].
        resolution: Gives relative mass resolutions at masses.

    Raises:
        ValueError: If the range is empty, or narrower than one bin.
    """
    if not 0 < low < high:
        msg = f"masses range from {low:g} to {high:g} GeV: give 0 < low < high"
        raise ValueError(msg)
    log_mass = np.linspace(np.log(low), np.log(high), N_GRID)
    density = 1 / resolution(np.exp(log_mass))  # bins per unit of ln m
    steps = 0.5 * (density[1:] + density[:-1]) * np.diff(log_mass)
    bins = np.concatenate([[0.0], np.cumsum(steps)])
    if bins[-1] < 1:
        msg = f"{low:g} to {high:g} GeV is less than one resolution: widen the range of masses"
        raise ValueError(msg)
    whole = np.arange(np.floor(bins[-1] + 1e-9) + 1)
    return np.exp(np.interp(whole, bins, log_mass))


class SpectraFiller:
    """Fill the spectra of all categories and combinations, piece by piece.

    Memory is bounded by one piece and by the bins that have events, whatever their number.
    """

    def __init__(
        self,
        chosen: Sequence[Combination],
        *,
        resolutions: Mapping[str, Mapping[str, float]],
        mass_range_gev: tuple[float, float],
    ) -> None:
        """Take combinations, resolutions by kind (:func:`mass_resolution`) and mass range."""
        self._chosen = list(chosen)
        self._cells = np.empty(0, dtype=np.int64)
        self._sums = np.empty((N_SUMS, 0))
        low, high = mass_range_gev

        @cache
        def edges_of(kinds: tuple[int, ...]) -> NDArray[np.float64]:
            return resolution_edges(low, high, mass_resolution(kinds, resolutions=resolutions))

        self._edges_of = edges_of

    def fill(self, objects: Objects, weights: NDArray) -> None:
        """Add events.

        Args:
            objects: Their refined objects.
            weights: Expected numbers of events that each stands for, or 1, shape
                ``(n_events,)``.

        Raises:
            ValueError: If a weight is negative or not finite, or weights do not fit the events.
        """
        _check_weights(weights, objects.n_events)
        codes = category_codes(objects) << (COMBINATION_BITS + BIN_BITS)
        parts = [
            (codes[event] + (place << BIN_BITS) + position, weights[event])
            for place, event, position in self._filled_bins(objects)
        ]
        if not parts:
            return
        cells = np.concatenate([part for part, _ in parts])
        weight = np.concatenate([part for _, part in parts])
        sums = np.stack([weight, weight**2, np.ones(len(weight))])
        self._add(*_gathered(cells, sums))

    def blocks(self, *, min_events: int, size: int = 2000) -> Iterator[Spectra]:
        """Yield the spectra with at least ``min_events`` events, ``size`` of them at a time.

        Without any, one empty block is yielded.
        """
        starts, counts = self._spectra()
        ends = np.append(starts[1:], len(self._cells))
        wanted = np.flatnonzero(counts >= min_events)
        for place in range(0, max(len(wanted), 1), size):
            rows = wanted[place : place + size]
            yield self._dense(starts[rows], ends[rows])

    def count_spectra(self, *, min_events: int = 1) -> int:
        """Return the number of spectra with at least ``min_events`` events."""
        return int(np.sum(self._spectra()[1] >= min_events))

    def _spectra(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return where each spectrum begins among the cells, and its number of events."""
        starts = np.unique(self._cells >> BIN_BITS, return_index=True)[1]
        return starts, np.add.reduceat(self._sums[2], starts) if len(starts) else np.empty(0)

    def _filled_bins(self, objects: Objects) -> Iterator[tuple[int, NDArray, NDArray]]:
        """Yield by combination its place, the events that have it, and their bins."""
        momenta, present = _leading_momenta(objects, self._chosen)
        for place, combination in enumerate(self._chosen):
            if combination.name == ALL:
                yield from self._all_bins(objects, place)
                continue
            event = np.flatnonzero(
                np.logical_and.reduce([present[o] for o in combination.objects])
            )
            if len(event):
                parts = np.stack([momenta[o][event] for o in combination.objects])
                mass = invariant_mass(parts.sum(axis=0))
                edges = self._edges_of(_kinds(combination))
                yield place, *_inside(event, mass, edges)

    def _all_bins(self, objects: Objects, place: int) -> Iterator[tuple[int, NDArray, NDArray]]:
        """Yield events and bins of all objects together, category by category."""
        heavy = objects.kind < J
        event, momentum = objects.event[heavy], objects.momentum[heavy]
        total = [np.bincount(event, p, minlength=objects.n_events) for p in momentum.T]
        mass = invariant_mass(np.stack(total, axis=1))
        codes, inverse = np.unique(category_codes(objects), return_inverse=True)
        groups = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
        for code, rows in zip(codes, groups, strict=True):
            kinds = _kinds_of_category(int(code))
            if len(kinds) > 1 and not self._is_listed(int(code)):
                yield place, *_inside(rows, mass[rows], self._edges_of(kinds))

    def _is_listed(self, code: int) -> bool:
        """Return whether all objects of a category are one of the other combinations."""
        counts = category_counts(code)
        everything = {(kind, rank) for kind, n in enumerate(counts) for rank in range(n)}
        return any(set(combination.objects) == everything for combination in self._chosen)

    def _add(self, cells: NDArray[np.int64], sums: NDArray[np.float64]) -> None:
        """Add sums to those of the pieces before."""
        cells = np.concatenate([self._cells, cells])
        sums = np.concatenate([self._sums, sums], axis=1)
        self._cells, self._sums = _gathered(cells, sums)

    def _dense(self, starts: NDArray, ends: NDArray) -> Spectra:
        """Return some spectra from their first to their last bin with events."""
        lengths = ends - starts
        cells = np.repeat(starts, lengths) + _counting(lengths)
        row = np.repeat(np.arange(len(starts)), lengths)
        position = self._cells & ((1 << BIN_BITS) - 1)
        first, last = position[starts], position[ends - 1]
        dense = np.zeros((N_SUMS, len(starts), int((last - first).max(initial=0)) + 1))
        dense[:, row, position[cells] - first[row]] = self._sums[:, cells]
        code = self._cells[starts] >> (COMBINATION_BITS + BIN_BITS)
        chosen = (self._cells[starts] >> BIN_BITS) & ((1 << COMBINATION_BITS) - 1)
        edges = np.full((len(starts), dense.shape[2] + 1), np.nan)
        for i, (category, place) in enumerate(zip(code, chosen, strict=True)):
            kinds = _kinds(self._chosen[place]) or _kinds_of_category(int(category))
            part = self._edges_of(kinds)[first[i] : last[i] + 2]
            edges[i, : len(part)] = part
        names = np.array([combination.name for combination in self._chosen])[chosen]
        n_events = dense[2].sum(axis=1).astype(np.int64)
        return Spectra(code, names, dense[0], dense[1], n_events, edges)


def as_table(spectra: Spectra) -> pd.DataFrame:
    """Return spectra as a table, one row per bin.

    Returns:
        Columns ``category``, ``combination``, ``bin`` (from 0), ``low_gev``, ``high_gev``,
        ``value`` and ``variance``.
    """
    row, position = np.nonzero(np.isfinite(spectra.edges[:, 1:]))
    names = np.array([category_name(code) for code in spectra.category], dtype=object)
    return pd.DataFrame(
        {
            "category": pd.Series(names[row], dtype="str"),
            "combination": pd.Series(spectra.combination[row].astype(object), dtype="str"),
            "bin": position.astype(np.int32),
            "low_gev": spectra.edges[row, position],
            "high_gev": spectra.edges[row, position + 1],
            "value": spectra.values[row, position],
            "variance": spectra.variances[row, position],
        }
    )


def _leading_momenta(
    objects: Objects, chosen: Sequence[Combination]
) -> tuple[dict[tuple[int, int], NDArray], dict[tuple[int, int], NDArray]]:
    """Return the momenta of leading objects by event, and which events have them."""
    rank = objects.rank
    momenta, present = {}, {}
    for kind, place in sorted({slot for combination in chosen for slot in combination.objects}):
        here = (objects.kind == kind) & (rank == place)
        event = objects.event[here]
        momenta[kind, place] = np.zeros((objects.n_events, 4))
        momenta[kind, place][event] = objects.momentum[here]
        present[kind, place] = np.zeros(objects.n_events, dtype=bool)
        present[kind, place][event] = True
    return momenta, present


def _kinds(combination: Combination) -> tuple[int, ...]:
    """Return the kinds of a combination's objects, sorted."""
    return tuple(sorted(kind for kind, _ in combination.objects))


def _kinds_of_category(code: int) -> tuple[int, ...]:
    """Return the kinds of all objects that a category counts, sorted."""
    return tuple(kind for kind, n in enumerate(category_counts(code)) for _ in range(n))


def _inside(event: NDArray, mass: NDArray, edges: NDArray) -> tuple[NDArray, NDArray]:
    """Return the events whose mass is in the range, and their bins."""
    position = np.searchsorted(edges, mass, side="right") - 1
    good = (position >= 0) & (position < len(edges) - 1)
    return event[good], position[good]


def _gathered(cells: NDArray, sums: NDArray) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return each cell once, ascending, and the sums of its entries."""
    order = np.argsort(cells, kind="stable")
    unique, first = np.unique(cells[order], return_index=True)
    if not len(unique):
        return unique, sums
    return unique, np.add.reduceat(sums[:, order], first, axis=1)


def _counting(lengths: NDArray) -> NDArray[np.int64]:
    """Return 0, 1, ... up to each length, one after another."""
    ends = np.cumsum(lengths)
    return np.arange(lengths.sum()) - np.repeat(ends - lengths, lengths)


def _check_weights(weights: NDArray, n_events: int) -> None:
    """Refuse weights that no expected number of events can have."""
    if np.shape(weights) != (n_events,):
        msg = (
            f"there are {n_events} events but weights of shape {np.shape(weights)}: give one each"
        )
        raise ValueError(msg)
    impossible = ~np.isfinite(weights) | (weights < 0)
    if impossible.any():
        row = int(np.argmax(impossible))
        msg = (
            f"event {row} (from 0) of the piece has the weight {weights[row]:g}, but spectra need"
            " weights of at least 0: leave events of negative weight out"
        )
        raise ValueError(msg)
