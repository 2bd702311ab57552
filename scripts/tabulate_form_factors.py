"""Rule tabulate_form_factors: tabulate the one-loop form factors of gg to HH."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.simulate.hard.form_factors import grid_points, tabulate_form_factors
from bumpflow.workflow import run_rule


def main(*, table: Path, settings: dict[str, Any]) -> None:
    """Write ``table`` with as many masses, angles and integration nodes as ``settings`` say."""
    masses, cosines = grid_points(settings["n_masses"], settings["n_angles"])
    io.write_table(table, tabulate_form_factors(masses, cosines, n_nodes=settings["n_nodes"]))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
