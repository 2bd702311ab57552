"""Rule calibrate_hunter: correct a network's predictions on histograms of its training's kind."""

from pathlib import Path
from typing import Any

import torch

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.hunts.judging import calibrate_hunter, lengths_of
from bumpflow.hunts.spectra import SpectraSettings, shape_coefficients
from bumpflow.hunts.store import load_hunter
from bumpflow.workflow import run_rule


def main(
    *,
    network: Path,
    shapes: Path,
    calibration: Path,
    settings: dict[str, Any],
    correction: str,
    device: str,
    seed: int,
) -> None:
    """Write what the estimates and intervals of ``network`` need to ``calibration``."""
    hunter = load_hunter(network, device=choose_device(device))
    _, kept = io.read_tensors(network)
    spectra = SpectraSettings.from_config({**kept["spectra"], "widths": kept["widths"]})
    low, high = spectra.n_bins
    lengths = [n for n in settings["n_bins"] if low <= n <= high]
    found = calibrate_hunter(
        hunter,
        spectra,
        lengths=lengths_of(settings["n_histograms"], lengths),
        correction=correction,
        generator=torch.Generator().manual_seed(seed),
        shapes=shape_coefficients(io.read_table(shapes), split="train"),
    )
    io.write_table(calibration, found.as_table())


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
