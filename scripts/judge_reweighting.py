"""Rule judge_reweighting: ask boosted trees what weights have gained."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.evaluate.reweighting import judge_reweighting
from bumpflow.workflow import run_rule


def main(
    *,
    mc: Path,
    surrogate: Path,
    reweighter: Path,
    record: Path,
    inputs: list[str],
    splits: dict[str, list[str]],
    settings: dict[str, Any],
    seed: int,
) -> None:
    """Train on ``splits`` for reweighting, test on those that play the data."""
    columns = [*inputs, "weight"]
    train, test = (
        io.read_events(mc, features=inputs, label=0, splits=splits[use])
        for use in ("reweighting", "data")
    )
    generated = io.read_events(surrogate, features=columns, label=0, splits=["template"])
    found = judge_reweighting(
        train, test, generated[:, :-1], generated[:, -1], settings=settings, seed=seed
    )
    names = ("slope", "offset", "clip")
    numbers = io.read_model(reweighter, lambda _, stored: {name: stored[name] for name in names})
    io.write_json(record, numbers | {"n_train": len(train)} | found)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
