"""Read events from NumPy arrays and Parquet tables, in blocks of bounded size."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bumpflow.chunks import WHOLE, share
from bumpflow.damage import readable
from bumpflow.ingest.blocks import Block, name_positions, ordered, place_of
from bumpflow.ingest.layout import LABEL, InvalidEvents, Layout, match_header

ROWS = 1 << 17  # rows read at a time
FEATURE_KEYS = ("X", "x", "features", "events")
LABEL_KEYS = ("y", "Y", "labels", "label")
LARGEST = 1 << 28
"""Bytes up to which an array of an .npz file may be as large as it likes."""
EXPANSION = 100
"""How many times larger than the file larger arrays may be: numbers do not compress that well."""


def read_array_blocks(
    path: Path, layout: Layout, *, labels: Path | None, chunk: Sequence[int] = WHOLE
) -> Iterator[Block]:
    """Yield the events of an ``.npy`` or ``.npz`` file.

    An ``.npy`` file holds a matrix of the features and, if ``labels`` is not given, the label
    in its first or last column. An ``.npz`` file holds ``X`` and ``y``, or such a matrix; it is
    read as a whole, an ``.npy`` file is not.

    Args:
        path: The file.
        layout: What it must hold.
        labels: An ``.npy`` file with the label of each row.
        chunk: Number of the part of the rows to read, and how many there are.

    Raises:
        InvalidEvents: If shapes or types do not fit, or a file is damaged.
    """
    x, y = _load_npz(path) if path.suffix == ".npz" else (_load(path), None)
    y = _load(labels) if labels else y
    names = [] if x.shape[:1] == (0,) else _name_columns(x, y, layout, file=path.name)
    mine = share(len(x), chunk)
    for start in mine[::ROWS]:
        stop = min(start + ROWS, mine.stop)
        rows = x[start:stop]
        parts = {name: rows[:, names.index(name)] for name in ordered(layout, names)}
        if y is not None:
            parts[LABEL] = y[start:stop].reshape(-1)
        columns = {name: _as_float32(values) for name, values in parts.items()}
        yield Block(columns, "row", start + 1, partial(_original, parts))


def read_parquet_blocks(
    path: Path, layout: Layout, *, chunk: Sequence[int] = WHOLE
) -> Iterator[Block]:
    """Yield the events of a Parquet table.

    Args:
        path: The file.
        layout: What it must hold.
        chunk: Number of the part of the row groups to read, and how many there are.

    Raises:
        InvalidEvents: If a column is missing or has no numbers, or the file is damaged.
    """
    cure = "fetch or write it again"
    with (
        readable(path.name, "Parquet file", error=InvalidEvents, cure=cure),
        pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True) as file,
    ):
        names = match_header(layout, file.schema_arrow.names, file=path.name)
        used = {name: file.schema_arrow.names[i] for i, name in enumerate(names) if name}
        _check_types(file.schema_arrow, used, file=path.name)
        groups = share(file.num_row_groups, chunk)
        start = 1 + sum(file.metadata.row_group(i).num_rows for i in range(groups.start))
        for batch in file.iter_batches(ROWS, [*groups], columns=[*used.values()]):
            parts = {name: batch[used[name]] for name in ordered(layout, names)}
            columns = {name: _arrow_float32(values) for name, values in parts.items()}
            yield Block(columns, "row", start, partial(_original, parts))
            start += len(batch)


def _load(path: Path) -> NDArray:
    """Return an array that stays on disk until its rows are used."""
    with (
        readable(path.name, ".npy file of numbers", error=InvalidEvents, cure="write it again"),
        np.errstate(over="raise"),  # of its size
    ):
        return np.lib.format.open_memmap(path, mode="r")


def _load_npz(path: Path) -> tuple[NDArray, NDArray | None]:
    """Return the matrix of an .npz file, and its labels if they are stored apart."""
    with readable(path.name, ".npz file of numbers", error=InvalidEvents, cure="write it again"):
        with ZipFile(path) as archive:
            _check_sizes(archive, path)
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            x, y = ([key for key in keys if key in file] for keys in (FEATURE_KEYS, LABEL_KEYS))
            if not x:
                msg = (
                    f"{path.name}: no array 'X' among {list(file)}: name the matrix of features X"
                )
                raise InvalidEvents(msg)
            return file[x[0]], file[y[0]] if y else None


def _check_sizes(archive: ZipFile, path: Path) -> None:
    """Refuse arrays that would fill the memory although the file is small."""
    most = max(LARGEST, EXPANSION * path.stat().st_size)
    for member in archive.infolist():
        if member.file_size > most:
            msg = (
                f"{path.name}: {member.filename} would take {member.file_size >> 20} MB, over"
                f" {EXPANSION} times the size of the file: write an .npy file, which is read in"
                " pieces"
            )
            raise InvalidEvents(msg)


def _name_columns(x: NDArray, y: NDArray | None, layout: Layout, *, file: str) -> list[str | None]:
    """Return the names of a matrix's columns, once all shapes are right."""
    if x.ndim != 2 or not x.size or x.dtype.kind not in "fiu":
        msg = f"{file}: {x.dtype} of shape {x.shape}: a matrix of numbers is needed"
        raise InvalidEvents(msg)
    if y is None and isinstance(layout.label, str):
        head = np.asarray(x[:ROWS])
        place = place_of(file, "row", 1)
        return name_positions(layout, x.shape[1], head[:, 0], head[:, -1], place=place)
    if y is not None and (y.size != len(x) or y.dtype.kind not in "fiub"):
        msg = f"{file}: labels are {y.dtype} of shape {y.shape}: {len(x)} numbers are needed"
        raise InvalidEvents(msg)
    if x.shape[1] != len(layout.features):
        msg = f"{file}: {x.shape[1]} columns instead of {len(layout.features)}: check the layout"
        raise InvalidEvents(msg)
    return [*layout.features]


def _check_types(schema: pa.Schema, used: dict[str, str], *, file: str) -> None:
    """Refuse columns that hold no numbers."""
    for name, source in used.items():
        kind = schema.field(source).type
        numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        if not (numeric or (name == LABEL and pa.types.is_boolean(kind))):
            msg = (
                f"{file}, column {source!r}: it holds {kind}, not numbers: convert it, or leave it"
                " out of the dataset's `columns`"
            )
            raise InvalidEvents(msg)


def _arrow_float32(values: pa.Array) -> NDArray[np.float32]:
    """Return a column's values, NaN where it has none."""
    return values.cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False)


def _as_float32(values: NDArray) -> NDArray[np.float32]:
    """Return values in single precision; infinite if they are too large for it."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ascontiguousarray(values, dtype=np.float32)


def _original(parts: dict[str, NDArray] | dict[str, pa.Array], row: int, column: str) -> str:
    """Return a value as the file has it."""
    return str(parts[column][row])
