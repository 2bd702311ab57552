"""Run Snakemake in a process of its own."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


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


@cache
def describe(*overlays):
    """Return what ``describe.py`` prints about a study."""
    script = Path(__file__).with_name("describe.py")
    overlay_paths = [ROOT / path for path in overlays]
    return json.loads(run_python(script, ROOT / "Snakefile", *overlay_paths).stdout)
