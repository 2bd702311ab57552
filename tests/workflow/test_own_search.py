"""A user's own signal, background and observable, by configuration alone; pyhf opens the result."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bumpflow import io
from bumpflow.search.arms import ARMS
from tests.workflow.helpers import snakemake

STUDY = """
study: mine
device: cpu
datasets:
  mine: {{path: {folder}/background.csv, layout: table, label: 0, source: me, duplicates: keep}}
  resonance: {{path: {folder}/signal.csv, layout: table, label: 1, source: me, duplicates: keep}}
features: [mass, pt]
splits: {{train: 0.4, validation: 0.1, test: 0.1, holdouta: 0.2, holdoutb: 0.2}}
surrogates: {{dataset: mine, models: [realnvp]}}
models: {{realnvp: {{hidden_features: 32, transforms: 4}}}}
training: {{max_epochs: 8, restart_epochs: 8}}
histfactory:
  signal: {{dataset: resonance, label: 1}}
  n_events: {{selection: 2000, reweighting: 2000, template: 20000}}
  cut: 0.3
  observables: {{dimuon: {{column: mass, low: 60, high: 140, n_bins: 4}}}}
  select: [dimuon]
  scans: {{luminosity_fb: {{n_points: 2}}, generated: {{low: 5000, n_points: 2}}}}
  resmlp: {{hidden_features: 16, layers: 1, training: {{max_epochs: 8}}}}
  reweighting: {{folds: 2, resmlp: {{hidden_features: 16, layers: 1, training: {{max_epochs: 3}}}}}}
  ensemble: {{bootstraps: 2, replicas: 2}}
  toys: {{n_toys: 200}}
"""
SEARCH = "results/mine/histfactory"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which the search ran on two CSV files."""
    folder = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    n = 6000
    masses = {"background": 50 + rng.exponential(60, n), "signal": rng.normal(91, 4, n // 2)}
    for name, mass in masses.items():
        table = pd.DataFrame({"mass": mass, "pt": rng.gamma(2, 20, len(mass))})
        table.round(4).to_csv(folder / f"{name}.csv", index=False)
    (folder / "study.yaml").write_text(STUDY.format(folder=folder))
    snakemake(folder, "histfactory", "--cores", 2, "--configfile", folder / "study.yaml")
    return folder


def pyhf(*arguments):
    command = [str(Path(sys.executable).with_name("pyhf")), *map(str, arguments)]
    job = subprocess.run(command, capture_output=True, text=True, check=False)
    assert job.returncode == 0, job.stderr
    return job.stdout


@pytest.mark.slow
def test_search_finds_the_users_signal_in_the_users_observable(folder):
    scans = io.read_table(folder / SEARCH / "mine/realnvp/dimuon/scans.parquet")
    assert set(scans["arm"]) == set(ARMS)
    row = scans[(scans["arm"] == "mc") & (scans["luminosity_fb"] == 10)].iloc[0]
    total = np.hypot(row["mu_uncertainty"], row["mu_mc_uncertainty"])
    assert row["mu_hat"] == pytest.approx(1, abs=4 * total)
    templates = io.read_table(folder / SEARCH / "mine/realnvp/templates.parquet")
    signal = templates[templates["sample"] == "signal"].set_index("low")["value"]
    assert signal.idxmax() == 80  # the bin of 80 to 100 holds the resonance
    card = {row["quantity"] for row in io.read_json(folder / SEARCH / "summary.json")}
    assert "histfactory.reweighted.coverage68.nuisance" in card


@pytest.mark.slow
@pytest.mark.parametrize("arm", ARMS)
def test_pyhf_reads_every_workspace(folder, arm):
    path = folder / SEARCH / f"mine/realnvp/dimuon/{arm}/workspace_background.json"
    said = pyhf("inspect", path)
    assert "upper_limit" in said
    assert "staterror" in said
    levels = [
        json.loads(pyhf("cls", path, "--test-poi", poi, "--optimizer", "minuit"))["CLs_obs"]
        for poi in (0.2, 5.0)
    ]
    assert 1 >= levels[0] > levels[1] >= 0
