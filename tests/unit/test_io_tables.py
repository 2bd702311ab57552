import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from bumpflow import io


@pytest.fixture
def table():
    return pd.DataFrame(
        {"x": np.arange(10, dtype="float32"), "split": pd.Categorical(["a", "b"] * 5)}
    )


def test_pieces_join_into_full_row_groups(table, tmp_path, monkeypatch):
    monkeypatch.setattr(io, "ROW_GROUP", 4)
    with io.TableWriter(tmp_path / "t.parquet") as writer:
        for start, stop in [(0, 1), (1, 2), (2, 9), (9, 10)]:
            writer.write(table[start:stop])
    metadata = pq.read_metadata(tmp_path / "t.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [4, 4, 2]
    pd.testing.assert_frame_equal(io.read_table(tmp_path / "t.parquet"), table)


def test_metadata_from_before_and_after_the_rows(table, tmp_path):
    with io.TableWriter(tmp_path / "t.parquet", metadata={"source": "UCI"}) as writer:
        writer.write(table)
        writer.add_metadata({"n": "10"})
    assert io.read_table_metadata(tmp_path / "t.parquet") == {"source": "UCI", "n": "10"}


def write_and_fail(path, table):
    with io.TableWriter(path) as writer:
        writer.write(table)
        msg = "stop"
        raise RuntimeError(msg)


def test_failure_leaves_no_table(table, tmp_path):
    with pytest.raises(RuntimeError, match="stop"):
        write_and_fail(tmp_path / "t.parquet", table)
    assert not [*tmp_path.iterdir()]


def test_table_is_read_in_pieces(table, tmp_path):
    io.write_table(tmp_path / "t.parquet", table)
    pieces = [piece.to_pandas() for piece in io.read_pieces(tmp_path / "t.parquet", n_rows=4)]
    assert [len(piece) for piece in pieces] == [4, 4, 2]
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), table)


def test_missing_columns_are_named(table, tmp_path):
    io.write_table(tmp_path / "t.parquet", table)
    io.check_columns(tmp_path / "t.parquet", ["x"])
    message = r"t.parquet has no column 'y', 'z': choose `features` among x, split"
    with pytest.raises(ValueError, match=message):
        io.check_columns(tmp_path / "t.parquet", ["x", "y", "z"])


def test_sha256_of_nothing(tmp_path):
    (tmp_path / "empty").touch()
    assert io.sha256_of(tmp_path / "empty").startswith("e3b0c44298fc1c149afbf4c8996fb924")
