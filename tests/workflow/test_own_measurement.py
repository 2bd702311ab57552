"""A user's own data and simulated signal, by configuration alone: the fit finds what is there."""

import re

import numpy as np
import pandas as pd
import pytest

from bumpflow import io
from tests.workflow.helpers import snakemake

STUDY = """
study: mine
device: cpu
analyses: [hisigma]
measurements:
  mine:
    data: {{path: {folder}/data.parquet}}
    signal: {{path: {folder}/signal.parquet}}
    others: {{}}
    mass: m
    window_gev: [50, 150]
    signal_region_gev: [80, 110]
    features: [pt, angle]
    systematics:
      scale: {{scale: {{pt: 0.05}}, components: [signal], trained: true}}
hisigma:
  measurement: mine
  select: [unsmeared]
  densities: {{unsmeared: {{bootstraps: 2}}}}
  tests: {{n_signals: 5, n_toys: 30, scan_gev: {{low: 88, high: 100, step: 6}}, scan_toys: 10, pool_size: 2000}}
  closure: {{n_model: 2000, trees: {{max_iter: 20}}}}
  curve_points: 11
models: {{mixture: {{hidden_features: 16, components: 3, training: {{max_epochs: 6, restart_epochs: 6}}}}}}
"""
RESULTS = "results/mine/hisigma"
N_SIGNAL = 300


def events(rng, n, *, signal):
    """Return events whose features tell signal from background."""
    mass = rng.normal(94, 3, n) if signal else 50 + 100 * rng.beta(1, 2, n)
    pt = rng.gamma(6 if signal else 2, 20, n)
    angle = rng.uniform(0.4, 2 if signal else 3, n)
    return pd.DataFrame({"m": mass, "pt": pt, "angle": angle})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a user's files and configuration."""
    folder = tmp_path_factory.mktemp("ownmeasurement")
    rng = np.random.default_rng(3)
    background = events(rng, 8000, signal=False)
    data = pd.concat([background, events(rng, N_SIGNAL, signal=True)], ignore_index=True)
    data.to_parquet(folder / "data.parquet")
    events(rng, 6000, signal=True).to_parquet(folder / "signal.parquet")
    (folder / "study.yaml").write_text(STUDY.format(folder=folder))
    return folder


@pytest.mark.slow
def test_fit_limits_and_goodness_come_out_of_a_users_own_data(folder):
    snakemake(folder, "hisigma", "--cores", 2, "--configfile", folder / "study.yaml")
    results = folder / RESULTS / "mine/unsmeared"
    fits = io.read_table(results / "fits.parquet").set_index("method")
    found = fits.loc["systematics"]
    assert found["signal"] == pytest.approx(N_SIGNAL, abs=4 * found["uncertainty"])
    assert found["uncertainty"] < 0.2 * N_SIGNAL
    tests = io.read_json(results / "tests.json")
    assert tests["z0"] > 8
    assert tests["limit"] > found["signal"]
    assert tests["scan"]["mass_gev"] == pytest.approx(94, abs=6)
    goodness = io.read_table(results / "goodness.parquet")
    assert set(goodness["region"]) == {"signal_region", "signal_like"}
    closure = io.read_table(results / "closure.parquet")
    assert list(closure["region"]) == ["lower_edge", "upper_edge"]
    card = {row["quantity"] for row in io.read_json(folder / RESULTS / "summary.json")}
    assert "hisigma.unsmeared.signal.systematics" in card
    assert not any("coverage" in name or "gain" in name for name in card)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("features: [pt, angel]", r"no column 'angel'"),
        ("features: [pt, m]", r"'m' is the resonance variable"),
        ("signal_region_gev: [40, 110]", r"must lie inside window_gev"),
    ],
)
def test_a_wrong_measurement_stops_before_any_job(folder, change, message):
    key = change.split(":")[0]
    lines = [
        f"    {change}" if line.strip().startswith(f"{key}:") else line
        for line in STUDY.format(folder=folder).splitlines()
    ]
    (folder / "wrong.yaml").write_text("\n".join(lines))
    job = snakemake(folder, "hisigma", "-n", "--configfile", folder / "wrong.yaml", check=False)
    assert job.returncode != 0
    assert re.search(message, job.stdout + job.stderr)
