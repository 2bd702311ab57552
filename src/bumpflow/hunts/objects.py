r"""Objects of simulated events, refined to Z, vector-boson, top and heavy candidates.

References:
    Volkovich, De Vito Halevy, Bressler (2022), https://arxiv.org/abs/2107.11573
    Aarrestad et al. (2022), Dark Machines events, https://arxiv.org/abs/2105.14027
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bumpflow import io
from bumpflow.ingest.darkmachines import read_darkmachines_batches
from bumpflow.simulate.kinematics import (
    from_pt_eta_phi_mass,
    invariant_mass,
    transverse_momentum,
)

KINDS = ("e", "m", "g", "z", "v", "t", "h", "j")
"""Electron, muon, photon, Z candidate; jets by mass: vector boson, top, heavy, light."""
E, M, G, Z, V, T, H, J = range(len(KINDS))
COLUMNS = {"electron": E, "muon": M, "photon": G, "jet": J}
"""Lists of a table of events, by the beginning of their columns' names."""
Z_MASS_GEV, Z_WINDOW_GEV = 91.18, 15.0
JET_MASS_GEV = (60.0, 110.0, 200.0)
"""Where candidates for vector bosons, for top quarks and for heavy particles begin."""
SIGNS = ("", "_os", "_ss")
"""Ends of a category's name: of exactly two leptons, opposite or same charge."""
BITS, MAX_COUNT = 4, 15


