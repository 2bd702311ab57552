"""Rule simulate_alps: simulate decays of axion-like particles in a beam dump."""

from pathlib import Path
from typing import Any

import numpy as np

from bumpflow import io
from bumpflow.simulate.alps.populations import simulate_population
from bumpflow.simulate.alps.settings import BeamDump
from bumpflow.workflow import run_rule

MOMENTUM = ["px", "py", "pz", "energy"]


def main(
    *,
    mesons: list[Path],
    events: Path,
    population: str,
    n_events: int,
    benchmark: dict[str, Any] | None,
    setup: dict[str, Any],
    seed: int,
) -> None:
    """Write the true ``events`` of a ``population``, from ``mesons`` if there are any."""
    given = [io.read_table(path)[MOMENTUM].to_numpy() for path in mesons]
    table = simulate_population(
        BeamDump.from_settings(setup),
        population,
        n_events=n_events,
        benchmark=benchmark,
        mesons=np.concatenate(given) if given else None,
        seed=seed,
    )
    io.write_table(events, table)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
