"""Rule run_experiment: make a whole measurement in a world whose truth is known."""

from pathlib import Path
from typing import Any

import numpy as np

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.flows.density import DensitySettings
from bumpflow.resonance.densities import load_densities
from bumpflow.resonance.experiments import ExperimentSettings, Truth, run_experiment
from bumpflow.resonance.scoring import Systematic
from bumpflow.resonance.store import masses_of
from bumpflow.surrogates import split_settings
from bumpflow.workflow import run_rule


def main(
    *,
    background: Path,
    signal: Path,
    shapes: Path,
    toys: Path,
    replica: int,
    measurement: dict[str, Any],
    density: dict[str, Any],
    settings: dict[str, Any],
    experiment: dict[str, Any],
    validation_fraction: float,
    checkpoints: str,
    device: str,
    seed: int,
) -> None:
    """Take ``background`` and ``signal`` for the truth, and write fits of ``toys``."""
    on = choose_device(device)
    record = io.read_json(shapes)
    masses, theta = masses_of(record, measurement), np.array(record["background"]["theta"])
    true_background, true_signal = (load_densities(p, device=on)[0] for p in (background, signal))
    names, mass = tuple(measurement["features"]), (measurement["mass"],)
    members, _, training = split_settings(settings)
    systematics = measurement["systematics"].items()
    found = run_experiment(
        Truth(true_background, true_signal, masses, theta),
        ExperimentSettings(**experiment),
        density=DensitySettings(names, context=mass, members=members, **density),
        training=training,
        validation_fraction=validation_fraction,
        systematics=[Systematic.from_config(*one) for one in systematics],
        seed=seed,
        device=on,
        checkpoints=Path(checkpoints),
    )
    io.write_table(toys, found.assign(replica=replica))
    io.remove_folder(Path(checkpoints).parent)  # those of older code, too


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
