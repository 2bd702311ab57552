"""Rule run_toys: measure pulls and coverage where the truth is known."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.search.closure import run_toys
from bumpflow.workflow import run_rule


def main(
    *,
    templates: Path,
    bootstraps: list[Path],
    replicas: list[Path],
    toys: Path,
    pulls: Path,
    observable: str,
    settings: dict[str, Any],
    seed: int,
) -> None:
    """Write a summary of each arm to ``toys`` and every toy to ``pulls``."""
    found = run_toys(
        io.read_table(templates),
        bootstraps=[io.read_table(path) for path in bootstraps],
        replicas=[io.read_table(path) for path in replicas],
        observable=observable,
        settings=settings,
        seed=seed,
    )
    io.write_table(toys, found.summary)
    io.write_table(pulls, found.pulls)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
