"""Rule compare_detectors: how well methods measure the mass with each detector."""

from pathlib import Path
from typing import Any

import pandas as pd

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.reconstruction.detectors import Networks, compare_detectors, compare_sharpness
from bumpflow.reconstruction.simulation import read_sets
from bumpflow.reconstruction.store import load_published, load_sets
from bumpflow.simulate.alps.settings import Resolution
from bumpflow.workflow import derive_seed, run_rule


def main(
    *,
    amortised: Path,
    published: Path,
    singles: list[Path],
    test: Path,
    signals: list[Path],
    comparison: Path,
    sharpness: Path,
    benchmarks: dict[str, Any],
    detectors: dict[str, dict[str, Any]],
    trained: str,
    n_events: int,
    product: dict[str, int],
    n_draws: int,
    device: str,
    seed: int,
) -> None:
    """Write the ``comparison`` at benchmarks, and the ``sharpness`` over the prior."""
    on = choose_device(device)
    networks = Networks(
        load_sets(amortised, device=on),
        {path.stem: load_sets(path, device=on) for path in singles},
        {trained: load_published(published, device=on)},
    )
    known = {name: Resolution.from_settings(one) for name, one in detectors.items()}
    sizes = {"n_product": product["n_sets"], "n_lifetimes": product["n_lifetimes"]}
    common = {"n_events": n_events, "n_draws": n_draws}
    tables = []
    for name, path in zip(benchmarks, signals, strict=True):
        own = derive_seed(seed, name)
        table = compare_detectors(networks, read_sets(path), known, seed=own, **common, **sizes)
        tables.append(table.assign(benchmark=name))
    io.write_table(comparison, pd.concat(tables, ignore_index=True))
    io.write_table(
        sharpness, compare_sharpness(networks, read_sets(test), known, seed=seed, **common)
    )


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
