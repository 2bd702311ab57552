"""A user's own events: fetched, brought in and split by the workflow."""

import http.server
import re
import threading
from functools import partial

import pytest
import yaml

from bumpflow import io
from tests.workflow.helpers import snakemake

EVENTS = "results/mine/events/mine/events.parquet"
FILE = "results/downloads/mine.csv"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """A server of files that says nothing."""

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def url(tmp_path):
    (tmp_path / "served").mkdir()
    rows = "".join(f"{i}.5,{-i},{i % 2}\n" for i in range(100))
    (tmp_path / "served" / "mine.csv").write_text("pt,eta,label\n" + rows)
    handler = partial(QuietHandler, directory=tmp_path / "served")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/mine.csv"
        server.shutdown()
        thread.join()


def run(folder, url, *arguments, train=0.68, test=0.02, **settings):
    """Run the workflow up to the split events, in ``folder``."""
    dataset = {"path": FILE, "layout": "table", "source": "me", "duplicates": "keep"}
    dataset |= {"url": url} | settings
    study = {"study": "mine", "datasets": {"mine": dataset}}
    study["splits"] = {"train": train, "test": test}
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    overlay = folder / "study.yaml"
    return snakemake(
        folder, EVENTS, "--cores", 1, *arguments, "--configfile", overlay, check=False
    )


def planned(job):
    """Return the rules that a dry run would run."""
    return set(re.findall(r"^rule (\w+):", job.stdout + job.stderr, re.MULTILINE))


def test_own_events_are_fetched_once_and_split_again_alone(url, tmp_path):
    job = run(tmp_path, url)
    assert job.returncode == 0, job.stdout + job.stderr
    table = io.read_table(tmp_path / EVENTS)
    assert [*table.columns] == ["pt", "eta", "label", "split"]
    assert len(table) == 100
    assert not (tmp_path / FILE).stat().st_mode & 0o222

    assert planned(run(tmp_path, url, "-n")) == set()
    assert planned(run(tmp_path, url, "-n", train=0.6, test=0.1)) == {"split_events"}
    again = planned(run(tmp_path, url, "-n", columns=["pt"]))
    assert again == {"ingest_events", "split_events"}


def test_without_network_a_file_placed_by_hand_will_do(tmp_path):
    url = "http://127.0.0.1:9/mine.csv"  # the discard port: nobody answers
    job = run(tmp_path, url)
    assert job.returncode != 0
    message = f"without network, fetch it elsewhere, place it at {FILE} and run again"
    assert message in job.stdout + job.stderr
    assert not (tmp_path / FILE).exists()

    (tmp_path / FILE).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / FILE).write_text("pt,label\n1,0\n2,1\n")
    assert run(tmp_path, url).returncode == 0
    assert len(io.read_table(tmp_path / EVENTS)) == 2
