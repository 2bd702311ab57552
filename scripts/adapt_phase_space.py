"""Rule adapt_phase_space: adapt the sampling of phase space to a tree-level process."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.simulate.hard.build import adapt_process
from bumpflow.workflow import run_rule


def main(*, table: Path, sample: dict[str, Any], settings: dict[str, Any], seed: int) -> None:
    """Write grids, cross-sections and largest weights of all channels to ``table``."""
    io.write_table(table, adapt_process(sample, seed=seed, **settings))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
