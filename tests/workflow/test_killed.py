"""Runs that are killed leave nothing half done, and the next ones take up where they were."""

import os
import signal
import time

import psutil
import pytest

from bumpflow import io
from tests.workflow.helpers import kill, snakemake, start_snakemake, unlock

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


def arguments(study, folder):
    """Return what Snakemake needs to train the one network of a study."""
    overlay = folder / f"{study}.yaml"
    overlay.write_text(STUDY.format(study=study))
    return [f"results/{study}/{TRAINED}", "--configfile", overlay]


def log_of(study, folder):
    return folder / f"results/{study}/logs/train_surrogate/higgs/maf.log"


def wait_for(text, log, *, run):
    """Wait until a running job's log holds a text."""
    deadline = time.monotonic() + SECONDS
    while not (log.exists() and text in log.read_text(errors="replace")):
        assert run.poll() is None, "ended too early"
        assert time.monotonic() < deadline, f"{log} does not say {text!r}"
        time.sleep(0.05)


def start_training(study, folder):
    """Start a study, with a checkpoint after each epoch; return it once some epochs are done."""
    output = folder / f"{study}.out"
    command = arguments(study, folder)
    run = start_snakemake(folder, *command, output=output, BUMPFLOW_CHECKPOINT_SECONDS="0")
    wait_for("epoch 5:", log_of(study, folder), run=run)
    return run


def contents(folder):
    """Return when each file changed, apart from what Snakemake says of itself."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.stat().st_mtime_ns for path in paths if ".snakemake/log" not in str(path)}


def trained(study, folder):
    """Return the bytes of a trained network, and its history without run times."""
    model = folder / f"results/{study}" / TRAINED
    history = io.read_table(model.with_name("history.parquet"))
    return model.read_bytes(), history.drop(columns="seconds").to_dict("list")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("studies")


@pytest.fixture(scope="module")
def stopped(folder):
    """A run, and the processes of its jobs, that stand still in the middle of a training."""
    run = start_training("stopped", folder)
    jobs = psutil.Process(run.pid).children(recursive=True)
    os.killpg(run.pid, signal.SIGSTOP)
    yield run, jobs
    for job in jobs:
        if job.is_running():
            job.kill()
    run.kill()
    run.wait()


@pytest.fixture(scope="module")
def whole(folder, stopped):  # noqa: ARG001
    """What an undisturbed run gives; another study's run stands still in the same folder."""
    snakemake(folder, *arguments("whole", folder))
    return trained("whole", folder)


@pytest.mark.slow
def test_second_run_of_a_study_is_refused_and_touches_nothing(folder, stopped):  # noqa: ARG001
    before = contents(folder)
    second = snakemake(folder, *arguments("stopped", folder), check=False)
    assert second.returncode != 0
    assert "Directory cannot be locked" in second.stderr
    assert "--unlock" in second.stderr
    before.pop(folder / "stopped.yaml")
    assert {path: when for path, when in contents(folder).items() if path in before} == before
    assert set(contents(folder)) - set(before) == {folder / "stopped.yaml"}


@pytest.mark.slow
def test_orphaned_job_and_the_next_run_do_not_disturb_each_other(folder, stopped, whole):
    """Only Snakemake is killed; its job goes on while the next run does the same again."""
    run, jobs = stopped
    run.kill()
    run.wait()
    unlock(folder)
    output = folder / "again.out"
    again = start_snakemake(folder, *arguments("stopped", folder), output=output)
    wait_for("training resumes at epoch", log_of("stopped", folder), run=again)
    assert any(job.is_running() for job in jobs)
    for job in jobs:
        job.resume()
    assert again.wait(SECONDS) == 0, output.read_text()[-5000:]
    assert trained("stopped", folder) == whole
    psutil.wait_procs(jobs, timeout=SECONDS)
    assert trained("stopped", folder) == whole
    assert left_over("stopped", folder) == []


@pytest.mark.slow
def test_killed_training_resumes_and_ends_the_same(folder, whole):
    kill(start_training("killed", folder))
    made = (folder / f"results/killed/{TRAINED}").parent
    assert [path.name for path in made.glob("*")] == []
    assert left_over("killed", folder) != []

    snakemake(folder, "--unlock", *arguments("killed", folder)[1:])
    snakemake(folder, *arguments("killed", folder))
    text = log_of("killed", folder).read_text()
    assert "training resumes at epoch" in text
    assert "epoch 2:" not in text
    assert left_over("killed", folder) == []
    assert trained("killed", folder) == whole


def left_over(study, folder):
    """Return checkpoints and half-written files of a study."""
    results = folder / f"results/{study}"
    return [*results.rglob(".*"), *(results / "checkpoints").rglob("*.*")]
