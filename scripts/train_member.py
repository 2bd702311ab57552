"""Rule train_member: train the surrogate again on other events, and fill its templates."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.flows.density import load, store
from bumpflow.search.ensemble import train_member
from bumpflow.search.selection import Kind
from bumpflow.workflow import run_rule


def main(
    *,
    events: Path,
    central: Path,
    classifier: Path,
    model: Path,
    history: Path,
    templates: Path,
    kind: Kind,
    label: int,
    mirror: list[str],
    splits: dict[str, list[str]],
    settings: dict[str, Any],
    observables: dict[str, Any],
    cut: float,
    checkpoints: str,
    device: str,
    seed: int,
) -> None:
    """Write the ``model``, its ``history``, and its ``templates`` with and without weights."""
    surrogate = load(central, device=(on := choose_device(device)))
    columns = [*surrogate.settings.features, *surrogate.settings.context]
    member = train_member(
        kind,
        [
            io.read_events(events, features=columns, label=label, splits=splits[use])
            for use in ("train", "validation", "reweighting")
        ],
        central=surrogate,
        classifier=io.read_tensors(classifier),
        mirror=mirror,
        settings=settings,
        observables=observables,
        cut=cut,
        checkpoints=Path(checkpoints),
        seed=seed,
        device=on,
    )
    tensors, stored = store(member.density)
    io.write_tensors(model, tensors, settings=stored)
    io.write_table(history, member.history)
    io.write_table(templates, member.templates)
    io.remove_folder(Path(checkpoints).parent)  # those of older code, too


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
