"""Turn a file of events into the one canonical Parquet table."""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bumpflow import io
from bumpflow.chunks import COMPRESSED, WHOLE, write_pieces
from bumpflow.ingest.arrays import read_array_blocks, read_parquet_blocks
from bumpflow.ingest.blocks import Block, place_of
from bumpflow.ingest.checks import check_block, find_repeats
from bumpflow.ingest.layout import LABEL, InvalidEvents, Layout
from bumpflow.ingest.text import read_text_blocks
from bumpflow.rowhash import hash_rows

log = logging.getLogger(__name__)

FORMATS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".npy", ".npz", ".parquet")
Duplicates = Literal["drop", "keep", "error"]


class Ingested(NamedTuple):
    """What was read from a file of events, and what became of it."""

    file: str
    source: str
    sha256: str
    n_read: int
    n_duplicates: int
    n_written: int
    n_background: int
    n_signal: int


class Rows(NamedTuple):
    """What is remembered of the events of a file: whether each repeats another, and its label."""

    repeats: NDArray[np.bool_]
    labels: NDArray[np.int8]
    unit: str
    first: int


def ingest_events(
    path: Path,
    table: Path,
    *,
    layout: Layout,
    source: str,
    duplicates: Duplicates,
    labels: Path | None = None,
    sha256: str | None = None,
    chunks: Sequence[Path] = (),
) -> Ingested:
    """Read a file of events, check it, and write it as the canonical Parquet table.

    The table has one float32 column per feature and the int8 column ``label``; its metadata
    hold the source and the checksum of the file. Memory is bounded by a few blocks of rows and,
    to find duplicates, some 30 bytes a row. Minus zero becomes zero.

    Args:
        path: The file: ``.csv`` or ``.tsv``, either gzipped or not, ``.npy``, ``.npz`` or
            ``.parquet``.
        table: Parquet file to write; if anything fails, it does not appear.
        layout: What the file must hold.
        source: Whom to credit.
        duplicates: Whether events that repeat an earlier one, label included, are dropped,
            kept or a mistake.
        labels: Labels that belong to an ``.npy`` file.
        sha256: Checksum that the file must have; None takes any.
        chunks: What :func:`ingest_part` made of all parts of the file, instead of reading it.

    Raises:
        InvalidEvents: If anything is wrong with the file; it says where and what to do.
    """
    with ThreadPoolExecutor(1) as pool, io.temporary(table) as whole:
        checksum = pool.submit(io.sha256_of, path)
        with io.TableWriter(whole) as writer:
            blocks = _read_parts(chunks) if chunks else read_blocks(path, layout, labels=labels)
            rows = _write_all(blocks, writer, layout, path.name)
            kept = _choose_rows(rows, duplicates, file=path.name)
            record = _summarise(rows, kept, path.name, source, checksum.result())
            _check_checksum(record, sha256)
            writer.add_metadata({key: str(value) for key, value in record._asdict().items()})
        if kept.all():
            whole.replace(table)
        else:
            _copy_rows(whole, table, kept)
    log.info("%s: duplicates: %s", record, duplicates)
    return record


def ingest_part(
    path: Path, table: Path, *, layout: Layout, labels: Path | None, chunk: Sequence[int]
) -> None:
    """Read a part of a file of events, check it, and write its columns as Parquet.

    Args:
        path: The file, in any format that is not compressed as a whole.
        table: Parquet file to write; its metadata tell where the part starts in the file.
        layout: What the file must hold.
        labels: Labels that belong to an ``.npy`` file.
        chunk: Number of the part, and how many there are.

    Raises:
        InvalidEvents: If anything is wrong with the part; it says where and what to do.
    """
    place: dict[str, str] = {}

    def tables() -> Iterator[pa.Table]:
        for block in read_blocks(path, layout, labels=labels, chunk=chunk):
            check_block(block, layout, file=path.name)
            place.setdefault("unit", block.unit)
            place.setdefault("first", str(block.first))
            yield pa.table(_canonical(block, layout))

    write_pieces(table, tables(), metadata=place)


