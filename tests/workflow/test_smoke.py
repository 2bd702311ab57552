"""The smoke study runs from end to end, and again with the same contents."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from bumpflow import io
from tests.workflow.helpers import ROOT

TIMED = re.compile(r"(?:^|_)(?:milli)?(?:seconds|rate)$|per_second$")  # keys that time decides
OUTPUT = "smoke.log"
TIMED_FILES = re.compile(r"^(logs|benchmarks)/|report\.html$|/(sampling_rates|hunt_comparison)\.")


def start_smoke(folder):
    """Start the smoke study on one core, with its results below ``folder``.

    What it says goes to a file: a pipe that nobody reads would stop it as soon as it is full.
    """
    command = [sys.executable, "-m", "snakemake", "--directory", folder, "--cores", "1"]
    with (folder / OUTPUT).open("w") as output:
        return subprocess.Popen(
            [*command, "--configfile", "config/smoke.yaml"],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The results of two runs, side by side."""
    folders = [tmp_path_factory.mktemp("smoke") for _ in range(2)]
    started = [start_smoke(folder) for folder in folders]
    for folder, run in zip(folders, started, strict=True):
        assert run.wait() == 0, (folder / OUTPUT).read_text()[-5000:]
    return [folder / "results/smoke" for folder in folders]


def files(folder):
    paths = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {path for path in paths if not TIMED_FILES.search(path)}


def untimed(record):
    """Return a JSON record without what time decides."""
    if isinstance(record, dict):
        if TIMED.search(record.get("quantity", "")):
            return None
        return {key: untimed(value) for key, value in record.items() if not TIMED.search(key)}
    return [untimed(item) for item in record] if isinstance(record, list) else record


def content(path):
    """Return what a file says, without what time decides."""
    if path.suffix == ".json":
        return untimed(io.read_json(path))
    if path.suffix == ".parquet":
        table = io.read_table(path)
        if "quantity" in table:
            table = table[~table["quantity"].str.contains(TIMED)]
        return table[[column for column in table if not TIMED.search(column)]]
    return path.read_bytes()


def same(first, second):
    one, other = content(first), content(second)
    return one.equals(other) if isinstance(one, pd.DataFrame) else one == other


@pytest.mark.slow
def test_smoke_study_makes_report_and_scorecard(runs):
    for folder in runs:
        assert (folder / "report.html").stat().st_size > 100_000
        scorecard = io.read_table(folder / "scorecard.parquet")
        models = io.read_yaml(folder / "config.yaml")["surrogates"]["models"]
        wanted = {f"surrogates.{model}.c2st_auc" for model in [*models, "control"]}
        wanted |= {f"histfactory.{arm}.coverage68" for arm in ("mc", "surrogate", "reweighted")}
        assert wanted <= set(scorecard["quantity"])


@pytest.mark.slow
def test_smoke_study_repeats_itself(runs):
    first, second = runs
    assert files(first) == files(second)
    assert len(files(first)) > 50
    assert [path for path in sorted(files(first)) if not same(first / path, second / path)] == []


@pytest.mark.slow
def test_no_part_of_a_file_is_left(runs):
    assert [path for folder in runs for path in Path(folder).rglob("*.part*")] == []
