"""Rule observe_alps: measure the photons of all populations with one resolution."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bumpflow import io
from bumpflow.simulate.alps.features import observe
from bumpflow.simulate.alps.sampling import PARAMETERS
from bumpflow.simulate.alps.settings import BeamDump, Resolution
from bumpflow.workflow import derive_seed, run_rule


def main(
    *,
    events: list[Path],
    features: list[Path],
    setup: dict[str, Any],
    resolution: dict[str, Any],
    seed: int,
) -> None:
    """Write ``features`` and true parameters of each file of ``events``, in the same order."""
    beam_dump, measured = BeamDump.from_settings(setup), Resolution.from_settings(resolution)
    for source, target in zip(events, features, strict=True):
        rng = np.random.default_rng(derive_seed(seed, target.stem))  # no noise in common
        table = io.read_table(source)
        found = observe(table, beam_dump, measured, rng=rng)
        io.write_table(target, pd.concat([found, table[list(PARAMETERS)]], axis=1))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