@dataclass(frozen=True)
class Objects:
    """Objects of events, sorted by event, kind and falling transverse momentum.

    Attributes:
        n_events: Number of events, those without objects included.
        event: Which event each object belongs to, shape ``(n,)``.
        kind: Index in :data:`KINDS`, shape ``(n,)``.
        momentum: Four-momenta (px, py, pz, E) [GeV], shape ``(n, 4)``.
        charge: Electric charge [e], 0 of all but leptons, shape ``(n,)``.
    """

    n_events: int
    event: NDArray[np.int64]
    kind: NDArray[np.int64]
    momentum: NDArray[np.float64]
    charge: NDArray[np.int64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Numbers of objects by event and kind, shape ``(n_events, n_kinds)``."""
        cells = self.event * len(KINDS) + self.kind
        counts = np.bincount(cells, minlength=self.n_events * len(KINDS))
        return counts.reshape(self.n_events, len(KINDS))

    @property
    def rank(self) -> NDArray[np.int64]:
        """Places among the objects of the same event and kind, from 0, shape ``(n,)``."""
        cells = self.event * len(KINDS) + self.kind
        return np.arange(len(cells)) - np.searchsorted(cells, cells)


def read_event_files(
    paths: Sequence[Path], *, darkmachines: Mapping[str, Any] | None, n_rows: int
) -> Iterator[pa.Table]:
    """Yield the events of files, some at a time.

    Args:
        paths: Parquet tables of generated events, or files in the format of Dark Machines.
        darkmachines: Keywords of :func:`~bumpflow.ingest.darkmachines.read_darkmachines_batches`;
            none for tables of ours.
        n_rows: Events of a table of ours that are read at a time.

    Raises:
        ValueError: If a file is damaged, or :func:`read_objects` would refuse its events.
    """
    for path in paths:
        if darkmachines is None:
            for piece in io.read_pieces(path, n_rows=n_rows):
                _check_lists(piece, where=f"{path}: events")
                yield piece
        else:
            yield from read_darkmachines_batches(path, **darkmachines)


def read_objects(table: pa.Table) -> Objects:
    """Return the objects of events as they were reconstructed.

    Args:
        table: Events: lists ``<kind>_pt`` [GeV], ``<kind>_eta`` and ``<kind>_phi`` [rad] for
            ``electron``, ``muon``, ``photon`` and ``jet``, besides ``electron_charge``,
            ``muon_charge`` and ``jet_mass`` [GeV].

    Raises:
        ValueError: If a column is missing or holds no lists of numbers, or the lists of one kind
            differ in length.
    """
    _check_lists(table, where="events")
    parts = [_read_kind(table, name) for name in COLUMNS]
    event, kind, momentum, charge = (np.concatenate(part) for part in zip(*parts, strict=True))
    return _sorted(table.num_rows, event, kind, momentum, charge)


def refine(objects: Objects) -> Objects:
    """Replace pairs of leptons by Z candidates, and tell jets apart by their mass.

    Two leptons of the same flavour and opposite charge whose mass is within
    :data:`Z_WINDOW_GEV` of the Z boson's become one Z. Where pairs share a lepton, the one
    closest to the Z boson's mass comes first. Jets from 60 to 110 GeV are vector bosons that
    decay to hadrons, up to 200 GeV top quarks, beyond that heavy particles; others are light.

    Args:
        objects: Reconstructed objects.
    """
    mass = invariant_mass(objects.momentum)
    of_jet = np.array([J, V, T, H])[np.searchsorted(JET_MASS_GEV, mass, side="right")]
    kind = np.where(objects.kind == J, of_jet, objects.kind)
    first, second = z_pairs(objects)
    left = np.ones(len(kind), dtype=bool)
    left[first] = left[second] = False
    bosons = objects.momentum[first] + objects.momentum[second]
    return _sorted(
        objects.n_events,
        np.concatenate([objects.event[left], objects.event[first]]),
        np.concatenate([kind[left], np.full(len(first), Z)]),
        np.concatenate([objects.momentum[left], bosons]),
        np.concatenate([objects.charge[left], np.zeros(len(first), dtype=np.int64)]),
    )


def z_pairs(objects: Objects) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which pairs of leptons are Z candidates; no lepton is in two of them.

    Args:
        objects: Reconstructed objects.

    Returns:
        Places of both leptons among the objects, shape ``(n_pairs,)`` each.
    """
    first, second = _pairs_of_flavour(objects)
    mass = invariant_mass(objects.momentum[first] + objects.momentum[second])
    distance = np.abs(mass - Z_MASS_GEV)
    good = (objects.charge[first] * objects.charge[second] < 0) & (distance <= Z_WINDOW_GEV)
    first, second, distance = first[good], second[good], distance[good]
    order = np.lexsort((distance, objects.event[first]))
    first, second = first[order], second[order]
    used = np.zeros(len(objects.event), dtype=bool)
    chosen = []
    while len(first):  # as often as the richest event has candidates
        best = np.unique(objects.event[first], return_index=True)[1]
        chosen.append((first[best], second[best]))
        used[first[best]] = used[second[best]] = True
        free = ~(used[first] | used[second])
        first, second = first[free], second[free]
    if not chosen:
        return first, second
    return np.concatenate([a for a, _ in chosen]), np.concatenate([b for _, b in chosen])


def category_codes(objects: Objects) -> NDArray[np.int64]:
    """Return a number per event that tells its category.

    A category counts electrons, muons, photons, Z, vector bosons, tops and heavy candidates, and
    tells exactly two leptons of the same charge from two of opposite charge. Light jets do not
    count.

    Args:
        objects: Refined objects.

    Returns:
        Codes, shape ``(n_events,)``; :func:`category_name` gives them words. Counts above 15
        share a code with 15.
    """
    counts = objects.counts[:, :J]
    codes = (np.minimum(counts, MAX_COUNT) << (BITS * np.arange(J))).sum(axis=1)
    charge = np.bincount(objects.event, objects.charge, minlength=objects.n_events)
    sign = np.where(np.abs(charge) == 2, SIGNS.index("_ss"), SIGNS.index("_os"))
    return codes + np.where(counts[:, E] + counts[:, M] == 2, sign << (BITS * J), 0)


def category_counts(code: int) -> tuple[int, ...]:
    """Return the numbers of objects of a category, by kind without light jets."""
    return tuple((int(code) >> (BITS * place)) & MAX_COUNT for place in range(J))


def category_name(code: int) -> str:
    """Return the name of a category, such as ``1e1m0g0z2v0t0h_ss``."""
    counts = category_counts(code)
    numbers = "".join(f"{n}{kind}" for n, kind in zip(counts, KINDS[:J], strict=True))
    return numbers + SIGNS[int(code) >> (BITS * J)]


def _columns(name: str) -> list[str]:
    """Return the columns of one kind of objects."""
    further = {"electron": ["charge"], "muon": ["charge"], "jet": ["mass"]}.get(name, [])
    return [f"{name}_{part}" for part in ("pt", "eta", "phi", *further)]


def _check_lists(table: pa.Table, *, where: str) -> None:
    """Refuse events of which no objects can be made; ``where`` begins the message."""
    for name in COLUMNS:
        columns = _columns(name)
        if missing := [column for column in columns if column not in table.column_names]:
            there = ", ".join(table.column_names)
            msg = (
                f"{where} have no columns {missing}, of which objects are made: there are {there}"
            )
            raise ValueError(msg)
        for column in columns:
            _check_numbers(table, column, where=where)
        lengths = [pc.list_value_length(table[column]).to_numpy() for column in columns]
        for column, length in zip(columns, lengths, strict=True):
            if np.any(length != lengths[0]):
                row = int(np.argmax(length != lengths[0]))
                msg = (
                    f"{where}: event {row} (from 0) has {lengths[0][row]} entries in {columns[0]}"
                    f" but {length[row]} in {column}: give each object all of its properties"
                )
                raise ValueError(msg)


def _check_numbers(table: pa.Table, column: str, *, where: str) -> None:
    """Refuse a column that does not hold a list of numbers, all finite, for each event."""
    kind = table.schema.field(column).type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    whole = is_list and pa.types.is_integer(kind.value_type)
    if not (whole or (is_list and pa.types.is_floating(kind.value_type))):
        msg = f"{where} have {kind} in {column}, but must have lists of numbers: write them again"
        raise ValueError(msg)
    flat = pc.list_flatten(table[column])
    if (
        table[column].null_count
        or flat.null_count
        or not pc.all(pc.is_finite(flat), min_count=0).as_py()
    ):
        msg = f"{where} lack a number in {column}, or it is not finite: remove such events"
        raise ValueError(msg)


def _read_kind(table: pa.Table, name: str) -> tuple[NDArray, ...]:
    """Return event, kind, momentum and charge of one kind of objects."""
    columns = _columns(name)
    length = pc.list_value_length(table[columns[0]]).to_numpy()
    event = np.repeat(np.arange(table.num_rows), length)
    flat = {column: pc.list_flatten(table[column]).to_numpy() for column in columns}
    pt, eta, phi, *last = (flat[column].astype(np.float64) for column in columns)
    mass = last[0] if name == "jet" else 0.0
    charged = name in ("electron", "muon")
    charge = last[0].astype(np.int64) if charged else np.zeros(len(event), int)
    kind = np.full(len(event), COLUMNS[name])
    return event, kind, from_pt_eta_phi_mass(pt, eta, phi, mass), charge


def _sorted(
    n_events: int, event: NDArray, kind: NDArray, momentum: NDArray, charge: NDArray
) -> Objects:
    """Return objects in their order."""
    order = np.lexsort((-transverse_momentum(momentum), kind, event))
    return Objects(n_events, event[order], kind[order], momentum[order], charge[order])


def _pairs_of_flavour(objects: Objects) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all pairs of electrons and of muons of one event, as places among the objects."""
    leptons = np.flatnonzero((objects.kind == E) | (objects.kind == M))
    cells = objects.event[leptons] * len(KINDS) + objects.kind[leptons]
    most = int(np.bincount(np.unique(cells, return_inverse=True)[1]).max()) if len(cells) else 0
    # Leptons of a kind are neighbours: compare each with the one `step` places further.
    pairs = [np.flatnonzero(cells[step:] == cells[:-step]) for step in range(1, most)]
    first = np.concatenate([np.empty(0, dtype=np.int64), *pairs])
    steps = np.repeat(np.arange(1, most), [len(pair) for pair in pairs]) if pairs else first
    return leptons[first], leptons[first + steps]
