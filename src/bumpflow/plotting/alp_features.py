"""What a calorimeter measures of two photons, as figures show it."""

import numpy as np
from pandas import DataFrame

from bumpflow.plotting.histograms import Densities, measure_densities
from bumpflow.plotting.names import PHOTONS, ModelStyle
from bumpflow.simulate.alps.features import FEATURES, diphoton_mass

BACKGROUND = ModelStyle("background (prior of masses and lifetimes)", "#717581", "o")

N_BINS = 40


def describe_photons(table: DataFrame) -> DataFrame:
    """Return what is measured of two photons, with the distance of their hits and their mass.

    Args:
        table: Columns :data:`~bumpflow.simulate.alps.features.FEATURES`.

    Returns:
        Columns of :data:`~bumpflow.plotting.names.PHOTONS`.
    """
    columns = {name: table[name].to_numpy() for name in ("x1", "y1", "x2", "y2", "phi1", "phi2")}
    for i in (1, 2):
        columns[f"e{i}"] = np.exp(table[f"ln_e{i}"].to_numpy())
        columns[f"theta{i}"] = 1000 * np.exp(table[f"ln_theta{i}"].to_numpy())
    columns["distance"] = np.hypot(*(columns[f"{axis}1"] - columns[f"{axis}2"] for axis in "xy"))
    mass = diphoton_mass(table[list(FEATURES)].to_numpy())
    columns["log10_m_gg"] = np.log10(np.maximum(mass, 1e-12))
    return DataFrame(columns)[list(PHOTONS)]


def measure_photons(table: DataFrame) -> Densities:
    """Return densities of what is measured of two photons, shape ``(12, N_BINS)``.

    Args:
        table: Columns :data:`~bumpflow.simulate.alps.features.FEATURES`.
    """
    ranges = np.array([[style.low, style.high] for style in PHOTONS.values()])
    return measure_densities(describe_photons(table).to_numpy(), ranges, N_BINS)
