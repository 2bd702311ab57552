"""Simulate sets of decays, and read them back."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow import io
from bumpflow.reconstruction.sets import TrueSets, as_true_sets
from bumpflow.simulate.alps.sampling import PARAMETERS, PHOTONS, sample_sets
from bumpflow.simulate.alps.settings import BeamDump
from bumpflow.workflow import derive_seed

COLUMNS = ("set", "event", *PARAMETERS, *PHOTONS)


def simulate_sets(
    setup: BeamDump,
    *,
    n_sets: int,
    n_events: int,
    benchmark: Mapping[str, float] | None,
    mesons: NDArray | None,
    seed: int,
) -> pd.DataFrame:
    """Return true decays of sets, :data:`COLUMNS`, in single precision.

    Args:
        setup: The set-up.
        n_sets: Number of sets.
        n_events: Decays of each.
        benchmark: ``mass_gev`` and the decay length c tau, ``lifetime_m``, of all sets; drawn from
            the prior by default.
        mesons: As in :func:`bumpflow.simulate.alps.sampling.sample_sets`.
        seed: Seed of the sets.
    """
    if benchmark is None:
        rng = np.random.default_rng(derive_seed(seed, "parameters"))
        theta = setup.prior.sample(n_sets, rng)
    else:
        mass, length = benchmark["mass_gev"], benchmark["lifetime_m"]
        theta = np.tile(np.log10([mass, length / mass]), (n_sets, 1))
    table = sample_sets(theta, n_events, setup, seed=seed, mesons=mesons)[list(COLUMNS)]
    whole = ("set", "event")
    return table.astype({name: np.int32 if name in whole else np.float32 for name in COLUMNS})


def read_sets(path: Path, *, n_sets: int | None = None) -> TrueSets:
    """Read simulated sets, all or the first ones."""
    true = as_true_sets(io.read_table(path, columns=list(COLUMNS)))
    return true if n_sets is None else true.head(n_sets)
