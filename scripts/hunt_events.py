"""Rule hunt_events: hunt in a table of observed photon pairs."""

from pathlib import Path
from typing import Any

import torch

from bumpflow import io
from bumpflow.compatibility.observing import hunt_observed
from bumpflow.compatibility.photon_pairs import read_photon_pairs
from bumpflow.compatibility.populations import as_population, read_population
from bumpflow.compatibility.store import load_hunters
from bumpflow.device import choose_device
from bumpflow.simulate.alps.settings import BeamDump, Resolution
from bumpflow.workflow import run_rule


def main(
    *,
    table: Path,
    posterior: Path,
    ratio: Path,
    networks: list[Path],
    background: Path,
    events: Path,
    pairs: Path,
    posteriors: Path,
    summary: Path,
    setup: dict[str, Any],
    resolution: dict[str, Any],
    threshold: float,
    bins: dict[str, int],
    mu_b: float | None,
    n_toys: int,
    device: str,
    seed: int,
) -> None:
    """Write what hunts say of the ``events`` in ``table``, their ``pairs`` and ``posteriors``."""
    on = choose_device(device)
    measured = Resolution.from_settings(resolution)
    x = read_photon_pairs(table, BeamDump.from_settings(setup), measured)
    hunters = load_hunters(posterior, ratio, networks, on=on)
    found = hunt_observed(
        hunters.pool(as_population(x)),
        hunters.pool(read_population(background)),
        hunters,
        threshold=threshold,
        bins=sorted(set(bins.values())),
        mu_b=mu_b,
        n_toys=n_toys,
        generator=torch.Generator(on).manual_seed(seed),
    )
    io.write_table(events, found.events)
    io.write_table(pairs, found.pairs)
    io.write_table(posteriors, found.posterior)
    io.write_json(summary, found.summary)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
