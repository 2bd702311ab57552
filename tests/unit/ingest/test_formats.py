import gzip

import numpy as np
import pandas as pd
import pytest

from bumpflow import io
from bumpflow.ingest import text
from bumpflow.ingest.layout import HIGGS_FEATURES, InvalidEvents
from tests.unit.ingest.conftest import as_text

NAMES = ["label", *HIGGS_FEATURES]


def last(rows):
    return [[*row[1:], row[0]] for row in rows]


TEXTS = {
    "label first": ("higgs.csv", lambda rows: as_text(rows)),
    "label last": ("higgs.csv", lambda rows: as_text(last(rows))),
    "header": ("higgs.csv", lambda rows: as_text([NAMES, *rows])),
    "header, label last": ("higgs.csv", lambda rows: as_text(last([NAMES, *rows]))),
    "header as UCI prints it": (
        "higgs.csv",
        lambda rows: as_text(
            [[name.replace("_", " ").replace("btag", "b-tag") for name in NAMES], *rows]
        ),
    ),
    "quoted header": ("higgs.csv", lambda rows: as_text([[f'"{name}"' for name in NAMES], *rows])),
    "no newline at the end": ("higgs.csv", lambda rows: as_text(rows).rstrip("\n")),
    "blank lines at the end": ("higgs.csv", lambda rows: as_text(rows) + "\n\n"),
    "Windows": ("higgs.csv", lambda rows: "\ufeff" + as_text([NAMES, *rows], end="\r\n")),
    "exponents": (
        "higgs.csv",
        lambda rows: as_text([[f"{float(value):.18e}" for value in row] for row in rows]),
    ),
    "spaces": ("higgs.csv", lambda rows: as_text(rows, separator=" , ")),
    "tabs": ("higgs.tsv", lambda rows: as_text(rows, separator="\t")),
    "gzip": ("higgs.csv.gz", lambda rows: gzip.compress(as_text(rows).encode())),
    "gzip in two members": (
        "higgs.csv.gz",
        lambda rows: b"".join(
            gzip.compress(as_text(part).encode()) for part in (rows[:5], rows[5:])
        ),
    ),
    "gzipped tabs": ("higgs.tsv.gz", lambda rows: gzip.compress(as_text(rows, "\t").encode())),
}


def check_table(path, events):
    table = io.read_table(path)
    assert [*table.columns] == [*HIGGS_FEATURES, "label"]
    assert {str(kind) for kind in table[[*HIGGS_FEATURES]].dtypes} == {"float32"}
    assert table["label"].dtype == np.int8
    np.testing.assert_array_equal(table[[*HIGGS_FEATURES]], events[0])
    np.testing.assert_array_equal(table["label"], events[1])


@pytest.mark.parametrize(("name", "write"), TEXTS.values(), ids=TEXTS)
def test_text_formats_give_the_same_events(name, write, events, rows, ingest):
    found = ingest(write(rows), name=name)
    check_table(ingest.table, events)
    assert found[3:] == (12, 0, 12, 6, 6)


@pytest.mark.parametrize("chunk", [300, 1000, 4096])
def test_blocks_of_any_size_give_the_same_events(chunk, events, rows, ingest, monkeypatch):
    monkeypatch.setattr(text, "CHUNK", chunk)
    ingest(as_text([NAMES, *rows]))
    check_table(ingest.table, events)


