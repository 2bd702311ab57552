"""Rule train_ratio: learn posteriors of the mass as published, by ratio estimation."""

from math import log10
from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.compatibility.grids import Axis
from bumpflow.compatibility.populations import read_population
from bumpflow.compatibility.ratio import RatioSettings, train_ratio
from bumpflow.compatibility.store import PublishedPosterior, store_published
from bumpflow.device import choose_device
from bumpflow.workflow import run_rule


def main(
    *,
    train: Path,
    model: Path,
    history: Path,
    masses: dict[str, Any],
    settings: dict[str, Any],
    checkpoints: str,
    device: str,
    seed: int,
) -> None:
    """Train on events of ``train``, and write ``model`` and ``history``."""
    events = read_population(train)
    low, high = (log10(mass) for mass in masses["mass_gev"])
    own = {key: value for key, value in settings.items() if key != "n_masses"}
    network, table = train_ratio(
        events.x,
        events.theta[:, 0],
        settings=RatioSettings.from_config(own),
        seed=seed,
        device=choose_device(device),
        checkpoint=Path(checkpoints) / "ratio.safetensors",
    )
    published = PublishedPosterior(network, Axis(low, high, masses["n_masses"]))
    tensors, stored = store_published(published)
    io.write_tensors(model, tensors, settings=stored)
    io.write_table(history, table.assign(n_train=len(events.x)))
    io.remove_folder(Path(checkpoints).parent)  # those of older code, too


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
