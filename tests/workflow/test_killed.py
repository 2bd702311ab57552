"""A run that is killed leaves nothing half done, and the next one takes up where it was."""

import os
import signal
import subprocess
import sys
import time

import pytest

from bumpflow import io
from tests.workflow.helpers import ROOT, snakemake

STUDY = """
study: {study}
device: cpu
surrogates:
  models: [maf]
models:
  maf: {{hidden_features: 32, transforms: 2}}
training: {{max_epochs: 15, patience: 15}}
"""
TRAINED = "surrogates/higgs/maf/model.safetensors"
SECONDS = 120


def target(study):
    return f"results/{study}/{TRAINED}"


def overlay(study, folder):
    path = folder / f"{study}.yaml"
    path.write_text(STUDY.format(study=study))
    return path


def kill_in_training(study, folder):
    """Start a study and kill it, with its jobs, once some epochs are done."""
    command = [sys.executable, "-m", "snakemake", "--directory", folder, target(study)]
    run = subprocess.Popen(
        [*command, "--configfile", overlay(study, folder)],
        cwd=ROOT,
        env={**os.environ, "BUMPFLOW_CHECKPOINT_SECONDS": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    log = folder / f"results/{study}/logs/train_surrogate/higgs/maf.log"
    deadline = time.monotonic() + SECONDS
    while not (log.exists() and "epoch 5:" in log.read_text()):
        assert run.poll() is None, "ended before it could be killed"
        assert time.monotonic() < deadline, "no epochs seen"
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    return log


@pytest.mark.slow
def test_killed_training_resumes_and_ends_the_same(tmp_path):
    log = kill_in_training("killed", tmp_path)
    folder = (tmp_path / target("killed")).parent
    assert [path.name for path in folder.glob("*")] == []

    snakemake(tmp_path, "--unlock", "--configfile", tmp_path / "killed.yaml")
    snakemake(tmp_path, target("killed"), "--configfile", tmp_path / "killed.yaml")
    assert "training resumes at epoch" in log.read_text()
    assert "epoch 2:" not in log.read_text()
    assert not list((tmp_path / "results/killed").rglob("*.part*"))
    assert not list((tmp_path / "results/killed/checkpoints").rglob("*.*"))

    snakemake(tmp_path, target("whole"), "--configfile", overlay("whole", tmp_path))
    resumed, whole = (tmp_path / target(study) for study in ("killed", "whole"))
    assert resumed.read_bytes() == whole.read_bytes()
    losses = [
        io.read_table(path.with_name("history.parquet")).drop(columns="seconds")
        for path in (resumed, whole)
    ]
    assert losses[0].equals(losses[1])
