"""Rule check_normalisation: integrate every density over all features."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from bumpflow import io
from bumpflow.resonance.densities import load_densities, normalisation
from bumpflow.resonance.settings import BACKGROUND_PART
from bumpflow.workflow import derive_seed, run_rule


def main(
    *,
    densities: list[Path],
    integrals: Path,
    measurement: dict[str, Any],
    settings: dict[str, Any],
    seed: int,
) -> None:
    """Write the ``integrals`` in the signal region, and of the background in each sideband."""
    window, region = measurement["window_gev"], measurement["signal_region_gev"]
    edges = [window[0], *region, window[1]]
    masses = [(low + high) / 2 for low, high in pairwise(edges)]
    tables = []
    for path in densities:
        known = masses if path.stem == BACKGROUND_PART else masses[1:2]
        for bootstrap, density in enumerate(load_densities(path)):
            own = derive_seed(seed, path.stem, str(bootstrap))
            found = normalisation(density, known, seed=own, **settings)
            tables.append(found.assign(part=path.stem, bootstrap=bootstrap))
    io.write_table(integrals, pd.concat(tables, ignore_index=True))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
