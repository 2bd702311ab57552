"""Populations of simulated events, each for one purpose."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.simulate.alps.sampling import (
    BLOCK_SIZE,
    sample_events,
    sample_events_at,
    sample_sets,
)
from bumpflow.simulate.alps.settings import BeamDump
from bumpflow.workflow import derive_seed

TRAIN, SETS, TEST, BACKGROUND = "train", "sets", "test", "background"
"""Events to train posteriors with, pairs of equal parameters, events to test with, and background
for toys: events whose parameters follow the prior. Signals are named as the benchmarks are."""
PRIOR = (TRAIN, TEST, BACKGROUND)
EVENTS_OF_SET = 2


def simulate_population(
    setup: BeamDump,
    population: str,
    *,
    n_events: int,
    benchmark: Mapping[str, Any] | None,
    mesons: NDArray | None,
    seed: int,
) -> pd.DataFrame:
    """Return true events of a population, see :mod:`bumpflow.simulate.alps.sampling`.

    Args:
        setup: The set-up.
        population: Its name.
        n_events: Number of events; of ``sets``, number of pairs.
        benchmark: ``mass_gev`` and ``lifetime_m_per_gev`` of a signal, none for others.
        mesons: Momenta (px, py, pz, E) of B mesons [GeV], shape ``(k, 4)``; parametrised ones
            by default.
        seed: Seed of the population.
    """
    if population in PRIOR:
        blocks = range(-(-n_events // BLOCK_SIZE))
        return sample_events(setup, blocks, seed=seed, mesons=mesons).head(n_events)
    if population == SETS:
        rng = np.random.default_rng(derive_seed(seed, "parameters"))
        theta = setup.prior.sample(n_events, rng)
        return sample_sets(theta, EVENTS_OF_SET, setup, seed=seed, mesons=mesons)
    assert benchmark is not None
    point = np.log10([benchmark["mass_gev"], benchmark["lifetime_m_per_gev"]])
    return sample_events_at(np.tile(point, (n_events, 1)), setup, seed=seed, mesons=mesons)
