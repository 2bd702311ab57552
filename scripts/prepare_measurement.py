"""Rule prepare_measurement: decide what each event of a measurement is for."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.resonance.prepare import prepare_measurement
from bumpflow.workflow import run_rule


def main(
    *,
    sources: list[Path],
    events: Path,
    record: Path,
    names: list[str],
    measurement: dict[str, Any],
    smearing: float,
    train_fraction: float,
    seed: int,
) -> None:
    """Read ``sources``, one per name, and write all ``events`` and a ``record`` of their numbers."""
    tables = {name: io.read_table(path) for name, path in zip(names, sources, strict=True)}
    prepared = prepare_measurement(
        tables, measurement, smearing=smearing, train_fraction=train_fraction, seed=seed
    )
    io.write_table(events, prepared.events)
    io.write_json(record, prepared.record)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
