"""Rule train_posterior: learn what an event says of mass and lifetime."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.compatibility.populations import read_population
from bumpflow.compatibility.posteriors import PosteriorSettings, store_posterior, train_posterior
from bumpflow.device import choose_device
from bumpflow.simulate.alps.settings import BeamDump, Resolution
from bumpflow.train import TrainSettings
from bumpflow.workflow import run_rule


def main(
    *,
    train: Path,
    model: Path,
    history: Path,
    setup: dict[str, Any],
    resolution: dict[str, Any],
    settings: dict[str, Any],
    training: dict[str, Any],
    checkpoints: str,
    device: str,
    seed: int,
) -> None:
    """Train on events of ``train``, and write ``model`` and ``history``."""
    events = read_population(train)
    posterior, table = train_posterior(
        events.x,
        events.theta,
        settings=PosteriorSettings(**settings),
        setup=BeamDump.from_settings(setup),
        resolution=Resolution.from_settings(resolution),
        training=TrainSettings(**training),
        seed=seed,
        device=choose_device(device),
        checkpoints=Path(checkpoints),
    )
    tensors, stored = store_posterior(posterior, {"setup": setup, "resolution": resolution})
    io.write_tensors(model, tensors, settings=stored)
    io.write_table(history, table.assign(n_train=len(events.x)))
    io.remove_folder(Path(checkpoints).parent)  # those of older code, too


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
