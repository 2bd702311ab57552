"""Rule compare_geometries: how well the mass is measured on the beam's axis and beside it."""

from pathlib import Path
from typing import Any

import pandas as pd

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.reconstruction.detectors import Networks, compare_detectors
from bumpflow.reconstruction.simulation import read_sets
from bumpflow.reconstruction.store import load_sets
from bumpflow.simulate.alps.settings import Resolution
from bumpflow.workflow import derive_seed, run_rule


def main(
    *,
    networks: list[Path],
    signals: list[Path],
    displaced: Path,
    datasets: list[str],
    benchmarks: dict[str, Any],
    detectors: dict[str, dict[str, Any]],
    n_events: int,
    device: str,
    seed: int,
) -> None:
    """Write into ``displaced`` what sets of ``signals`` say, those of one set-up after another."""
    on = choose_device(device)
    known = {name: Resolution.from_settings(one) for name, one in detectors.items()}
    trained = {
        name: Networks(load_sets(path, device=on), {}, {})
        for name, path in zip(datasets, networks, strict=True)
    }
    pairs = [(dataset, benchmark) for dataset in datasets for benchmark in benchmarks]
    tables = []
    for (dataset, benchmark), path in zip(pairs, signals, strict=True):
        table = compare_detectors(
            trained[dataset],
            read_sets(path),
            known,
            n_events=n_events,
            seed=derive_seed(seed, dataset, benchmark),
        )
        tables.append(table.assign(dataset=dataset, benchmark=benchmark))
    io.write_table(displaced, pd.concat(tables, ignore_index=True))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
