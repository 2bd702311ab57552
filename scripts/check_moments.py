"""Rule check_moments: compare moments of simulated features with published ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bumpflow import io
from bumpflow.simulate.alps.features import observe
from bumpflow.simulate.alps.moments import PUBLISHED, compare_moments, measure_moments
from bumpflow.simulate.alps.populations import TEST, simulate_population
from bumpflow.simulate.alps.settings import BeamDump, Resolution
from bumpflow.workflow import derive_seed, run_rule


def main(
    *,
    moments: Path,
    rows: dict[str, Any],
    beam_dumps: dict[str, Any],
    resolutions: dict[str, Any],
    n_events: int,
    seed: int,
) -> None:
    """Write the largest differences of ``moments`` from those of each published row."""
    found = []
    for name, row in rows.items():
        setup = BeamDump.from_settings(beam_dumps[row["dataset"]])
        resolution = Resolution.from_settings(resolutions[row["resolution"]])
        own = derive_seed(seed, name)
        events = simulate_population(
            setup, TEST, n_events=n_events, benchmark=None, mesons=None, seed=own
        )
        rng = np.random.default_rng(derive_seed(own, "noise"))
        measured = measure_moments(observe(events, setup, resolution, rng=rng))
        shift = compare_moments(measured, PUBLISHED[name])
        found.append({"row": name, "n": n_events, **shift._asdict()})
    io.write_table(moments, pd.DataFrame(found))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
