"""Rule train_single: learn what sets of one size say of mass and lifetime, for one detector."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.reconstruction.amortised import train_sets
from bumpflow.reconstruction.network import NetworkSettings
from bumpflow.reconstruction.sets import Detectors, Drawing
from bumpflow.reconstruction.simulation import read_sets
from bumpflow.reconstruction.store import store_sets
from bumpflow.simulate.alps.settings import BeamDump, Resolution
from bumpflow.train import TrainSettings
from bumpflow.workflow import run_rule


def main(
    *,
    train: Path,
    validation: Path,
    model: Path,
    history: Path,
    setup: dict[str, Any],
    settings: dict[str, Any],
    resolution: dict[str, Any],
    n_events: int,
    training: dict[str, Any],
    checkpoints: str,
    device: str,
    seed: int,
) -> None:
    """Train on sets of ``train`` at one ``resolution``; write ``model`` and ``history``."""
    sets, detectors = read_sets(train), Detectors.only(Resolution.from_settings(resolution))
    posterior, table = train_sets(
        sets,
        read_sets(validation),
        settings=NetworkSettings(**settings),
        drawing=Drawing(BeamDump.from_settings(setup), detectors, (n_events, n_events)),
        training=TrainSettings(**training),
        seed=seed,
        device=choose_device(device),
        checkpoint=Path(checkpoints) / "single",
    )
    tensors, stored = store_sets(posterior, setup)
    io.write_tensors(model, tensors, settings=stored)
    io.write_table(history, table.assign(n_train=len(sets.theta)))
    io.remove_folder(Path(checkpoints).parent)  # those of older code, too


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
