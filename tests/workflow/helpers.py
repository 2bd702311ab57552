"""Run Snakemake in a process of its own, and kill it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
STARTED = re.compile(r"INFO bumpflow\.workflow: (\w+) for \{")
FINISHED = re.compile(r"^Finished jobid: ", re.MULTILINE)


def run_python(*arguments, folder=ROOT, check=True):
    """Run Python in ``folder`` and return the finished process."""
    job = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or job.returncode == 0, job.stdout + job.stderr
    return job


def snakemake(folder, *arguments, check=True):
    """Run the workflow from the repository's root, with its results below ``folder``."""
    return run_python("-m", "snakemake", "--directory", folder, *arguments, check=check)


def start_snakemake(folder, *arguments, output, **environment):
    """Start the workflow in a session of its own, with its results below ``folder``.

    What it says goes to a file: a pipe that nobody reads would stop it once it is full.
    """
    command = [sys.executable, "-m", "snakemake", "--directory", folder, *arguments]
    with output.open("w") as stream:
        return subprocess.Popen(
            list(map(str, command)),
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def kill(run):
    """Kill a run of :func:`start_snakemake`, with its jobs, as a power cut would."""
    if run.poll() is None:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()


def kill_in_rule(run, rules, *, output, after):
    """Kill a run with one job at a time while a job of one of some rules is at work.

    Args:
        run: What :func:`start_snakemake` returned.
        rules: Names of rules.
        output: The file of what Snakemake and its jobs say.
        after: Seconds from the start of a job's work to the kill.

    Returns:
        The rule, or None if the run ended without such a job, or each of them was too short.
    """
    try:
        return _watch_and_kill(run, rules, output=output, after=after)
    except BaseException:
        kill(run)
        raise


def _watch_and_kill(run, rules, *, output, after):
    seen = 0
    while run.poll() is None:
        time.sleep(0.02)
        if (size := output.stat().st_size) == seen:
            continue
        seen = size
        rule = rule_at_work(output.read_text())
        if rule in rules:
            time.sleep(after)
            if run.poll() is not None:
                break
            os.killpg(run.pid, signal.SIGSTOP)
            if rule_at_work(output.read_text()) == rule:
                kill(run)
                return rule if run.returncode == -signal.SIGKILL else None
            os.killpg(run.pid, signal.SIGCONT)
    return None


def rule_at_work(text):
    """Return the rule whose job started last, unless it has finished."""
    started = list(STARTED.finditer(text))
    if not started or FINISHED.search(text, started[-1].end()):
        return None
    return started[-1].group(1)


def unlock(folder):
    """Do what ``snakemake --unlock`` does, without its start.

    A run that ends removes all locks of its folder, those of other studies' runs, too.
    """
    shutil.rmtree(folder / ".snakemake/locks", ignore_errors=True)


@cache
def describe(*overlays):
    """Return what ``describe.py`` prints about a study."""
    script = Path(__file__).with_name("describe.py")
    overlay_paths = [ROOT / path for path in overlays]
    return json.loads(run_python(script, ROOT / "Snakefile", *overlay_paths).stdout)
