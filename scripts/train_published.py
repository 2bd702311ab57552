"""Rule train_published: train the published network for sets of one size and one detector."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.reconstruction.detectors import measure_sets
from bumpflow.reconstruction.published import PublishedSettings, train_published
from bumpflow.reconstruction.simulation import read_sets
from bumpflow.reconstruction.store import store_published
from bumpflow.simulate.alps.settings import BeamDump, Resolution
from bumpflow.train import TrainSettings
from bumpflow.workflow import derive_seed, run_rule


def main(
    *,
    train: Path,
    model: Path,
    history: Path,
    setup: dict[str, Any],
    settings: dict[str, Any],
    resolution: dict[str, Any],
    max_sets: int,
    training: dict[str, Any],
    checkpoints: str,
    device: str,
    seed: int,
) -> None:
    """Train on sets of ``train``, measured once; write ``model`` and ``history``."""
    true = read_sets(train, n_sets=max_sets)
    measured = Resolution.from_settings(resolution)
    size = settings["n_events"]
    sets = measure_sets(
        true,
        measured,
        BeamDump.from_settings(setup),
        n_events=size,
        seed=derive_seed(seed, "measured"),
    )
    network, table = train_published(
        sets,
        true.theta,
        settings=PublishedSettings(**settings),
        training=TrainSettings(**training),
        seed=seed,
        device=choose_device(device),
        checkpoint=Path(checkpoints) / "published",
    )
    tensors, stored = store_published(network)
    io.write_tensors(model, tensors, settings=stored)
    io.write_table(history, table.assign(n_train=len(true.theta)))
    io.remove_folder(Path(checkpoints).parent)  # those of older code, too


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
