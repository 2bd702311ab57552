"""Fill a histogram from a column of events, in pieces, so that memory is bounded."""

import logging
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bumpflow.hunts.histogram import InvalidHistogram
from bumpflow.ingest.baskets import check_baskets
from bumpflow.ingest.histogram_bins import Bins, missing, readable
from bumpflow.ingest.histogram_objects import find_object, open_root, readable_root
from bumpflow.ingest.histogram_tables import (
    HEAD,
    Table,
    check_numbers,
    find_column,
    is_header,
    sniff_separator,
    split_lines,
)

log = logging.getLogger(__name__)

ROWS = 1 << 18
"""Events of Parquet and ROOT files read at a time."""
BLOCK = 1 << 22
"""Bytes of text read at a time."""
CURE = "name the column of the variable as `events: {column: ...}`"


class Piece(NamedTuple):
    """Some consecutive events.

    Attributes:
        values: The variable, shape ``(n_events,)``.
        unit: What the file is counted in, ``line``, ``row`` or ``event``.
        first: Number of the first of them, from 1.
    """

    values: NDArray[np.float64]
    unit: str
    first: int


def fill_bins(path: Path, events: Mapping[str, Any], *, name: str | None) -> Bins:
    """Return counts of the events of a file in bins of one of its columns.

    A bin holds the values from its lower edge up to, but not including, its upper edge, which
    only the last bin includes. Events outside all bins are dropped; the log says how many.

    Args:
        path: A ``.csv``, ``.tsv``, ``.txt`` or ``.dat`` file, gzipped if it also ends on ``.gz``,
            a ``.parquet`` table, or a ``.root`` file.
        events: ``column``, its name or, in text, its position (from 0), and either ``edges`` or
            ``n_bins``, ``low`` and ``high``.
        name: Name of the tree of a ROOT file; may be None if there is only one.

    Raises:
        InvalidHistogram: If the file cannot be read, has no such column, or a value is not
            finite.
    """
    edges = _edges(events, file=path.name)
    counts, n_events = np.zeros(len(edges) - 1), 0
    for piece in _pieces(path, events["column"], name=name):
        _check_piece(piece, events["column"], file=path.name)
        counts += np.histogram(piece.values, edges)[0]
        n_events += len(piece.values)
    n_dropped = n_events - int(counts.sum())
    log.info(
        "%s: %d events, %d of them (%.1f %%) outside %g to %g dropped",
        path.name, n_events, n_dropped, 100 * n_dropped / max(n_events, 1), edges[0], edges[-1],
    )  # fmt: skip
    return Bins(counts, edges, variable=str(events["column"]))


def check_events(path: Path, events: Mapping[str, Any], *, name: str | None) -> None:
    """Refuse a file of events whose column is missing, or whose first events are bad.

    Args:
        path: As for :func:`fill_bins`.
        events: As for :func:`fill_bins`.
        name: As for :func:`fill_bins`.

    Raises:
        InvalidHistogram: As :func:`fill_bins`, of the first piece of the file.
    """
    _edges(events, file=path.name)
    for piece in islice(_pieces(path, events["column"], name=name), 1):
        _check_piece(piece, events["column"], file=path.name)


def _check_piece(piece: Piece, column: str | int, *, file: str) -> None:
    """Refuse values that are not finite."""
    if not np.all(finite := np.isfinite(piece.values)):
        row = int(np.argmin(finite))
        msg = (
            f"{file}, {piece.unit} {piece.first + row}, column {column!r}:"
            f" {piece.values[row]} is not finite: correct the event or remove it"
        )
        raise InvalidHistogram(msg)


def _edges(events: Mapping[str, Any], *, file: str) -> NDArray[np.float64]:
    """Return the edges of the bins that are asked for."""
    given = set(events)
    if given == {"column", "edges"}:
        edges = np.asarray(events["edges"], dtype=np.float64)
    elif given == {"column", "n_bins", "low", "high"}:
        edges = np.linspace(events["low"], events["high"], int(events["n_bins"]) + 1)
    else:
        msg = (
            f"{file}: `events` gives {', '.join(sorted(given))}, but must give column and edges, or"
            " column, n_bins, low and high"
        )
        raise InvalidHistogram(msg)
    if len(edges) < 2 or not np.all(np.isfinite(edges)) or np.any(np.diff(edges) <= 0):
        said = {key: value for key, value in events.items() if key != "column"}
        msg = f"{file}: `events` asks for bins {said}: their edges must be finite and ascend"
        raise InvalidHistogram(msg)
    return edges


