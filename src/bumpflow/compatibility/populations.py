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


def read_population(path: Path, *, device: torch.device | None = None) -> Population:
    """Read measured events of a population."""
    table = io.read_table(path, columns=[*FEATURES, *PARAMETERS])
    return Population(*(_tensor(table, names, device) for names in (FEATURES, PARAMETERS)))


def _tensor(table: pd.DataFrame, columns: tuple[str, ...], device: torch.device | None) -> Tensor:
    return torch.from_numpy(np.array(table[list(columns)], dtype=np.float32)).to(device)
