"""Fits of single workspaces by pyhf, and what the command line of pyhf makes of them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bumpflow.stats.fit import CONVERGED, fit
from bumpflow.stats.reference import fit_workspace
from bumpflow.stats.workspace import build_workspace, read_workspace

S, B = np.array([5.0, 20.0, 8.0]), np.array([200.0, 150.0, 90.0])
VARIATION = np.array([6.0, -3.0, 2.0])


@pytest.fixture
def workspace():
    return build_workspace(
        S,
        B,
        np.round(B + 0.7 * S + np.array([9, -4, 3])),
        shape=0.05,
        signal_variances=S / 4,
        background_variances=B / 2,
        variations=[VARIATION],
    )


def test_reference_and_batched_fit_agree(workspace):
    found = fit_workspace(workspace)
    ours = fit(*read_workspace(workspace))
    assert found.record["status"] == CONVERGED
    assert found.record["mu"] == pytest.approx(ours.mu[0], abs=2e-3)
    assert found.record["mu_uncertainty"] == pytest.approx(ours.uncertainty[0], rel=5e-3)
    best = found.nuisances.set_index("parameter")["bestfit"]
    for name, values in (("mc_statistics", ours.at.stat), ("background_shape", ours.at.shape)):
        assert np.allclose([best[f"{name}[{i}]"] for i in range(3)], values[0], atol=2e-3)
    assert best["surrogate_training_1"] == pytest.approx(ours.at.variations[0, 0], abs=5e-3)


def test_yields_before_and_after_the_fit(workspace):
    record = fit_workspace(workspace).record
    assert np.allclose(record["prefit"]["signal"], S)
    assert np.allclose(record["prefit"]["background"], B)
    stat = (B / 2 + S / 4) * 1.0
    expected = np.sqrt(stat + (0.05 * B) ** 2 + VARIATION**2)
    assert np.allclose(record["prefit"]["uncertainty"], expected, rtol=2e-3)
    after = np.add(record["postfit"]["signal"], record["postfit"]["background"])
    before = np.abs(B + S - record["observed"])
    assert np.abs(after - record["observed"]).sum() < before.sum()
    assert np.all(np.array(record["postfit"]["uncertainty"]) < np.sqrt(B) * 1.5)


def test_impacts_move_the_signal_as_a_shifted_template_would(workspace):
    table = fit_workspace(workspace).nuisances
    assert set(table["kind"]) == {"stat", "shape", "variation"}
    assert len(table) == 7
    one = table.set_index("parameter").loc["background_shape[1]"]
    assert one["impact_up"] < 0 < one["impact_down"]  # more background, less signal
    assert one["prefit_uncertainty"] == pytest.approx(0.05)
    assert abs(one["pull"]) < 2
    assert one["uncertainty"] <= one["prefit_uncertainty"] * 1.01
    ours = fit(*read_workspace(workspace)).uncertainty[0]
    assert np.sqrt((table["impact_up"] ** 2).sum()) < ours


def test_failed_fit_has_its_status_and_no_numbers(workspace, monkeypatch):
    import pyhf

    def fail(*_args, **_settings):
        raise pyhf.exceptions.FailedMinimization(_Result())

    monkeypatch.setattr(pyhf.infer.mle, "fit", fail)
    found = fit_workspace(workspace)
    assert found.record["status"] == "failed: no luck"
    assert found.record["mu"] is None
    assert found.record["postfit"] is None
    assert found.nuisances["bestfit"].isna().all()


class _Result:
    message = "no luck"


def pyhf_command(*arguments):
    command = [str(Path(sys.executable).with_name("pyhf")), *map(str, arguments)]
    job = subprocess.run(command, capture_output=True, text=True, check=False)
    assert job.returncode == 0, job.stderr
    return job.stdout


def test_pyhf_opens_the_workspace_on_the_command_line(workspace, tmp_path):
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(workspace))
    said = pyhf_command("inspect", path)
    for word in ("background", "signal", "mu", "shapesys", "staterror", "histosys", "normfactor"):
        assert word in said
    result = json.loads(pyhf_command("cls", path, "--test-poi", "2.5"))
    assert 0 < result["CLs_obs"] < 1
    assert result["CLs_exp"] == sorted(result["CLs_exp"])
