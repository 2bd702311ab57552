"""Large tables by chunks, through Snakemake: the same files for any number of chunks."""

import re

import numpy as np
import pandas as pd
import pytest

from bumpflow import io
from tests.workflow.helpers import ROOT, snakemake

TABLES = ("ingested", "events")
EVENTS = "results/mine/events/own/events.parquet"


def write_study(folder, n_chunks):
    """Describe a dataset of a user's own that is read in chunks."""
    dataset = {"path": "own.csv", "layout": "table", "columns": ["pt", "mass"], "label": 0}
    dataset |= {"source": "me", "duplicates": "drop", "chunks": n_chunks}
    study = {"study": "mine", "analyses": ["ddp"], "datasets": {"own": dataset}}
    io.write_yaml(folder / "study.yaml", study)


@pytest.fixture
def folder(tmp_path):
    x = np.random.default_rng(0).normal(size=(3000, 2)).round(3)
    pd.DataFrame(x, columns=["pt", "mass"]).to_csv(tmp_path / "own.csv", index=False)
    return tmp_path


def run(folder, *arguments):
    """Run the study and return the names of the rules that ran or would run, one per job."""
    study = ("--configfile", folder / "study.yaml")
    profile = ("--profile", ROOT / "profiles/default", "--cores", 1)
    job = snakemake(folder, EVENTS, *study, *profile, *arguments)
    return re.findall(r"^(?:local)?rule (\w+):", job.stdout + job.stderr, re.MULTILINE)


def test_number_of_chunks_changes_no_byte_and_need_redo_nothing(folder):
    write_study(folder, 1)
    assert run(folder) == ["ingest_events", "split_events"]
    results = folder / "results/mine/events/own"
    whole = [io.read_bytes(results / f"{name}.parquet") for name in TABLES]
    write_study(folder, 3)
    leave = ("--rerun-triggers", "mtime", "params", "software-env")
    assert run(folder, "--dry-run", *leave) == []
    assert sorted(run(folder)) == ["ingest_chunk"] * 3 + ["ingest_events", "split_events"]
    assert [io.read_bytes(results / f"{name}.parquet") for name in TABLES] == whole
    assert not list((results / "chunks").glob("*"))
    assert len(io.read_table(folder / EVENTS)) > 2900


def test_compressed_file_in_chunks_is_refused_before_any_job(folder):
    write_study(folder, 2)
    study = io.read_yaml(folder / "study.yaml")
    study["datasets"]["own"]["path"] = "own.csv.gz"
    io.write_yaml(folder / "study.yaml", study)
    plan = snakemake(folder, EVENTS, "-n", "--configfile", folder / "study.yaml", check=False)
    said = plan.stdout + plan.stderr
    assert "datasets.own.chunks: own.csv.gz is compressed as a whole and read by one job" in said
