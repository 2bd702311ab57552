"""Rule compare_hunters: other ways to hunt bumps, on the same histograms."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.hunts.methods import compare_methods
from bumpflow.hunts.spectra import SpectraSettings
from bumpflow.hunts.store import load_hunter
from bumpflow.workflow import run_rule


def main(
    *,
    network: Path,
    comparison: Path,
    spectra: dict[str, Any],
    settings: dict[str, Any],
    device: str,
    seed: int,
) -> None:
    """Hunt in histograms with and without signals by each method; write one row of each."""
    table = compare_methods(
        load_hunter(network, device=choose_device(device)),
        SpectraSettings.from_config(spectra),
        n=settings["n_histograms"],
        n_bins=settings["n_bins"],
        significance=settings["significance"],
        seed=seed,
    )
    io.write_table(comparison, table)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
