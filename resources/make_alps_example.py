"""Make the examples of observed photon pairs.

Run as ``python resources/make_alps_example.py --folder resources/alps``. `example.csv` has three
decays of one particle of 1 GeV and c tau / m = 1 m/GeV behind two of background, which have
parameters of their own, drawn from the prior: set-up ``ship`` and resolution ``poor`` of
config/config.yaml. `decays.csv` has three decays of such a particle and nothing else: set-up
``short`` and resolution ``slides``.
"""

from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pandas as pd

from bumpflow import io
from bumpflow.compatibility.photon_pairs import COLUMNS
from bumpflow.simulate.alps.features import observe
from bumpflow.simulate.alps.populations import TEST, simulate_population
from bumpflow.simulate.alps.settings import BeamDump, Resolution

SEED = 20261128
BENCHMARK = {"mass_gev": 1, "lifetime_m_per_gev": 1}
EXAMPLES = {"example": ("ship", "poor", 2), "decays": ("short", "slides", 0)}
"""Set-up, resolution and number of background events."""
N_SIGNAL = 3


def main(*, folder: Path, config: Path) -> None:
    """Write the events to ``folder``, background first, as a detector would list them."""
    blocks = io.read_yaml(config)
    for name, (setup, resolution, n_background) in EXAMPLES.items():
        table = simulate(
            BeamDump.from_settings(blocks["beamdumps"][setup]),
            Resolution.from_settings(blocks["resolutions"][resolution]),
            n_background=n_background,
        )
        with io.atomic(folder / f"{name}.csv") as path:
            table.to_csv(path, index=False, float_format="%.5g")


def simulate(setup: BeamDump, resolution: Resolution, *, n_background: int) -> pd.DataFrame:
    """Return measured pairs in the columns that tables of observed events have."""
    counts = [(TEST, n_background, None), ("signal", N_SIGNAL, BENCHMARK)]
    parts = [
        simulate_population(
            setup, name, n_events=n, benchmark=benchmark, mesons=None, seed=SEED + number
        )
        for number, (name, n, benchmark) in enumerate(counts)
        if n
    ]
    rng = np.random.default_rng(SEED)
    x = observe(pd.concat(parts, ignore_index=True), setup, resolution, rng=rng)
    columns = {
        name: np.exp(x[f"ln_{name.split('_')[0]}"])
        if f"ln_{name.split('_')[0]}" in x
        else x[name.split("_")[0]]
        for name in COLUMNS
    }
    return pd.DataFrame(columns)


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path("config/config.yaml"))
    main(**vars(parser.parse_args()))
