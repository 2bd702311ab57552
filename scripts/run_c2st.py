"""Rule run_c2st: let classifiers try to tell generated events from Monte Carlo."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.evaluate.witnesses import hear_witnesses
from bumpflow.workflow import run_rule


def main(
    *,
    events: Path,
    generated: Path,
    record: Path,
    ratios: Path,
    history: Path,
    features: list[str],
    label: int,
    settings: dict[str, Any],
    device: str,
    seed: int,
) -> None:
    """Train on ``holdouta`` against ``generated``, test on ``holdoutb`` against other events."""
    train, test = (
        io.read_events(events, features=features, label=label, splits=[split])
        for split in ("holdouta", "holdoutb")
    )
    found = hear_witnesses(
        train,
        test,
        io.read_table(generated, columns=features).to_numpy("float32"),
        features=features,
        settings=settings,
        seed=seed,
        device=choose_device(device),
    )
    io.write_table(ratios, found.ratios)
    io.write_table(history, found.history.assign(member=0))
    io.write_json(record, found.record())


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
