"""What made a result: versions, machine and commit."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bumpflow.report.numbers import format_seconds

PACKAGES = (
    "bumpflow",
    "torch",
    "zuko",
    "scikit-learn",
    "pyhf",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "matplotlib",
    "snakemake",
)


def list_versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Return the versions of Python and of the packages that are installed."""
    versions = {"Python": platform.python_version()}
    for name in packages:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def describe_machine() -> str:
    """Return the operating system, the processor's kind and the number of its cores."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def describe_time(seconds: float, elapsed: float) -> str:
    """Return how long jobs took, and how many of them there were at a time.

    Args:
        seconds: Time of all jobs together [s].
        elapsed: Time in which they ran [s].
    """
    if not elapsed:
        return "not known"
    at_a_time = seconds / elapsed
    return f"{format_seconds(elapsed)}, with {at_a_time:.2f} jobs at a time on average"


def find_commit(folder: str | Path) -> str | None:
    """Return the git commit of a folder, marked if files differ from it, or none without git.

    Args:
        folder: Folder of the workflow.
    """
    if shutil.which("git") is None:
        return None
    commit = _ask_git(folder, "rev-parse", "--short=12", "HEAD")
    if not commit:
        return None
    changed = _ask_git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{commit} with local changes" if changed else commit


def _ask_git(folder: str | Path, *arguments: str) -> str | None:
    """Return what git prints, or none if it fails."""
    command = ["git", "-C", str(folder), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return answer.stdout.strip() if answer.returncode == 0 else None
