"""Rule train_hunter: train a network that hunts bumps, on histograms drawn while it trains."""

import time
from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.hunts.spectra import shape_coefficients
from bumpflow.hunts.store import store_hunter
from bumpflow.hunts.training import HunterSettings, train_hunter
from bumpflow.workflow import run_rule


def main(
    *,
    shapes: Path,
    network: Path,
    history: Path,
    record: Path,
    hunter: dict[str, Any],
    spectra: dict[str, Any],
    checkpoints: str,
    device: str,
    seed: int,
) -> None:
    """Train ``hunter`` on ``spectra``; write its weights, its losses and a record of both."""
    start = time.perf_counter()
    chosen = choose_device(device)
    settings = HunterSettings.from_config(hunter, spectra)
    trained, losses = train_hunter(
        settings,
        seed=seed,
        device=chosen,
        shapes=shape_coefficients(io.read_table(shapes), split="train"),
        checkpoint=Path(checkpoints) / "network.safetensors",
    )
    tensors, kept = store_hunter(trained, hunter, spectra)
    about = {
        "histograms": int(losses["histograms"].iloc[-1]),
        "validation_loss": float(losses["validation_loss"].min()),
        "parameters": sum(parameter.numel() for parameter in trained.parameters()),
        "seed": seed,
        "training": hunter["training"],
    }
    io.write_tensors(network, tensors, settings=kept | about)
    spent = {
        "device": chosen.type,
        "seconds": time.perf_counter() - start,
        "training_seconds": float(losses["seconds"].sum()),
    }
    io.write_table(history, losses)
    io.write_json(record, kept | about | spent)
    io.remove_folder(Path(checkpoints).parent)  # those of older code, too


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
