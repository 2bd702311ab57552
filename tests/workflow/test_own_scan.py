"""A user's own histogram: scanned from the command line, refused with its place if it is bad."""

import numpy as np
import pandas as pd
import pytest

from bumpflow import io
from tests.workflow.helpers import snakemake

SCAN = "results/ddp/general/scan"
STUDY = """
study: mine
histograms: {{peak: {{path: {folder}/bad.csv, source: me}}}}
ddp: {{histograms: [peak], calibration: {{n_histograms: 140}}}}
"""


def write_histogram(path, *, count=None):
    """Write a falling spectrum with a bump at 145 GeV, and maybe a count that cannot be."""
    edges = np.linspace(100, 220, 61)
    mass = (edges[1:] + edges[:-1]) / 2
    expected = 800 * np.exp(-(mass - 100) / 50) + 120 * np.exp(-0.5 * ((mass - 145) / 4) ** 2)
    values = np.random.default_rng(3).poisson(expected).astype(float)
    if count is not None:
        values[9] = count
    table = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": values})
    table.to_csv(path, index=False)


@pytest.mark.slow
def test_own_histogram_is_scanned_by_one_command(tmp_path):
    write_histogram(tmp_path / "My peak.csv")
    own = f"scan={tmp_path / 'My peak.csv'}"
    snakemake(tmp_path, "scan", "--cores", 2, "--config", own)
    found = {row["histogram"]: row for row in io.read_json(tmp_path / SCAN / "summary.json")}
    assert set(found) == {"hyy", "dijet", "upsilon", "z", "mypeak"}
    mine = found["mypeak"]
    assert mine["low"] == pytest.approx(145, abs=4)
    assert mine["p_global"] < 0.01
    assert mine["covered"], mine["reasons"]
    figures = tmp_path / "results/ddp/general/figures"
    assert (figures / "scan_mypeak.png").exists()
    # What the issue of the real spectra asks for.
    bumps = [(bump["low"] + bump["high"]) / 2 for bump in found["upsilon"]["bumps"][:3]]
    assert sorted(bumps) == pytest.approx([9.46, 10.02, 10.36], abs=0.06)
    assert found["dijet"]["z_global"] < 2
    assert found["hyy"]["low"] <= 126.5 <= found["hyy"]["high"]


@pytest.mark.slow
def test_bad_histogram_is_refused_with_its_place(tmp_path):
    write_histogram(tmp_path / "bad.csv", count=-5)
    (tmp_path / "study.yaml").write_text(STUDY.format(folder=tmp_path))
    job = snakemake(
        tmp_path, "scan", "--cores", 1, "--configfile", tmp_path / "study.yaml", check=False
    )
    assert job.returncode != 0
    assert "bad.csv, line 11" in job.stdout + job.stderr
