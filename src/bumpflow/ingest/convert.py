"""Turn a file of events into the one canonical Parquet table."""

import logging
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bumpflow import io
from bumpflow.ingest.arrays import read_array_blocks, read_parquet_blocks
from bumpflow.ingest.blocks import Block, place_of
from bumpflow.ingest.checks import SeenRows, check_block
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
    n_read: int = 0
    n_duplicates: int = 0
    n_written: int = 0
    n_background: int = 0
    n_signal: int = 0


def ingest_events(
    path: Path,
    table: Path,
    *,
    layout: Layout,
    source: str,
    duplicates: Duplicates,
    labels: Path | None = None,
    sha256: str | None = None,
) -> Ingested:
    """Read a file of events, check it, and write it as the canonical Parquet table.

    The table has one float32 column per feature and the int8 column ``label``; its metadata
    hold the source and the checksum of the file. Memory is bounded by a few blocks of rows and,
    to find duplicates, 8 bytes a row. Minus zero becomes zero.

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

    Raises:
        InvalidEvents: If anything is wrong with the file; it says where and what to do.
    """
    seen, counts = SeenRows(), Counter[str]()
    with ThreadPoolExecutor(1) as pool, io.TableWriter(table) as writer:
        checksum = pool.submit(io.sha256_of, path)
        for block in read_blocks(path, layout, labels=labels):
            check_block(block, layout, file=path.name)
            columns = _canonical(block, layout)
            repeated = seen.add(hash_rows([*columns.values()]))
            if repeated.any() and duplicates == "error":
                _refuse(block, repeated, file=path.name)
            if repeated.any() and duplicates == "drop":
                columns = {name: values[~repeated] for name, values in columns.items()}
            writer.write(pa.table(columns))
            _count(counts, columns[LABEL], repeated)
        record = Ingested(file=path.name, source=source, sha256=checksum.result(), **counts)
        _check_whole(record, sha256)
        writer.add_metadata({key: str(value) for key, value in record._asdict().items()})
    log.info(
        "%s (sha256 %s): %s, duplicates: %s", path.name, record.sha256, dict(counts), duplicates
    )
    return record


def read_blocks(path: Path, layout: Layout, *, labels: Path | None = None) -> Iterator[Block]:
    """Yield the events of a file in any of the formats, unchecked.

    Raises:
        InvalidEvents: If the format is unknown, or the file cannot be read.
    """
    if path.name.endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz")):
        return read_text_blocks(path, layout)
    if path.suffix in (".npy", ".npz"):
        return read_array_blocks(path, layout, labels=labels)
    if path.suffix == ".parquet":
        return read_parquet_blocks(path, layout)
    msg = f"{path.name}: unknown format {path.suffix!r}: known are {', '.join(FORMATS)}"
    raise InvalidEvents(msg)


def _canonical(block: Block, layout: Layout) -> dict[str, NDArray]:
    """Return a block's columns as they are stored."""
    columns: dict[str, NDArray] = {name: x + np.float32(0) for name, x in block.columns.items()}
    labels = columns.get(LABEL, np.full(len(block), layout.label))
    return columns | {LABEL: labels.astype(np.int8)}


def _count(counts: Counter[str], labels: NDArray, repeated: NDArray[np.bool_]) -> None:
    """Add a block's numbers of events."""
    n_signal = int(labels.sum())
    counts.update(
        n_read=len(repeated),
        n_duplicates=int(repeated.sum()),
        n_written=len(labels),
        n_background=len(labels) - n_signal,
        n_signal=n_signal,
    )


def _check_whole(record: Ingested, sha256: str | None) -> None:
    """Refuse a file without events, or one that is not the expected one."""
    if not record.n_read:
        msg = f"{record.file}: the file is empty: it holds no events"
        raise InvalidEvents(msg)
    if sha256 not in (None, record.sha256):
        msg = f"{record.file}: the sha256 is {record.sha256}, not {sha256}: fetch the file again"
        raise InvalidEvents(msg)


def _refuse(block: Block, repeated: NDArray[np.bool_], *, file: str) -> None:
    place = place_of(file, block.unit, block.first + int(np.argmax(repeated)))
    msg = (
        f"{place}: the event repeats an earlier one: set `duplicates: drop` or `duplicates: keep`"
    )
    raise InvalidEvents(msg)
