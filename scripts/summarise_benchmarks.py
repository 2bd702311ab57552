"""Rule summarise_benchmarks: add up what the jobs of a study took."""

import logging
from pathlib import Path

from bumpflow import io
from bumpflow.report.resources import elapsed_seconds, use_by_rule
from bumpflow.workflow import run_rule

log = logging.getLogger(__name__)


def main(*, made: list[Path], resources: Path, benchmarks: str) -> None:
    """Write ``resources``, from the files below ``benchmarks`` of the jobs that have ``made`` it."""
    jobs = io.read_benchmarks(benchmarks)
    busy, elapsed = float(jobs["seconds"].sum()), elapsed_seconds(jobs)
    log.info(
        "%d jobs, %.0f s of computing in %.0f s: %d results", len(jobs), busy, elapsed, len(made)
    )
    io.write_table(resources, use_by_rule(jobs), metadata={"elapsed_seconds": f"{elapsed:.1f}"})


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
