"""Studies through a SLURM that is started for these tests, with one node and a fake GPU."""

import importlib.util
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.workflow.helpers import ROOT, kill, start_snakemake

CLUSTER = Path(__file__).parent / "slurm/cluster.sh"
TOOLS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "squeue", "scancel")
PROFILE = ("--workflow-profile", ROOT / "profiles/slurm")
SUBMITTED = re.compile(r"has been submitted with SLURM jobid (\d+)")
STUDY = """
study: tiny
device: {device}
surrogates:
  models: [maf, rqs]
models:
  maf: {{hidden_features: 32, transforms: 2}}
  rqs: {{hidden_features: 32, transforms: 1}}
training: {{max_epochs: 12, patience: 12}}
"""
TOGETHER = {
    "samples": ["simulate_chunk", "gather_sample"],
    "tables": ["derive_jet_scale", "adapt_phase_space", "tabulate_form_factors"],
    "judged": ["sample_surrogate", "draw_control", "measure_divergences", "run_c2st"],
    "search": ["train_selection", "train_reweighting", "score_events", "judge_reweighting"],
    "fits": ["train_member", "fill_templates", "build_workspace", "fit_workspace", "scan_fits"],
    "hunters": ["calibrate_hunter", "judge_hunter", "check_global_p", "compare_hunters"],
    "measured": ["prepare_measurement", "fit_mass_shapes", "train_resonance"],
    "resonances": ["fit_resonance", "check_resonance", "check_normalisation", "test_resonance"],
    "alps": ["simulate_alps", "observe_alps", "train_ratio", "train_posterior", "train_pairs"],
    "hunts": ["rank_pairs", "hunt_toys", "measure_hunts", "check_posteriors", "infer_parameters"],
    "sets": ["simulate_sets", "train_sets", "train_single", "train_published"],
    "detectors": ["diagnose_sets", "compare_detectors", "map_detectors", "draw_sets"],
}
"""Rules whose jobs of seconds share a job of SLURM's, which takes 5 s of its own."""

pytestmark = pytest.mark.slow


def obstacle():
    """Return why SLURM cannot be started here, or nothing."""
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        return f"no {', '.join(missing)}: apt-get install slurm-wlm munge"
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        return "the extra `slurm` is not installed"
    if os.geteuid() != 0:
        return "only root can start SLURM"
    if Path("/etc/slurm/slurm.conf").exists():
        return "this machine has a SLURM of its own"
    return None


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The folder of a running SLURM; it ends when its standard input is closed."""
    if why := obstacle():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("cluster")
    slurm = subprocess.Popen(
        ["bash", CLUSTER, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with slurm:
        said = slurm.stdout.readline()
        if said == "ready\n":
            yield folder
        else:
            pytest.fail(said + slurm.stdout.read())
    assert not Path("/etc/slurm/slurm.conf").exists()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("studies")


def train(model, *arguments, folder, device="cpu"):
    """Return what Snakemake needs to train one network through SLURM."""
    overlay = folder / f"{device}.yaml"
    overlay.write_text(STUDY.format(device=device))
    target = f"results/tiny/surrogates/higgs/{model}/model.safetensors"
    return [target, "--configfile", overlay, *fast(), *arguments]


def fast():
    """Return the profile, with SLURM asked more often than one asks that of a real cluster."""
    return [*PROFILE, "--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "10"]


def start(name, arguments, folder):
    output = folder / f"{name}.out"
    return start_snakemake(folder, *arguments, output=output, BUMPFLOW_CHECKPOINT_SECONDS="0")


def run(name, arguments, folder, seconds=300):
    """Run Snakemake; return its exit status and what it said."""
    process = start(name, arguments, folder)
    try:
        process.wait(seconds)
    finally:
        kill(process)
    return process.returncode, (folder / f"{name}.out").read_text()


def states(cluster, said):
    """Return how SLURM says that the jobs of a run ended."""
    ended = dict(
        re.findall(
            r"^JobId=(\d+) .*? JobState=(\w+)", (cluster / "jobs.txt").read_text(), re.MULTILINE
        )
    )
    return [ended[job] for job in SUBMITTED.findall(said)]


def request(said):
    """Return what SLURM knows about the last job of a run."""
    job = SUBMITTED.findall(said)[-1]
    command = ["scontrol", "show", "job", "--oneliner", job]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def wait_for(condition, seconds=300):
    """Wait until ``condition`` returns something, and return that."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def test_cancelled_job_is_submitted_again_and_resumes(cluster, folder):
    """With twice the memory; networks take up the last checkpoint."""
    run = start("cancelled", train("maf", folder=folder), folder)
    output = folder / "cancelled.out"
    log = folder / "results/tiny/logs/train_surrogate/higgs/maf.log"
    try:
        wait_for(lambda: log.exists() and "epoch 2:" in log.read_text())
        subprocess.run(["scancel", SUBMITTED.findall(output.read_text())[-1]], check=True)
        run.wait(300)
    finally:
        kill(run)
    said = output.read_text()
    assert run.returncode == 0, said
    assert states(cluster, said) == ["COMPLETED", "COMPLETED", "CANCELLED", "COMPLETED"]
    assert "training resumes at epoch" in log.read_text()
    assert "MinMemoryNode=8000M" in request(said)


def test_job_without_enough_memory_is_reported(cluster, folder):
    few = ("--set-resources", "train_surrogate:mem_mb=200", "--retries", "0")
    status, said = run("memory", train("rqs", *few, folder=folder), folder)
    assert status == 1
    (state,) = states(cluster, said)
    assert state in ("OUT_OF_MEMORY", "FAILED", "CANCELLED")
    assert "Error in rule train_surrogate" in said
    assert "wildcards: dataset=higgs, model=rqs" in said
    logs = r"log: results/tiny/logs/train_surrogate/higgs/rqs.log, (\S+\.log)"
    assert "memory limit" in Path(re.search(logs, said)[1]).read_text()


def test_job_of_a_network_asks_slurm_for_a_gpu(cluster, folder):  # noqa: ARG001
    """And says what is wrong, as the one of this node does not exist."""
    arguments = train("rqs", "--retries", "0", folder=folder, device="cuda")
    said = run("gpu", arguments, folder)[1]
    assert re.search(r"Tres\w*=\S*gpu[:=]1", request(said)), request(said)
    log = (folder / "results/tiny/logs/train_surrogate/higgs/rqs.log").read_text()
    assert "no CUDA device" in log or "running on cuda" in log


def test_paper_study_can_be_submitted(cluster, folder):  # noqa: ARG001
    study = ("--configfile", "config/paper.yaml", "--dry-run", "--quiet", "rules")
    status, said = run("paper", [*fast(), *study], folder)
    assert status == 0, said[-5000:]
    assert re.search(r"^simulate_chunk +\d{4}$", said, re.MULTILINE), said[-5000:]


def test_smoke_study_runs_through_slurm(cluster, folder):
    groups = [f"{rule}={group}" for group, rules in TOGETHER.items() for rule in rules]
    size = [f"{group}=100" for group in TOGETHER]
    together = ["--groups", *groups, "--group-components", *size]
    study = ["--configfile", "config/smoke.yaml", "--cores", os.cpu_count()]
    status, said = run("smoke", [*fast(), *study, *together], folder, seconds=1800)
    assert status == 0, said[-5000:]
    assert (folder / "results/smoke/report.html").exists()
    ended = states(cluster, said)
    assert len(ended) >= 20
    assert set(ended) == {"COMPLETED"}