def _read_parts(chunks: Sequence[Path]) -> Iterator[Block]:
    """Yield the events of parts of a file."""
    for path in chunks:
        place = io.read_table_metadata(path)
        for rows in io.read_pieces(path) if place else ():
            columns = {name: rows[name].to_numpy() for name in rows.column_names}
            unit: Literal["line", "row"] = "line" if place["unit"] == "line" else "row"
            yield Block(columns, unit, int(place["first"]), partial(_stored, columns))
            place["first"] = str(int(place["first"]) + len(rows))


def _stored(columns: dict[str, NDArray], row: int, column: str) -> str:
    """Return a value as it was read before."""
    return str(columns[column][row])


def read_blocks(
    path: Path, layout: Layout, *, labels: Path | None = None, chunk: Sequence[int] = WHOLE
) -> Iterator[Block]:
    """Yield the events of a file in any of the formats, or of a part of it, unchecked.

    Raises:
        InvalidEvents: If the format is unknown, or the file cannot be read.
    """
    if chunk[1] > 1 and path.name.endswith(COMPRESSED):
        msg = f"{path.name}: compressed as a whole, so not to be read in chunks: unpack it"
        raise InvalidEvents(msg)
    if path.name.endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz")):
        return read_text_blocks(path, layout, chunk=chunk)
    if path.suffix in (".npy", ".npz"):
        return read_array_blocks(path, layout, labels=labels, chunk=chunk)
    if path.suffix == ".parquet":
        return read_parquet_blocks(path, layout, chunk=chunk)
    msg = f"{path.name}: unknown format {path.suffix!r}: known are {', '.join(FORMATS)}"
    raise InvalidEvents(msg)


def _canonical(block: Block, layout: Layout) -> dict[str, NDArray]:
    """Return a block's columns as they are stored."""
    columns: dict[str, NDArray] = {name: x + np.float32(0) for name, x in block.columns.items()}
    labels = columns.get(LABEL, np.full(len(block), layout.label))
    return columns | {LABEL: labels.astype(np.int8)}


def _write_all(blocks: Iterator[Block], writer: io.TableWriter, layout: Layout, file: str) -> Rows:
    """Check and write all events, and return what must be remembered of each."""
    hashes, labels, start = [], [], None
    for block in blocks:
        check_block(block, layout, file=file)
        columns = _canonical(block, layout)
        writer.write(pa.table(columns))
        hashes.append(hash_rows([*columns.values()]))
        labels.append(columns[LABEL])
        start = start or (block.unit, block.first)
    if start is None:
        msg = f"{file}: the file is empty: it holds no events"
        raise InvalidEvents(msg)
    return Rows(find_repeats(np.concatenate(hashes)), np.concatenate(labels), *start)


def _choose_rows(rows: Rows, duplicates: Duplicates, *, file: str) -> NDArray[np.bool_]:
    """Return which events stay."""
    if duplicates == "error" and rows.repeats.any():
        place = place_of(file, rows.unit, rows.first + int(np.argmax(rows.repeats)))
        msg = (
            f"{place}: the event repeats an earlier one: set `duplicates: drop` or `duplicates:"
            " keep`"
        )
        raise InvalidEvents(msg)
    return ~rows.repeats if duplicates == "drop" else np.ones(len(rows.repeats), dtype=bool)


def _summarise(
    rows: Rows, kept: NDArray[np.bool_], file: str, source: str, sha256: str
) -> Ingested:
    n_written, n_signal = int(kept.sum()), int(rows.labels[kept].sum())
    return Ingested(
        file=file,
        source=source,
        sha256=sha256,
        n_read=len(kept),
        n_duplicates=int(rows.repeats.sum()),
        n_written=n_written,
        n_background=n_written - n_signal,
        n_signal=n_signal,
    )


def _check_checksum(record: Ingested, sha256: str | None) -> None:
    if sha256 not in (None, record.sha256):
        msg = f"{record.file}: the sha256 is {record.sha256}, not {sha256}: fetch the file again"
        raise InvalidEvents(msg)


def _copy_rows(whole: Path, table: Path, kept: NDArray[np.bool_]) -> None:
    """Write those rows of a table that are kept."""
    start = 0
    with io.TableWriter(table, metadata=io.read_table_metadata(whole)) as writer:
        for piece in io.read_pieces(whole):
            writer.write(piece.filter(pa.array(kept[start : start + len(piece)])))
            start += len(piece)
