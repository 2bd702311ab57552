"""Rule check_global_p: global p-values of histograms that hold nothing but background."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.hunts.calibration import Calibration
from bumpflow.hunts.judging import background_p_values, lengths_of
from bumpflow.hunts.spectra import SpectraSettings, shape_coefficients
from bumpflow.hunts.store import load_hunter
from bumpflow.workflow import run_rule


def main(
    *,
    network: Path,
    calibration: Path,
    shapes: Path,
    table: Path,
    groups: dict[str, Any],
    settings: dict[str, Any],
    device: str,
    seed: int,
) -> None:
    """Write p-values of each group of histograms, those held out from training among them."""
    hunter = load_hunter(network, device=choose_device(device))
    corrections = Calibration.from_table(io.read_table(calibration))
    generator = torch.Generator().manual_seed(seed)
    known = shape_coefficients(io.read_table(shapes), split="test")
    parts = [
        background_p_values(
            hunter,
            SpectraSettings.from_config(spectra),
            lengths=lengths_of(settings["n_histograms"], settings["n_bins"]),
            calibration=corrections,
            n_toys=settings["n_toys"],
            generator=generator,
            shapes=known,
        ).assign(group=group)
        for group, spectra in groups.items()
    ]
    io.write_table(table, pd.concat(parts, ignore_index=True))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
