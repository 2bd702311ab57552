"""Rule map_detectors: map how well detectors measure mass and lifetime."""

from pathlib import Path
from typing import Any

import pandas as pd

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.reconstruction.detectors import map_detectors
from bumpflow.reconstruction.simulation import read_sets
from bumpflow.reconstruction.store import load_sets
from bumpflow.workflow import derive_seed, run_rule


def main(
    *,
    amortised: Path,
    signals: list[Path],
    maps: Path,
    benchmarks: dict[str, Any],
    settings: dict[str, Any],
    n_events: int,
    device: str,
    seed: int,
) -> None:
    """Write the ``maps`` of all ``signals``."""
    posterior = load_sets(amortised, device=choose_device(device))
    tables = []
    for name, path in zip(benchmarks, signals, strict=True):
        table = map_detectors(
            posterior,
            read_sets(path, n_sets=settings["n_sets"]),
            energy=settings["energy"],
            angle_rad=settings["angle_rad"],
            hit_m=settings["hit_m"],
            n_events=n_events,
            n_draws=settings["n_draws"],
            seed=derive_seed(seed, name),
        )
        tables.append(table.assign(benchmark=name))
    io.write_table(maps, pd.concat(tables, ignore_index=True))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
