"""Rule train_reweighting: learn weights that bring generated events closer to Monte Carlo."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.evaluate.reweighting import ReweightingSettings, store, train_reweighter
from bumpflow.workflow import run_rule


def main(
    *,
    events: Path,
    generated: Path,
    reweighter: Path,
    calibration: Path,
    inputs: list[str],
    label: int,
    splits: list[str],
    settings: dict[str, Any],
    device: str,
    seed: int,
) -> None:
    """Train on ``splits`` of ``events`` and on generated events kept for this purpose."""
    trained, table = train_reweighter(
        io.read_events(events, features=inputs, label=label, splits=splits),
        io.read_events(generated, features=inputs, label=0, splits=["reweighting"]),
        settings=ReweightingSettings.from_config(settings),
        seed=seed,
        device=choose_device(device),
    )
    tensors, stored = store(trained)
    io.write_tensors(reweighter, tensors, settings=stored)
    io.write_table(calibration, table)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