def _pieces(path: Path, column: str | int, *, name: str | None) -> Iterator[Piece]:
    """Yield the values of a column of a file of any format."""
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix == ".parquet":
        yield from _parquet_pieces(path, str(column))
    elif suffix == ".root":
        yield from _root_pieces(path, str(column), name=name)
    elif suffix in (".csv", ".tsv", ".txt", ".dat"):
        yield from _text_pieces(path, column)
    else:
        msg = f"{path}: events are read from .csv, .tsv, .txt, .dat, .parquet and .root files"
        raise InvalidHistogram(msg)


def _text_pieces(path: Path, column: str | int) -> Iterator[Piece]:
    """Yield the values of a column of a text file."""
    position, names, separator, n_skipped = _text_layout(path, column)
    first = n_skipped + 1
    with readable(path, "text"), pa.input_stream(str(path), compression="detect") as stream:
        try:
            # Row numbers of its errors are those of lines, as it takes no line for empty.
            for batch in pa.csv.open_csv(
                stream,
                pa.csv.ReadOptions(
                    column_names=names, skip_rows=n_skipped, block_size=BLOCK, use_threads=False
                ),
                pa.csv.ParseOptions(delimiter=separator, ignore_empty_lines=False),
                pa.csv.ConvertOptions(
                    include_columns=[names[position]],
                    column_types={names[position]: pa.float64()},
                    null_values=[],
                ),
            ):
                yield Piece(batch[0].to_numpy(), "line", first)
                first += len(batch)
        except pa.ArrowInvalid as error:
            raise _explained(error, column, file=path.name) from error


def _explained(error: pa.ArrowInvalid, column: str | int, *, file: str) -> Exception:
    """Return an error that says in our words which line cannot be read, if it is known."""
    line = re.search(r"Row #(\d+)", str(error))
    value = re.search(r"invalid value '(.*)'$", str(error))
    columns = re.search(r"Expected (\d+) columns, got (\d+)", str(error))
    if line and value:
        fault = f", column {column!r}: {value[1]!r} is not a number"
    elif line and columns:
        fault = f": {columns[2]} columns instead of {columns[1]}"
    else:
        return error
    return InvalidHistogram(f"{file}, line {line[1]}{fault}: correct the line or remove it")


def _text_layout(path: Path, column: str | int) -> tuple[int, list[str], str, int]:
    """Return a column's position, all names, the separator, and how many lines precede events."""
    with readable(path, "text"), pa.input_stream(str(path), compression="detect") as stream:
        # The last line may be cut within a character.
        head = stream.read(HEAD).decode("utf-8-sig", errors="replace")
    numbers, rows = split_lines(head, file=path.name)
    fields, names = rows[0], [str(position) for position in range(len(rows[0]))]
    header = fields if is_header(fields) else []
    table = Table(path.name, header, len(fields), 0, lambda _: np.empty(0), str)
    separator = sniff_separator(head.splitlines()[numbers[0] - 1])
    return find_column(column, table), names, separator, numbers[0] - (not header)


def _parquet_pieces(path: Path, column: str) -> Iterator[Piece]:
    """Yield the values of a column of a Parquet table."""
    with (
        readable(path, "Parquet"),
        pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True) as file,
    ):
        names = list(file.schema_arrow.names)
        if column not in names:
            raise InvalidHistogram(missing("column", column, names, file=path.name, cure=CURE))
        check_numbers(file.schema_arrow.field(column), file=path.name)
        first = 1
        for batch in file.iter_batches(ROWS, columns=[column]):
            values = batch[0].cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
            yield Piece(values, "row", first)
            first += len(batch)


def _root_pieces(path: Path, column: str, *, name: str | None) -> Iterator[Piece]:
    """Yield the values of a branch of a ROOT tree."""
    with open_root(path) as file, readable_root(path):
        tree = file[find_object(file, name, kind="TTree", path=path)]
        names = list(tree.keys())
        if column not in names:
            raise InvalidHistogram(missing("branch", column, names, file=path.name, cure=CURE))
        for start in range(0, tree.num_entries, ROWS):
            check_baskets(tree[column], start=start, stop=start + ROWS)
            values = tree[column].array(entry_start=start, entry_stop=start + ROWS, library="np")
            if values.dtype.kind not in "fiu" or values.ndim != 1:
                msg = (
                    f"{path.name}, branch {column!r}: it does not hold one number per event: take"
                    " another one"
                )
                raise InvalidHistogram(msg)
            yield Piece(values.astype(np.float64), "event", start + 1)
