"""Rule train_pairs: learn whether two events agree in their parameters."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.compatibility.ensembles import PairSettings, store_pair_networks, train_pair_networks
from bumpflow.compatibility.populations import read_population
from bumpflow.compatibility.settings import ARCHITECTURES
from bumpflow.compatibility.store import FIELDS, load_published
from bumpflow.device import choose_device
from bumpflow.workflow import run_rule


def main(
    *,
    sets: Path,
    ratio: Path,
    model: Path,
    history: Path,
    network: str,
    settings: dict[str, Any],
    checkpoints: str,
    device: str,
    seed: int,
) -> None:
    """Train the ensemble of a ``network`` on pairs of ``sets``, and write ``model``, ``history``."""
    on = choose_device(device)
    architecture = ARCHITECTURES[network]
    x = read_population(sets).x
    if FIELDS[architecture] == "published":
        x = load_published(ratio, on=on).log_ratio(x).cpu()
    trained = train_pair_networks(
        x.unflatten(0, (-1, 2)),
        settings=PairSettings.from_config({**settings, "architecture": architecture}),
        seed=seed,
        device=on,
        checkpoints=Path(checkpoints),
    )
    tensors, stored = store_pair_networks(trained.networks, architecture)
    io.write_tensors(model, tensors, settings=stored)
    io.write_table(history, trained.history.assign(n_train=len(x) // 2))
    io.remove_folder(Path(checkpoints).parent)  # those of older code, too


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
