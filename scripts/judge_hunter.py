"""Rule judge_hunter: compare a network's predictions with the truth."""

from pathlib import Path
from typing import Any

import torch

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.hunts.calibration import Calibration
from bumpflow.hunts.judging import judge_hunter, lengths_of
from bumpflow.hunts.spectra import SpectraSettings, shape_coefficients
from bumpflow.hunts.store import load_hunter
from bumpflow.workflow import run_rule


def main(
    *,
    network: Path,
    calibration: Path,
    shapes: Path,
    table: Path,
    settings: dict[str, Any],
    device: str,
    seed: int,
) -> None:
    """Draw histograms that ``network`` was not trained with and write one row of each."""
    judged = judge_hunter(
        load_hunter(network, device=choose_device(device)),
        SpectraSettings.from_config(settings["spectra"]),
        lengths=lengths_of(settings["n_histograms"], settings["n_bins"]),
        calibration=Calibration.from_table(io.read_table(calibration)),
        generator=torch.Generator().manual_seed(seed),
        shapes=shape_coefficients(io.read_table(shapes), split="test"),
    )
    io.write_table(table, judged)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
