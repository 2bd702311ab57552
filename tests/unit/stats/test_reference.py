"""Fits of single workspaces by pyhf, and what the command line of pyhf makes of them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyhf
import pytest

from bumpflow.stats.fit import CONVERGED, fit
from bumpflow.stats.model import BinnedModel, half_deviance
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


@pytest.mark.parametrize("observed", [B + 0.7 * S + np.array([9, -4, 3]), B - 1.5 * S])
def test_poisson_statistics_are_those_of_pyhf(observed):
    spec = build_workspace(
        S,
        B,
        np.round(observed),
        shape=0.05,
        signal_variances=S / 4,
        background_variances=2 * B,
        variations=[VARIATION],
        mc_statistics="poisson",
    )
    kinds = [modifier["type"] for modifier in spec["channels"][0]["samples"][1]["modifiers"]]
    assert kinds == ["shapesys", "shapesys", "histosys"]
    assert [m["type"] for m in spec["channels"][0]["samples"][0]["modifiers"]] == ["normfactor"]
    found, ours = fit_workspace(spec), fit(*read_workspace(spec))
    sigma = ours.uncertainty[0]
    assert found.record["mu"] == pytest.approx(ours.mu[0], abs=0.02 * sigma)  # minuit's tolerance
    assert found.record["mu_uncertainty"] == pytest.approx(sigma, rel=5e-3)
    best = found.nuisances.set_index("parameter")["bestfit"]
    assert np.allclose([best[f"mc_statistics[{i}]"] for i in range(3)], ours.at.stat[0], atol=5e-3)
    assert _twice_nll(spec, ours.at) <= _twice_nll(spec, best, found.record["mu"]) + 1e-9
    assert set(found.nuisances["kind"]) == {"stat", "shape", "variation"}
    assert found.nuisances["impact_up"].notna().all()


def _twice_nll(spec, at, mu=None):
    """Return pyhf's -2 ln L at the parameters of our fit, or of pyhf's own."""
    read = pyhf.Workspace(spec)
    model = read.model(measurement_name="signal_strength")
    values = np.array(model.config.suggested_init())
    if mu is None:
        named = {"mu": at.mu, "mc_statistics": at.stat[0], "background_shape": at.shape[0]}
        named["surrogate_training_1"] = at.variations[0]
    else:
        named = {"mu": mu, "surrogate_training_1": at["surrogate_training_1"]}
        for name in ("mc_statistics", "background_shape"):
            named[name] = [at[f"{name}[{i}]"] for i in range(3)]
    for name, part in named.items():
        values[model.config.par_slice(name)] = part
    return float(np.squeeze(pyhf.infer.mle.twice_nll(values, read.data(model), model)))


def test_poisson_statistics_have_the_derivatives_of_their_likelihood():
    rng = np.random.default_rng(0)
    model = BinnedModel.build(S, B, shape=0.1, stat=0.2, variations=[VARIATION], poisson=True)
    data = model.draw(model.nominal(1.0), rng)
    best = fit(model, data)
    assert best.good.all()
    step = 1e-5
    for part, name in zip(best.at, best.at._fields, strict=True):
        for index in np.ndindex(part.shape):
            sides = []
            for sign in (1, -1):
                moved = part.copy()
                moved[index] += sign * step
                sides.append(half_deviance(model, data, best.at._replace(**{name: moved}))[0])
            assert abs(sides[0] - sides[1]) / (2 * step) < 1e-4, (name, index)
            assert sides[0] + sides[1] - 2 * best.half_deviance[0] > 0
