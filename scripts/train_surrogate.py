"""Rule train_surrogate: learn the density of one process's events."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.flows.density import DensitySettings, EventDensity, fit_density, store
from bumpflow.surrogates import read_process, split_settings, training_record
from bumpflow.workflow import run_rule


def main(
    *,
    events: Path,
    model: Path,
    history: Path,
    training: Path,
    label: int,
    features: list[str],
    context: list[str],
    mirror: list[str],
    density: dict[str, Any],
    settings: dict[str, Any],
    checkpoints: str,
    device: str,
    seed: int,
) -> None:
    """Train on ``events`` and write ``model``, its ``history`` and a ``training`` record."""
    on = choose_device(device)
    ensemble, max_events, steps = split_settings(settings)
    parts = {
        split: read_process(events, split=split, label=label, features=features, context=context)
        for split in ("train", "validation", "test")
    }
    parts["train"] = parts["train"].first(max_events)
    chosen = DensitySettings(tuple(features), context=tuple(context), members=ensemble, **density)
    trained = EventDensity(chosen, seed=seed)
    losses = fit_density(
        trained,
        train=parts["train"].mirrored(mirror),
        validation=parts["validation"].mirrored(mirror),
        settings=steps,
        seed=seed,
        device=on,
        checkpoints=Path(checkpoints),
    )
    tensors, stored = store(trained)
    io.write_tensors(model, tensors, settings=stored)
    io.write_table(history, losses)
    io.write_json(training, training_record(trained, losses, parts, device=on))
    io.remove_folder(Path(checkpoints).parent)  # those of older code, too


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