def test_lines_are_counted_across_blocks(rows, ingest, monkeypatch):
    monkeypatch.setattr(text, "CHUNK", 1000)
    rows[10][3] = "x"
    with pytest.raises(InvalidEvents, match=r"line 12, column 'lepton_phi'"):
        ingest(as_text([NAMES, *rows]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_array_with_labels_beside_it(dtype, order, events, ingest, tmp_path):
    np.save(tmp_path / "x.npy", np.asarray(events[0], dtype=dtype, order=order))
    np.save(tmp_path / "y.npy", events[1])
    ingest(tmp_path / "x.npy", labels=tmp_path / "y.npy")
    check_table(ingest.table, events)


@pytest.mark.parametrize("label_at", [0, 28])
def test_array_with_labels_inside(label_at, events, ingest, tmp_path):
    np.save(tmp_path / "x.npy", np.insert(events[0], label_at, events[1], axis=1))
    ingest(tmp_path / "x.npy")
    check_table(ingest.table, events)


@pytest.mark.parametrize(("x", "y"), [("X", "y"), ("features", "labels")])
def test_npz_pair(x, y, events, ingest, tmp_path):
    np.savez_compressed(tmp_path / "e.npz", **{x: events[0], y: events[1].reshape(-1, 1)})
    ingest(tmp_path / "e.npz")
    check_table(ingest.table, events)


@pytest.mark.parametrize("kind", ["float64", "int64", "bool"])
def test_parquet_in_any_column_order(kind, events, ingest, tmp_path):
    table = pd.DataFrame(events[0].astype("float64"), columns=[*HIGGS_FEATURES])
    table.insert(4, "label", events[1].astype(kind))
    table.to_parquet(tmp_path / "e.parquet")
    ingest(tmp_path / "e.parquet")
    check_table(ingest.table, events)


def test_metadata_tell_source_and_checksum(rows, ingest, tmp_path):
    ingest(as_text(rows))
    metadata = io.read_table_metadata(ingest.table)
    assert metadata["source"] == "synthetic"
    assert metadata["sha256"] == io.sha256_of(tmp_path / "higgs.csv")
    assert metadata["file"] == "higgs.csv"


@pytest.mark.parametrize(("policy", "kept"), [("drop", 12), ("keep", 15)])
def test_duplicates_are_counted_and_dropped_or_kept(
    policy, kept, events, rows, ingest, monkeypatch
):
    monkeypatch.setattr(text, "CHUNK", 2000)  # some repeat within a block, some across blocks
    found = ingest(as_text([*rows, rows[0], rows[11], rows[11]]), duplicates=policy)
    assert (found.n_read, found.n_duplicates, found.n_written) == (15, 3, kept)
    if policy == "drop":
        check_table(ingest.table, events)


def test_same_features_with_another_label_are_no_duplicate(rows, ingest):
    other = ["0" if rows[0][0] == "1" else "1", *rows[0][1:]]
    assert ingest(as_text([*rows, other])).n_duplicates == 0


def test_own_table_takes_its_columns_and_one_label_for_all(ingest):
    found = ingest(
        "pt,eta,comment\n3.5,-1,a\n2.5,1,b\n", kind="table", label=1, columns=["eta", "pt"]
    )
    table = io.read_table(ingest.table)
    assert table.to_dict("list") == {"eta": [-1.0, 1.0], "pt": [3.5, 2.5], "label": [1, 1]}
    assert found.n_signal == 2


def test_own_table_can_rename_columns(ingest):
    options = {"label": "is_signal", "columns": {"mass": "M (GeV)"}, "nonnegative": ["mass"]}
    ingest("M (GeV),is_signal\n91.2,0\n125,1\n", kind="table", **options)
    table = io.read_table(ingest.table)
    np.testing.assert_array_equal(table["mass"], np.float32([91.2, 125.0]))
    np.testing.assert_array_equal(table["label"], [0, 1])


def test_byte_order_mark_is_no_part_of_a_name(ingest):
    ingest("\ufeffpt,label\n1,0\n", kind="table", columns=["pt"])
    assert io.read_table(ingest.table)["pt"].tolist() == [1.0]


def test_own_table_takes_all_columns_by_default(ingest, tmp_path):
    pd.DataFrame({"a": [1.0, 2.0], "label": [0, 1], "b": [3, 4]}).to_parquet(
        tmp_path / "t.parquet"
    )
    ingest(tmp_path / "t.parquet", kind="table")
    assert [*io.read_table(ingest.table).columns] == ["a", "b", "label"]


def test_minus_zero_becomes_zero(rows, ingest):
    rows[0][2] = "-0.0"
    ingest(as_text(rows))
    assert not np.signbit(io.read_table(ingest.table)["lepton_eta"][0])
