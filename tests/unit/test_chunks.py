"""Shares of tables, and tables from shares."""

import numpy as np
import pandas as pd
import pytest

from bumpflow import io
from bumpflow.chunks import (
    chunk_files,
    count_blocks,
    dataset_chunks,
    gpus_of,
    join_chunks,
    share,
    share_each,
    write_pieces,
)

CONFIG = {
    "device": "cuda",
    "chunks": {"score_events": 2, "sample_surrogate": 1},
    "datasets": {"one": {}, "three": {"chunks": 3}},
}


@pytest.mark.parametrize("n", [0, 1, 5, 7, 100])
@pytest.mark.parametrize("n_chunks", [1, 3, 7])
def test_shares_are_neighbours_of_even_size_and_leave_nothing_out(n, n_chunks):
    shares = [share(n, [k, n_chunks]) for k in range(n_chunks)]
    assert [i for mine in shares for i in mine] == list(range(n))
    sizes = [len(mine) for mine in shares]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("n_chunks", [1, 3, 7])
def test_things_of_several_kinds_are_counted_through(n_chunks):
    counts = [4, 0, 9, 1]
    shares = [share_each(counts, [k, n_chunks]) for k in range(n_chunks)]
    for kind, count in enumerate(counts):
        assert [i for mine in shares for i in mine[kind]] == list(range(count))
    sizes = [sum(map(len, mine)) for mine in shares]
    assert max(sizes) - min(sizes) <= 1


def test_last_block_may_be_smaller():
    assert [count_blocks(n, 10) for n in (1, 10, 11)] == [1, 1, 2]


@pytest.mark.parametrize("n_chunks", [1, 3, 7])
def test_joined_chunks_are_the_table_byte_by_byte(tmp_path, monkeypatch, n_chunks):
    """Row groups, pages and metadata included, and chunks without rows left out."""
    monkeypatch.setattr(io, "ROW_GROUP", 64)
    x = np.random.default_rng(0).normal(size=(500, 2)).astype("f4")
    table = io.as_split(pd.DataFrame(x, columns=["a", "b"]), "new", names=["old", "new"], label=1)
    blocks = [table.slice(start, 90) for start in range(0, 500, 90)]
    metadata = {"source": "a test"}
    write_pieces(tmp_path / "whole.parquet", blocks, metadata=metadata)
    chunks = [tmp_path / f"{k}.parquet" for k in range(n_chunks)]
    for k, path in enumerate(chunks):
        mine = [blocks[i] for i in share(len(blocks), [k, n_chunks])]
        write_pieces(path, mine, metadata=metadata)
    join_chunks(chunks, tmp_path / "joined.parquet")
    assert io.read_bytes(tmp_path / "joined.parquet") == io.read_bytes(tmp_path / "whole.parquet")
    assert len(io.read_table(tmp_path / "joined.parquet")) == 500


def test_one_chunk_is_no_chunk():
    assert chunk_files(1, "chunks/", ".json") == []
    files = ["chunks/part0.json", "chunks/part1.json"]
    assert chunk_files(2, "chunks/part", ".json") == files


def test_one_job_reads_a_file_by_default():
    assert [dataset_chunks(CONFIG, name) for name in ("one", "three")] == [1, 3]


def test_gathering_takes_no_gpu():
    assert gpus_of(CONFIG, "sample_surrogate") == 1
    assert gpus_of(CONFIG, "score_events") == 0
