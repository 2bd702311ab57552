"""Rule hunt_toys: draw toys, and hunt in them."""

from pathlib import Path
from typing import Any

import torch

from bumpflow import io
from bumpflow.compatibility.hunting import HuntSettings, hunt_toys, toy_cells
from bumpflow.compatibility.populations import read_population
from bumpflow.compatibility.store import load_hunters
from bumpflow.device import choose_device
from bumpflow.workflow import run_rule


def main(
    *,
    posterior: Path,
    ratio: Path,
    networks: list[Path],
    background: Path,
    signal: list[Path],
    toys: Path,
    points: list[tuple[float, float]],
    grid: dict[str, list[float]],
    n_toys: dict[str, Any],
    thresholds: list[float],
    bins: dict[str, int],
    device: str,
    seed: int,
) -> None:
    """Write the statistics of all hunts in ``toys`` of ``background``, with ``signal`` if any."""
    on = choose_device(device)
    hunters = load_hunters(posterior, ratio, networks, on=on)
    pools = [hunters.pool(read_population(path)) for path in [background, *signal]]
    table = hunt_toys(
        toy_cells(points, grid, n_toys, with_signal=bool(signal)),
        pools[0],
        pools[1] if signal else None,
        weights=hunters.posterior.grid.mass.weights.to(on),
        networks={**hunters.scorers(), "epo": hunters.closed_form()},
        settings=HuntSettings(
            thresholds=thresholds,
            bins=sorted(set(bins.values())),
            max_rates=sorted({mu_b for mu_b, _ in points}),
        ),
        generator=torch.Generator(on).manual_seed(seed),
    )
    io.write_table(toys, table)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
