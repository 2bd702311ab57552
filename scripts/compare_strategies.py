"""Rule compare_strategies: what other fits say of the same data sets."""

from pathlib import Path
from typing import Any

import pandas as pd

from bumpflow import io
from bumpflow.classifiers import NetworkSettings, store_networks
from bumpflow.device import choose_device
from bumpflow.resonance.store import data_tables, masses_of
from bumpflow.resonance.strategies import (
    compare_strategies,
    sample_of,
    score_table,
    simulated_samples,
    train_classifiers,
)
from bumpflow.workflow import progress, run_rule


def main(
    *,
    events: Path,
    shapes: Path,
    strategies: Path,
    scores: Path,
    classifiers: Path,
    measurement: dict[str, Any],
    settings: dict[str, Any],
    device: str,
    seed: int,
) -> None:
    """Train ``classifiers``; write ``strategies`` of all data sets and the ``scores`` of the first."""
    on = choose_device(device)
    table = io.read_table(events)
    masses = masses_of(io.read_json(shapes), measurement)
    columns = {"features": measurement["features"], "mass": measurement["mass"]}
    trained = train_classifiers(
        *simulated_samples(table, **columns),
        signal_region=masses.signal_region,
        settings=NetworkSettings.from_config(settings),
        seed=seed,
        device=on,
    )
    data = [sample_of(part, **columns) for part in data_tables(table)]
    rows = [
        {"dataset": number, "strategy": name, **result._asdict()}
        for number, sample in enumerate(progress(data))
        for name, result in compare_strategies(sample, trained, masses).items()
    ]
    found = pd.DataFrame(rows)
    io.write_table(strategies, found.assign(uncertainty=(found["high"] - found["low"]) / 2))
    io.write_table(scores, score_table(data[0], trained, masses))
    tensors, stored = store_networks([trained.features, trained.full])
    io.write_tensors(classifiers, tensors, settings=stored)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
