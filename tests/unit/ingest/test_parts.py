"""Files of events read in parts, by jobs of their own, are what one job reads."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bumpflow import io
from bumpflow.ingest import text
from bumpflow.ingest.convert import ingest_events, ingest_part, read_blocks
from bumpflow.ingest.layout import InvalidEvents, build_layout

COLUMNS = ["pt", "mass"]
LAYOUT = build_layout("table", {"columns": COLUMNS, "label": "label"})


@pytest.fixture
def events():
    """Events of which some repeat others, far apart."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(997, 2)).astype("f4"), columns=COLUMNS)
    table["label"] = rng.integers(0, 2, len(table)).astype("f4")
    table.iloc[[500, 996]] = table.iloc[[3, 40]].to_numpy()
    return table


@pytest.fixture
def write(tmp_path, events, monkeypatch):
    """Return a function that writes the events as a file with some ending."""
    monkeypatch.setattr(text, "CHUNK", 1000)

    def write(ending):
        path = tmp_path / f"events{ending}"
        if ending == ".parquet":
            events.to_parquet(path, row_group_size=90)
        elif ending == ".npy":
            np.save(path, events.to_numpy())
        else:
            plain = events.to_csv(index=False, sep="\t" if ending == ".tsv" else ",")
            newline = "\r\n" if ending == ".tsv" else "\n"
            path.write_text(plain.rstrip("\n").replace("\n", newline) + 3 * newline, newline="")
        return path

    return write


def layout_of(path):
    if path.suffix == ".npy":
        outer = build_layout("higgs", {"label": "last"})
        return replace(outer, features=tuple(COLUMNS), nonnegative=frozenset())
    return LAYOUT


def gather(path, folder, n_chunks, **options):
    """Ingest a file in chunks and return what was found."""
    chunks = [folder / f"{k}.parquet" for k in range(n_chunks)]
    layout = layout_of(path)
    for k, part in enumerate(chunks):
        ingest_part(path, part, layout=layout, labels=None, chunk=[k, n_chunks])
    settings = {"source": "me", "duplicates": "drop", **options}
    return ingest_events(path, folder / "table.parquet", layout=layout, chunks=chunks, **settings)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".npy", ".parquet"])
@pytest.mark.parametrize("n_chunks", [1, 3, 7, 40])
def test_parts_are_gathered_to_the_same_bytes(tmp_path, write, ending, n_chunks):
    path = write(ending)
    whole, parts = tmp_path / "whole.parquet", tmp_path / "parts"
    record = ingest_events(path, whole, layout=layout_of(path), source="me", duplicates="drop")
    assert gather(path, parts, n_chunks) == record
    assert (record.n_read, record.n_duplicates) == (997, 2)
    assert io.read_bytes(parts / "table.parquet") == io.read_bytes(whole)


@pytest.mark.parametrize("n_chunks", [3, 7])
def test_fault_has_its_line_in_the_file(tmp_path, write, n_chunks):
    path = write(".csv")
    lines = path.read_text().split("\n")
    lines[700] = "1,x,0"
    path.write_text("\n".join(lines))
    with pytest.raises(InvalidEvents, match=r"events.csv, line 701, column 'mass': 'x'"):
        gather(path, tmp_path, n_chunks)
    lines[700] = ""
    path.write_text("\n".join(lines))
    with pytest.raises(InvalidEvents, match=r"events.csv, line 701: an empty line"):
        gather(path, tmp_path, n_chunks)


@pytest.mark.parametrize(("ending", "place"), [(".csv", "line 502"), (".parquet", "row 501")])
def test_repeated_event_has_its_place_in_the_file(tmp_path, write, ending, place):
    with pytest.raises(InvalidEvents, match=f"{place}: the event repeats an earlier one"):
        gather(write(ending), tmp_path, 3, duplicates="error")


def test_every_line_is_in_one_part(tmp_path, write):
    """Wherever the bytes are cut, and also where there are more parts than lines."""
    path = write(".csv")
    short = tmp_path / "short.csv"
    short.write_text("\n".join(path.read_text().split("\n")[:5]))
    for n_chunks in range(2, 40):
        rows = [
            len(block)
            for k in range(n_chunks)
            for block in read_blocks(short, LAYOUT, chunk=[k, n_chunks])
        ]
        assert sum(rows) == 4, n_chunks


def test_compressed_files_have_no_parts(tmp_path):
    with pytest.raises(InvalidEvents, match=r"a.csv.gz: compressed as a whole"):
        read_blocks(tmp_path / "a.csv.gz", LAYOUT, chunk=[0, 2])
