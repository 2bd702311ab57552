"""Rule train_sets: learn what sets of any size say of mass and lifetime, for all detectors."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.reconstruction.amortised import train_sets
from bumpflow.reconstruction.network import NetworkSettings
from bumpflow.reconstruction.sets import Detectors, Drawing
from bumpflow.reconstruction.simulation import read_sets
from bumpflow.reconstruction.store import store_sets
from bumpflow.simulate.alps.settings import BeamDump
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
    detectors: dict[str, Any],
    n_events: list[int],
    training: dict[str, Any],
    checkpoints: str,
    device: str,
    seed: int,
) -> None:
    """Train on sets of ``train``, measured anew in each epoch; write ``model`` and ``history``."""
    sets, (low, high) = read_sets(train), n_events
    beam_dump, ranges = BeamDump.from_settings(setup), Detectors.from_settings(detectors)
    posterior, table = train_sets(
        sets,
        read_sets(validation),
        settings=NetworkSettings(**settings),
        drawing=Drawing(beam_dump, ranges, (low, high)),
        training=TrainSettings(**training),
        seed=seed,
        device=choose_device(device),
        checkpoint=Path(checkpoints) / "amortised",
    )
    tensors, stored = store_sets(posterior, setup)
    io.write_tensors(model, tensors, settings=stored)
    io.write_table(history, table.assign(n_train=len(sets.theta)))
    io.remove_folder(Path(checkpoints).parent)  # those of older code, too


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
