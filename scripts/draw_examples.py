"""Rule draw_examples: histograms with both kinds of targets and a network's prediction."""

from pathlib import Path
from typing import Any

import torch

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.hunts.methods import show_examples
from bumpflow.hunts.spectra import SpectraSettings, shape_coefficients
from bumpflow.hunts.store import load_hunter
from bumpflow.workflow import run_rule


def main(
    *,
    network: Path,
    shapes: Path,
    examples: Path,
    spectra: dict[str, Any],
    settings: dict[str, Any],
    device: str,
    seed: int,
) -> None:
    """Write one row per bin of each example."""
    table = show_examples(
        load_hunter(network, device=choose_device(device)),
        SpectraSettings.from_config(spectra),
        lengths=settings["n_bins"],
        degree=settings["degree"],
        generator=torch.Generator().manual_seed(seed),
        shapes=shape_coefficients(io.read_table(shapes), split="test"),
    )
    io.write_table(examples, table)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
