"""A user's own histograms: scanned by one command, refused with their place if bad; own events."""

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
SHAPES = "results/mine/ddp/categories/chan1/shapes.parquet"
EVENTS = f"""
study: mine
ddp:
  darkmachines: {{chan1: {{files: [chan1.csv], unit: MeV, luminosity_fb: 10}}}}
  categories: {{mixture: chan1, n_bins: [8, 100]}}
  shapes: {SHAPES}
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


def write_many(path, *, n=8, bump=5):
    """Write histograms in one table, of which one has a bump at 21."""
    low = np.arange(40.0)
    values = np.random.default_rng(1).poisson(400 * np.exp(-low / 15), (n, 40))
    values[bump, 20:23] += 60
    names = np.repeat([f"n{k}" for k in range(n)], 40)
    bins = {"low": np.tile(low, n), "high": np.tile(low + 1, n), "count": values.ravel()}
    pd.DataFrame({"histogram": names} | bins).to_parquet(path)


@pytest.mark.slow
def test_own_histograms_are_scanned_by_one_command(tmp_path):
    write_histogram(tmp_path / "My peak.csv")
    write_many(tmp_path / "many.parquet")
    own = f"scan=[{tmp_path / 'My peak.csv'},{tmp_path / 'many.parquet'}]"
    job = snakemake(tmp_path, "scan", "--cores", 2, "--config", own)
    ranked = io.read_json(tmp_path / SCAN / "summary.json")
    assert [row["rank"] for row in ranked] == list(range(1, 14))
    found = {row["histogram"]: row for row in ranked}
    many = {f"many n{k}" for k in range(8)}
    assert set(found) == {"hyy", "dijet", "upsilon", "z", "mypeak"} | many
    assert next(row for row in ranked if row["histogram"] in many)["histogram"] == "many n5"
    assert found["many n5"]["low"] == pytest.approx(21, abs=1)
    assert (job.stdout + job.stderr).count("rule scan_histograms:") == 1
    mine = found["mypeak"]
    assert mine["low"] == pytest.approx(145, abs=4)
    assert mine["p_global"] < 0.01
    assert mine["covered"], mine["reasons"]
    figures = tmp_path / "results/ddp/general/figures"
    assert (figures / "scan_mypeak.png").exists()
    assert (figures / "hunt_top.png").exists()
    assert not list(figures.glob("*many*"))
    # What the issue of the real spectra asks for.
    bumps = [(bump["low"] + bump["high"]) / 2 for bump in found["upsilon"]["bumps"][:3]]
    assert sorted(bumps) == pytest.approx([9.46, 10.02, 10.36], abs=0.06)
    assert found["dijet"]["z_global"] < 2
    assert found["hyy"]["low"] <= 126.5 <= found["hyy"]["high"]


def test_bad_histograms_are_refused_before_any_job(tmp_path):
    write_histogram(tmp_path / "bad.csv", count=-5)
    write_histogram(tmp_path / "worse.csv", count="inf")
    (tmp_path / "study.yaml").write_text(STUDY.format(folder=tmp_path))
    own = f"scan={tmp_path / 'worse.csv'}"
    study = ("--configfile", tmp_path / "study.yaml", "--config", own)
    plan = snakemake(tmp_path, "scan", "--dry-run", *study, check=False)
    said = plan.stdout + plan.stderr
    assert plan.returncode != 0
    assert "bad.csv, line 11, bin 10 from 118 to 120 has the count -5" in said
    assert "worse.csv, line 11, bin 10 from 118 to 120 has the count inf" in said
    assert "rule calibrate_hunter" not in said


def write_darkmachines(path, n=600):
    """Write pairs of jets whose masses fall, in the public format, in MeV."""
    rng = np.random.default_rng(2)
    with path.open("w") as file:
        for event, pt in enumerate(30e3 * (1 - rng.random(n)) ** -0.5):
            jets = ";".join(f"j,{pt:.1f},{pt:.1f},0,{phi}" for phi in (0.0, 3.0))
            file.write(f"{event};njets;1;0;0;{jets}\n")


@pytest.mark.slow
def test_own_events_of_dark_machines_give_shapes_to_train_with(tmp_path):
    write_darkmachines(tmp_path / "chan1.csv")
    (tmp_path / "study.yaml").write_text(EVENTS)
    study = ("--configfile", tmp_path / "study.yaml")
    job = snakemake(tmp_path, SHAPES, "--cores", 1, *study)
    assert "simulate_chunk" not in job.stdout + job.stderr
    shapes = io.read_table(tmp_path / SHAPES)
    assert set(shapes["combination"]) == {"j1_j2"}
    assert shapes["low_gev"].min() == pytest.approx(60, rel=0.1)
    assert {"c0", "c3", "split"} <= set(shapes)
