"""Rule simulate_sets: simulate sets of decays of one particle each."""

from pathlib import Path
from typing import Any

import numpy as np

from bumpflow import io
from bumpflow.reconstruction.simulation import simulate_sets
from bumpflow.simulate.alps.settings import BeamDump
from bumpflow.workflow import run_rule

MOMENTUM = ["px", "py", "pz", "energy"]


def main(
    *,
    mesons: list[Path],
    sets: Path,
    n_sets: int,
    n_events: int,
    benchmark: dict[str, float] | None,
    setup: dict[str, Any],
    seed: int,
) -> None:
    """Write true ``sets``, from ``mesons`` if there are any."""
    given = [io.read_table(path)[MOMENTUM].to_numpy() for path in mesons]
    table = simulate_sets(
        BeamDump.from_settings(setup),
        n_sets=n_sets,
        n_events=n_events,
        benchmark=benchmark,
        mesons=np.concatenate(given) if given else None,
        seed=seed,
    )
    io.write_table(sets, table)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
