"""Read features of two photons and two b jets from HDF5 files in the layout of HI-SIGMA's authors.

References:
    Amram, Szewc (2025), https://arxiv.org/abs/2506.06438
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bumpflow.damage import readable
from bumpflow.ingest.layout import InvalidEvents
from bumpflow.simulate.kinematics import from_pt_eta_phi_mass
from bumpflow.simulate.select.diphoton import pair_features

ROWS = 1 << 17
"""Events read at a time."""
FEATURES = (
    *("m_bbgg", "m_bb", "m_gg", "pt_bb", "pt_gg"),
    *("dr_b1g1", "dr_b1g2", "dr_b2g1", "dr_b2g2", "dr_bb", "dr_gg"),
)
"""Our names of the columns of ``feats``, in their order."""
PARTS = {"bjets": ("pt", "eta", "phi", "mass"), "photons": ("pt", "eta", "phi")}
"""What the columns of ``bjets`` and ``photons`` are of the leading object, then of the other."""
LARGEST, EXPANSION = 1 << 28, 100
"""Bytes up to which data may be as large as they like, and how many times larger than in the
file beyond that."""
TOLERANCE = 0.01
"""Largest deviation of features from those of the objects, relative or in GeV."""


def read_feature_blocks(
    path: Path, *, use_objects: bool = True
) -> Iterator[dict[str, NDArray[np.float64]]]:
    """Yield features of events in blocks, by name.

    Args:
        path: An HDF5 file with ``feats`` of shape ``(N, 11)``, ``bjets`` of ``(N, 8)`` and
            ``photons`` of ``(N, 6)``.
        use_objects: Whether to read ``bjets`` and ``photons``. Their columns are not documented:
            they are taken as :data:`PARTS` says, and features are calculated from them to see
            whether that is true.

    Yields:
        Columns of :func:`bumpflow.simulate.select.diphoton.pair_features`: with ``use_objects`` all of
        them, otherwise :data:`FEATURES` and ``pt_gg_over_m``.

    Raises:
        InvalidEvents: If the file is damaged, a key is missing or has another shape, a value is
            impossible, or objects do not fit features.
    """
    import h5py

    shapes = {"feats": len(FEATURES)}
    if use_objects:
        shapes |= {key: 2 * len(parts) for key, parts in PARTS.items()}
    cure = "fetch or write it again"
    with (
        readable(path.name, "HDF5 file", error=InvalidEvents, cure=cure),
        h5py.File(path, "r") as file,
    ):
        n_events = _check_shapes(file, shapes, name=path.name)
        for start in range(0, n_events, ROWS):
            rows = {key: file[key][start : start + ROWS].astype(float) for key in shapes}
            yield _name_columns(rows, first=start, name=path.name)


def _check_shapes(file: Any, widths: Mapping[str, int], *, name: str) -> int:  # noqa: ANN401
    """Return the number of events of a file whose keys have the shapes that they must have."""
    cure = "convert it to that layout, or set use_objects to false if features are all there is"
    counts: dict[str, int] = {}
    for key, width in widths.items():
        if key not in file:
            msg = f"{name}: key {key!r} is missing; there are {sorted(file)}: {cure}"
            raise InvalidEvents(msg)
        shape = tuple(getattr(file[key], "shape", ()))  # groups have none
        kind = getattr(file[key], "dtype", None)
        if len(shape) != 2 or shape[1] != width:
            msg = f"{name}: key {key!r} has shape {shape}, but must have (N, {width}): {cure}"
            raise InvalidEvents(msg)
        if kind is None or kind.kind not in "fiu":
            msg = f"{name}: key {key!r} holds {kind}, but must hold numbers: write it again"
            raise InvalidEvents(msg)
        _check_storage(file[key], key, name=name)
        counts[key] = shape[0]
    if len(set(counts.values())) > 1:
        msg = f"{name}: keys have different numbers of events, {counts}: write it again"
        raise InvalidEvents(msg)
    return counts["feats"]


def _check_storage(data: Any, key: str, *, name: str) -> None:  # noqa: ANN401
    """Refuse data that would fill the memory, or take for ever, although the file is small."""
    size, stored = data.nbytes, data.id.get_storage_size()
    piece = math.prod(data.chunks or (0,)) * data.dtype.itemsize
    if size > LARGEST + EXPANSION * stored or piece > LARGEST:
        msg = (
            f"{name}: the file holds {stored} of the {size} bytes of key {key!r}, in pieces of"
            f" {piece}: write it again, in smaller pieces"
        )
        raise InvalidEvents(msg)


def _name_columns(
    rows: Mapping[str, NDArray], *, first: int, name: str
) -> dict[str, NDArray[np.float64]]:
    """Return columns by name, from arrays by key."""
    features = dict(zip(FEATURES, rows["feats"].T, strict=True))
    _check_values(features, key="feats", first=first, name=name)
    features["pt_gg_over_m"] = features["pt_gg"] / features["m_gg"]
    if len(rows) == 1:
        return features
    pairs = [_pair(rows[key], key=key, first=first, name=name) for key in PARTS]
    with np.errstate(all="ignore"):  # values that mean something else may well overflow
        frame = pair_features(*pairs)
    found = {str(column): values.to_numpy() for column, values in frame.items()}
    for column in FEATURES:
        _compare(column, found[column], features[column], first=first, name=name)
    return {column: features.get(column, values) for column, values in found.items()}


def _check_values(columns: Mapping[str, NDArray], *, key: str, first: int, name: str) -> None:
    """Refuse values that are not finite, or negative where that is impossible."""
    for column, values in columns.items():
        possible = np.isfinite(values)
        if column not in ("eta", "phi"):
            possible &= values > 0 if column in ("m_gg", "pt") else values >= 0
        if not possible.all():
            row = int(np.argmin(possible))
            msg = (
                f"{name}, event {first + row} (from 0), {column} of {key}: {values[row]:g} is"
                " impossible: correct the event or remove it"
            )
            raise InvalidEvents(msg)


def _pair(values: NDArray, *, key: str, first: int, name: str) -> NDArray[np.float64]:
    """Return the four-momenta [GeV] of both objects of a key, shape ``(n, 2, 4)``."""
    momenta = []
    for columns in np.split(values, 2, axis=1):
        parts = dict(zip(PARTS[key], columns.T, strict=True))
        _check_values(parts, key=key, first=first, name=name)
        with np.errstate(over="ignore"):
            momenta.append(from_pt_eta_phi_mass(*parts.values()))
    return np.stack(momenta, axis=1)


def _compare(column: str, found: NDArray, expected: NDArray, *, first: int, name: str) -> None:
    """Refuse objects whose masses, momenta and distances are not those of the features."""
    wrong = ~(np.abs(found - expected) <= TOLERANCE * np.maximum(expected, 1))  # or NaN
    if wrong.any():
        row = int(np.argmax(wrong))
        msg = (
            f"{name}, event {first + row} (from 0): bjets and photons, read as"
            f" {', '.join(PARTS['bjets'])} (photons without mass) of one object after the other,"
            f" give {column} = {found[row]:g}, but feats has {expected[row]:g}: their columns mean"
            " something else; set use_objects to false to take features alone"
        )
        raise InvalidEvents(msg)
