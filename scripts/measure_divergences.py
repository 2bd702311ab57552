"""Rule measure_divergences: compare generated with unseen events, feature by feature."""

from pathlib import Path
from typing import Any

import numpy as np

from bumpflow import io
from bumpflow.evaluate import divergences as div
from bumpflow.workflow import run_rule

UNSEEN = ("test", "holdouta", "holdoutb")


def main(
    *,
    events: Path,
    generated: Path,
    table: Path,
    record: Path,
    features: list[str],
    label: int,
    settings: dict[str, Any],
    baseline_seed: int,
    seed: int,
) -> None:
    """Measure ``generated`` against the unseen part of ``events``; write ``table``, ``record``."""
    rng = np.random.default_rng(seed)
    reference = io.read_events(events, features=features, label=label, splits=UNSEEN)
    trained = io.read_events(events, features=features, label=label, splits=["train"])
    candidate = io.read_table(generated, columns=features).to_numpy("float32")
    real = np.concatenate([reference, trained])
    size = div.equal_size(
        len(reference), len(candidate), n_monte_carlo=len(real), limit=settings["max_events"]
    )
    binning = div.bin_by(real, n_bins=settings["n_bins"])
    compared = div.compare(
        rng.permutation(reference)[:size],
        rng.permutation(candidate)[:size],
        binning=binning,
        n_bootstrap=settings["n_bootstrap"],
        rng=rng,
    )
    null = div.baseline(
        real,
        n_reference=size,
        n_candidate=size,
        binning=binning,
        n_repeats=settings["n_baseline"],
        rng=np.random.default_rng(baseline_seed),
    )
    relative = {name: found._asdict() for name, found in div.relative(compared, null).items()}
    io.write_table(table, div.as_table(compared, null, features))
    io.write_json(record, {"n": size, "relative": relative})


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
