"""Measured events of populations, as files hold them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bumpflow import io
from bumpflow.simulate.alps.features import FEATURES, diphoton_mass
from bumpflow.simulate.alps.sampling import PARAMETERS

LEAST_MASS_GEV = 1e-12


class Population(NamedTuple):
    """Measured events of one population.

    Attributes:
        x: Features, shape ``(n, 10)``.
        theta: True parameters, shape ``(n, 2)``, or ``(n, 0)`` if they are unknown.
    """

    x: Tensor
    theta: Tensor


def log10_diphoton_mass(x: Tensor) -> Tensor:
    """Return decadic logarithms of the masses [GeV] of both photons, double precision, ``(n,)``.

    Args:
        x: Features, shape ``(n, 10)``.
    """
    mass = diphoton_mass(x.cpu().numpy())
    return torch.from_numpy(np.log10(np.maximum(mass, LEAST_MASS_GEV))).to(x.device)


def read_population(path: Path) -> Population:
    """Read measured events of a population."""
    return as_population(io.read_table(path, columns=[*FEATURES, *PARAMETERS]))


def as_population(table: pd.DataFrame) -> Population:
    """Return the events of a table, without true parameters if it has none."""
    known = [name for name in PARAMETERS if name in table]
    parts = (np.array(table[names], dtype=np.float32) for names in (list(FEATURES), known))
    return Population(*map(torch.from_numpy, parts))
