import hashlib
import http.server
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bumpflow import io
from bumpflow.ingest.layout import HIGGS_FEATURES
from scripts import download_higgs, ingest_events, split_events

FRACTIONS = {"train": 0.68, "validation": 0.06, "test": 0.02, "holdouta": 0.12, "holdoutb": 0.12}
RESOURCE = Path(__file__).parents[2] / "resources" / "higgs_uci.parquet"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("events")


@pytest.fixture(scope="module")
def ingested(folder):
    ingest_events.main(
        events=RESOURCE,
        labels=[],
        chunks=[],
        table=folder / "ingested.parquet",
        record=folder / "ingest.json",
        layout="higgs",
        options={},
        source="UCI HIGGS",
        duplicates="error",
        sha256=None,
    )
    return folder / "ingested.parquet"


@pytest.fixture(scope="module")
def split(folder, ingested):
    split_events.main(
        table=ingested, events=folder / "events.parquet", fractions=FRACTIONS, salt=0
    )
    return folder / "events.parquet"


def test_embedded_events_come_in_whole(ingested):
    record = io.read_json(ingested.with_name("ingest.json"))
    assert record == {
        "file": "higgs_uci.parquet",
        "source": "UCI HIGGS",
        "sha256": io.sha256_of(RESOURCE),
        "n_read": 31652,
        "n_duplicates": 0,
        "n_written": 31652,
        "n_background": 14866,
        "n_signal": 16786,
    }
    np.testing.assert_array_equal(io.read_table(ingested), io.read_table(RESOURCE))


def test_splits_are_a_column_of_names(split, ingested):
    table = io.read_table(split)
    assert [*table["split"].cat.categories] == [*FRACTIONS]
    assert table["split"].notna().all()
    np.testing.assert_array_equal(table.drop(columns="split"), io.read_table(ingested))
    assert io.read_table_metadata(split)["source"] == "UCI HIGGS"


def test_default_study_trains_on_about_ten_thousand_background_events(split):
    events = io.read_events(split, features=HIGGS_FEATURES, label=0, splits=["train"])
    assert 10_000 <= len(events) <= 10_300


def test_no_event_is_in_two_splits(split):
    parts = [
        io.read_events(split, features=HIGGS_FEATURES, label=label, splits=[name])
        for name in FRACTIONS
        for label in (0, 1)
    ]
    assert sum(map(len, parts)) == 31652
    assert len({row.tobytes() for part in parts for row in part}) == 31652


def test_splits_survive_reordering_of_the_file(split, ingested, tmp_path):
    table = io.read_table(ingested).sample(frac=1, random_state=1)
    io.write_table(tmp_path / "shuffled.parquet", table)
    split_events.main(
        table=tmp_path / "shuffled.parquet",
        events=tmp_path / "events.parquet",
        fractions=FRACTIONS,
        salt=0,
    )
    again = io.read_table(tmp_path / "events.parquet")
    expected = io.read_table(split)["split"].iloc[table.index]
    assert [*again["split"]] == [*expected]


def test_labels_do_not_decide_the_split(split, ingested, tmp_path):
    table = io.read_table(ingested).assign(label=np.int8(0))
    io.write_table(tmp_path / "t.parquet", table)
    split_events.main(
        table=tmp_path / "t.parquet", events=tmp_path / "e.parquet", fractions=FRACTIONS, salt=0
    )
    assert [*io.read_table(tmp_path / "e.parquet")["split"]] == [*io.read_table(split)["split"]]


def test_download_from_a_local_server(tmp_path):
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "events.csv").write_bytes(b"1,2\n")
    handler = partial(QuietHandler, directory=tmp_path / "served")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        download_higgs.main(
            events=tmp_path / "events.csv",
            url=f"http://127.0.0.1:{server.server_port}/events.csv",
            sha256=hashlib.sha256(b"1,2\n").hexdigest(),
        )
        server.shutdown()
        thread.join()
    assert (tmp_path / "events.csv").read_bytes() == b"1,2\n"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """A server of files that says nothing."""

    def log_message(self, *args):
        """Say nothing."""
