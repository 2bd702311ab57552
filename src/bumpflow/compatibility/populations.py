"""Populations of simulated events, each for one purpose, and how files hold them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from bumpflow import io
from bumpflow.compatibility.settings import PRIOR, SETS
from bumpflow.simulate.alps.features import FEATURES, diphoton_mass
from bumpflow.simulate.alps.sampling import (
    BLOCK_SIZE,
    PARAMETERS,
    sample_events,
    sample_events_at,
    sample_sets,
)
from bumpflow.simulate.alps.settings import BeamDump
from bumpflow.workflow import derive_seed

EVENTS_OF_SET = 2


class Population(NamedTuple):
    """Measured events of one population.

    Attributes:
        x: Features, shape ``(n, 10)``.
        theta: True parameters, shape ``(n, 2)``.
    """

    x: Tensor
    theta: Tensor

    @property
    def log10_mass(self) -> Tensor:
        """Decadic logarithms of the masses [GeV] of both photons, double precision, ``(n,)``."""
        mass = diphoton_mass(self.x.cpu().numpy())
        return torch.from_numpy(np.log10(np.maximum(mass, 1e-12)))


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


def read_population(path: Path, *, device: torch.device | None = None) -> Population:
    """Read measured events of a population."""
    table = io.read_table(path, columns=[*FEATURES, *PARAMETERS])
    return Population(*(_tensor(table, names, device) for names in (FEATURES, PARAMETERS)))


def _tensor(table: pd.DataFrame, columns: tuple[str, ...], device: torch.device | None) -> Tensor:
    return torch.from_numpy(table[list(columns)].to_numpy(np.float32)).to(device)
