"""Rule train_selection: teach a classifier to tell signal from generated background."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.classifiers import NetworkSettings, store_networks, train_classifier
from bumpflow.device import choose_device
from bumpflow.workflow import run_rule


def main(
    *,
    signal: Path,
    generated: Path,
    classifier: Path,
    history: Path,
    inputs: list[str],
    label: int,
    splits: list[str],
    settings: dict[str, Any],
    device: str,
    seed: int,
) -> None:
    """Train on ``splits`` of ``signal`` and on generated events kept for this purpose."""
    trained, losses = train_classifier(
        io.read_events(generated, features=inputs, label=0, splits=["selection"]),
        io.read_events(signal, features=inputs, label=label, splits=splits),
        settings=NetworkSettings.from_config(settings),
        seed=seed,
        device=choose_device(device),
    )
    tensors, stored = store_networks([trained])
    io.write_tensors(classifier, tensors, settings=stored)
    io.write_table(history, losses)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
