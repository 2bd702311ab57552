"""Rule train_resonance: learn how the features of one component depend on the mass."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.flows.density import DensitySettings
from bumpflow.resonance.densities import store_densities, train_bootstraps
from bumpflow.resonance.events import vary
from bumpflow.resonance.store import tensors_of, training_table
from bumpflow.surrogates import split_settings
from bumpflow.workflow import run_rule


def main(
    *,
    events: Path,
    model: Path,
    history: Path,
    part: dict[str, Any],
    measurement: dict[str, Any],
    density: dict[str, Any],
    settings: dict[str, Any],
    contaminated: bool,
    bootstraps: int,
    validation_fraction: float,
    checkpoints: str,
    device: str,
    seed: int,
) -> None:
    """Train on the ``events`` of one ``part``, and write its ``model`` and ``history``."""
    on = choose_device(device)
    features, mass = measurement["features"], measurement["mass"]
    members, size, training = split_settings(settings)
    table = io.read_table(events)
    chosen = training_table(
        table, part, mass=mass, contaminated=contaminated, max_events=size, seed=seed
    )
    x, masses = tensors_of(vary(chosen, part["scale"], nu=1), features, mass, on)
    trained = train_bootstraps(
        x.float(),
        masses.float(),
        settings=DensitySettings(tuple(features), context=(mass,), members=members, **density),
        n_bootstraps=bootstraps,
        training=training,
        validation_fraction=validation_fraction,
        seed=seed,
        device=on,
        checkpoints=Path(checkpoints),
    )
    tensors, stored = store_densities(trained.densities)
    io.write_tensors(model, tensors, settings=stored)
    io.write_table(history, trained.history.assign(n_train=len(x)))
    io.remove_folder(Path(checkpoints).parent)  # those of older code, too


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
