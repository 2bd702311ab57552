"""Rule infer_parameters: infer the mass from toys, with right and wrong events."""

from math import log10
from pathlib import Path
from typing import Any

import torch

from bumpflow import io
from bumpflow.compatibility.experiments import infer_mixtures, scale_signals
from bumpflow.compatibility.populations import read_population
from bumpflow.compatibility.posteriors import load_posterior
from bumpflow.device import choose_device
from bumpflow.workflow import run_rule


def main(
    *,
    posterior: Path,
    background: Path,
    signal: Path,
    scaling: Path,
    toys: Path,
    coverage: Path,
    settings: dict[str, Any],
    mass_gev: float,
    threshold: float,
    device: str,
    seed: int,
) -> None:
    """Write the ``scaling`` with the number of events, inferences of ``toys``, and ``coverage``."""
    on = choose_device(device)
    trained = load_posterior(posterior, device=on)
    mixed, pure = (trained.log_ratio(read_population(path).x) for path in (background, signal))
    truth, generator = log10(mass_gev), torch.Generator(on).manual_seed(seed)
    table = scale_signals(
        pure,
        settings["n_signal"],
        axis=trained.grid.mass,
        truth=truth,
        n_toys=settings["n_toys"],
        generator=generator,
    )
    io.write_table(scaling, table)
    inferred, covered = infer_mixtures(
        mixed,
        pure,
        settings["mixtures"],
        axis=trained.grid.mass,
        truth=truth,
        threshold=threshold,
        n_toys=settings["n_toys"],
        generator=generator,
    )
    io.write_table(toys, inferred)
    io.write_table(coverage, covered)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
