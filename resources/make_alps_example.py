"""Make the example of observed photon pairs: three of one particle and two of background.

Run as ``python resources/make_alps_example.py --output resources/alps/example.csv``. The particle
has 1 GeV and c tau / m = 1 m/GeV; background events have parameters of their own, drawn from the
prior. Set-up and resolution are ``ship`` and ``poor`` of config/config.yaml.
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
N_SIGNAL, N_BACKGROUND = 3, 2


def main(*, output: Path, config: Path) -> None:
    """Write the events to ``output``, background first, as a detector would list them."""
    blocks = io.read_yaml(config)
    setup = BeamDump.from_settings(blocks["beamdumps"]["ship"])
    parts = [
        simulate_population(
            setup, name, n_events=n, benchmark=benchmark, mesons=None, seed=SEED + number
        )
        for number, (name, n, benchmark) in enumerate(
            [(TEST, N_BACKGROUND, None), ("signal", N_SIGNAL, BENCHMARK)]
        )
    ]
    resolution = Resolution.from_settings(blocks["resolutions"]["poor"])
    rng = np.random.default_rng(SEED)
    x = observe(pd.concat(parts, ignore_index=True), setup, resolution, rng=rng)
    columns = {
        name: np.exp(x[f"ln_{name.split('_')[0]}"])
        if f"ln_{name.split('_')[0]}" in x
        else x[name.split("_")[0]]
        for name in COLUMNS
    }
    with io.atomic(output) as path:
        pd.DataFrame(columns).to_csv(path, index=False, float_format="%.5g")


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path("config/config.yaml"))
    main(**vars(parser.parse_args()))
