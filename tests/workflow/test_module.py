"""The whole workflow as a module of somebody's own project, which runs somewhere else."""

import re

import numpy as np
import pandas as pd
import pytest

from bumpflow import io
from tests.workflow.helpers import ROOT, run_python

USE = """
configfile: workflow.source_path("config.yaml")

module bumpflow:
    snakefile: "{root}/Snakefile"
    config: config["bumpflow"]

"""
RENAMED = """
rule tell:
    input: "results/mine/ddp/general/scan/summary.json"
    output: "told.json"
    shell: "cp {{input}} {{output}}"

use rule * from bumpflow as bumpflow_*

use rule scan_histograms from bumpflow as bumpflow_scan_histograms with:
    resources: mem_mb=1234, runtime=7
    params: settings=config["bumpflow"]["ddp"]["scan"] | {{"degree": 3}}
"""
PLAIN = """
use rule * from bumpflow exclude all

rule all:
    default_target: True
    input: "results/mine/surrogates/summary.json"
"""
CONFIG = {
    "threshold": 3,  # the project's own
    "bumpflow": {
        "study": "mine",
        "analyses": ["surrogates", "ddp"],
        "datasets": {
            "own": {
                "path": "own.csv",
                "layout": "table",
                "columns": ["pt", "mass"],
                "label": 0,
                "source": "me",
                "duplicates": "keep",
            }
        },
        "features": ["pt", "mass"],
        "surrogates": {"dataset": "own", "models": ["maf"]},
        "histograms": {"peak": {"path": "peak.csv", "source": "me"}},
        "ddp": {
            "histograms": ["peak"],
            "scan": {"n_toys": 40},
            "calibration": {"n_histograms": 140},
        },
    },
}


@pytest.fixture
def elsewhere(tmp_path):
    """A folder with a falling spectrum that has a bump at 145 GeV, and with own events."""
    folder = tmp_path / "elsewhere"
    edges = np.linspace(100, 220, 61)
    mass = (edges[1:] + edges[:-1]) / 2
    expected = 800 * np.exp(-(mass - 100) / 50) + 150 * np.exp(-0.5 * ((mass - 145) / 4) ** 2)
    counts = np.random.default_rng(3).poisson(expected)
    table = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": counts})
    folder.mkdir()
    for name in ("peak", "other"):
        table.to_csv(folder / f"{name}.csv", index=False)
    (folder / "own.csv").write_text("pt,mass\n1,2\n")
    return folder


def run(folder, rules, *arguments, config=CONFIG, check=True):
    """Run a project with some rules and return what Snakemake says."""
    project = folder.parent / "project"
    project.mkdir()
    (project / "Snakefile").write_text((USE + rules).format(root=ROOT))
    io.write_yaml(project / "config.yaml", config)
    command = ("-m", "snakemake", "--cores", 1, "--directory", folder)
    job = run_python(*command, *arguments, folder=project, check=check)
    return job.stdout + job.stderr


def planned(said):
    """Return how many jobs of each rule a dry run plans."""
    return {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", said, re.MULTILINE)}


@pytest.mark.slow
def test_project_adds_a_rule_to_what_the_workflow_finds(elsewhere):
    said = run(elsewhere, RENAMED)
    (found,) = io.read_json(elsewhere / "told.json")
    assert found["low"] <= 145 <= found["high"]
    assert found["high"] - found["low"] < 15
    assert re.search(r"rule bumpflow_scan_histograms:[^\[]*mem_mb=1234", said)
    toys = io.read_table(elsewhere / "results/mine/ddp/general/scan/toys.parquet")
    assert len(toys) == 40
    assert (elsewhere / "results/mine/logs/scan_histograms/general.log").exists()
    assert not (elsewhere.parent / "project/results").exists()


def test_files_are_scanned_by_one_command(elsewhere):
    own = ("bumpflow_scan", "--dry-run", "--config", "bumpflow={scan: other.csv}")
    said = run(elsewhere, RENAMED, *own)
    jobs = planned(said)
    assert jobs["bumpflow_scan_histograms"] == 1
    assert jobs["bumpflow_plot_histogram_scan"] == 2
    assert "results/mine/ddp/general/figures/scan_other.png" in said


def test_rules_keep_their_names_without_a_prefix(elsewhere):
    """The project's own dataset, one model, and one rule preferred to another (``ruleorder``)."""
    jobs = planned(run(elsewhere, PLAIN, "--dry-run"))
    assert jobs["all"] == jobs["ingest_events"] == jobs["train_surrogate"] == 1
    assert jobs["sample_surrogate"] == jobs["draw_control"] == 1
    assert jobs["run_c2st"] == 2
    assert set(jobs).isdisjoint({"simulate_chunk", "scan_histograms", "write_report"})


def test_shipped_report_is_planned_as_in_a_study_of_its_own(elsewhere):
    said = run(elsewhere, RENAMED, "--dry-run", "bumpflow_all")
    assert planned(said)["bumpflow_write_report"] == 1


def test_misspelt_key_of_a_project_is_refused(elsewhere):
    config = {"bumpflow": CONFIG["bumpflow"] | {"feature": ["pt"]}}
    said = run(elsewhere, RENAMED, "--dry-run", config=config, check=False)
    assert "the top level: unknown key 'feature'; did you mean 'features'?" in said
