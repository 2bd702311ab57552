"""Large tables by chunks: several jobs make a share each of what one job makes otherwise.

A table consists of blocks of fixed size. What is in a block depends on its number alone, random
numbers included, so the same bytes come out for any number of chunks.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from bumpflow import io
from bumpflow.device import gpus_needed

WHOLE = (0, 1)
"""The chunk that is the whole: the first of one."""
COMPRESSED = (".gz", ".npz")
"""Files of events that cannot be read from their middle: they are compressed as a whole."""
NO_ROWS = pa.table({})
"""What a chunk without blocks consists of."""


def count_blocks(n: int, size: int) -> int:
    """Return how many blocks of ``size`` it takes for ``n``; the last one may be smaller."""
    return -(-n // size)


def share(n: int, chunk: Sequence[int]) -> range:
    """Return which of ``n`` things are a chunk's: neighbours, as many as in any other or one more.

    Args:
        n: How many there are in all, such as blocks.
        chunk: Number of the chunk, from 0, and how many chunks there are.
    """
    number, n_chunks = chunk
    return range(n * number // n_chunks, n * (number + 1) // n_chunks)


def share_each(counts: Sequence[int], chunk: Sequence[int]) -> list[range]:
    """Return which things of each of several kinds are a chunk's, all of them counted through."""
    mine, first, shares = share(sum(counts), chunk), 0, []
    for count in counts:
        low, high = (min(max(edge - first, 0), count) for edge in (mine.start, mine.stop))
        shares.append(range(low, high))
        first += count
    return shares


def chunk_files(n_chunks: int, stem: str, suffix: str) -> list[str]:
    """Return the files that a rule gathers; none if it makes the whole table itself.

    Args:
        n_chunks: Number of chunks.
        stem: Their path, up to the number.
        suffix: Their path, from the number on.
    """
    return [f"{stem}{number}{suffix}" for number in range(n_chunks)] if n_chunks > 1 else []


def chunk_setting(config: Mapping[str, Any], step: str) -> Callable[[Any], list[int]]:
    """Return a params function: the number of a chunk, and how many a rule gathers."""
    return lambda wildcards: [int(wildcards.chunk), config["chunks"][step]]


def dataset_chunks(config: Mapping[str, Any], dataset: str) -> int:
    """Return how many jobs read a dataset's file."""
    return int(config["datasets"][dataset].get("chunks", 1))


def gpus_of(config: Mapping[str, Any], step: str) -> int:
    """Return how many GPUs a rule needs that draws or scores events, unless it gathers chunks."""
    return 0 if config["chunks"][step] > 1 else gpus_needed(config["device"])


def write_pieces(
    path: Path,
    pieces: Iterable[pd.DataFrame | pa.Table],
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write the pieces of a table or of a chunk, of which there may be none.

    Args:
        path: Parquet file.
        pieces: Rows.
        metadata: Texts to store in the file, which the first piece may still add to.
    """
    rest = iter(pieces)
    first = next(rest, NO_ROWS)
    with io.TableWriter(path, metadata=metadata) as writer:
        for piece in chain([first], rest):
            writer.write(piece)


def read_chunks(chunks: Sequence[Path]) -> Iterator[pa.Table]:
    """Yield the rows of all chunks, piece by piece."""
    for path in chunks:
        for piece in io.read_pieces(path):
            if piece.num_rows:
                yield piece


def join_chunks(chunks: Sequence[Path], table: Path) -> None:
    """Write the rows of all chunks to ``table``, byte by byte as a job alone would."""
    write_pieces(table, read_chunks(chunks), metadata=io.read_table_metadata(chunks[0]))
