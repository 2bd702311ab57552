"""Tabulate the form factors of gg to HH, and interpolate between the points of the table."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline

from bumpflow.simulate.hard.hh_amplitude import (
    HIGGS_MASS_GEV,
    N_NODES,
    TOP_MASS_GEV,
    FormFactors,
    form_factors,
)

MAX_MASS_GEV = 3000.0
ABOVE_HIGGS_THRESHOLD_GEV = 0.05
"""Distance of the first mass from the threshold of the pair, where nothing is produced."""
SMALLEST_ANGLE = 0.02
SHARE_BELOW = 0.25
"""Share of the masses that lie below the threshold of top quark pairs."""
MIN_POINTS = 4
"""Points that a cubic spline needs on each side of the threshold, and in the angle."""
PARTS = tuple(f"{name}_{part}" for name in FormFactors._fields for part in ("re", "im"))


def grid_points(
    n_masses: int,
    n_angles: int,
    *,
    top_mass_gev: float = TOP_MASS_GEV,
    higgs_mass_gev: float = HIGGS_MASS_GEV,
    max_mass_gev: float = MAX_MASS_GEV,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Return masses and polar cosines at which to tabulate form factors.

    Masses are equidistant in :math:`\sqrt{|m_{HH} - 2 m_t|}`, in which form factors are smooth on
    both sides of the threshold of top quark pairs, and one is on it. Polar angles are
    equidistant.

    Args:
        n_masses: Number of masses, at least 14.
        n_angles: Number of angles, at least 4.
        top_mass_gev: Mass of the top quark [GeV].
        higgs_mass_gev: Mass of the Higgs boson [GeV].
        max_mass_gev: Largest mass of the pair [GeV].

    Returns:
        Masses of the pair [GeV], ascending, shape ``(n_masses,)``, and cosines from 0 to almost
        1, shape ``(n_angles,)``.

    Raises:
        ValueError: If there are too few.
    """
    n_below = round(SHARE_BELOW * n_masses)
    if min(n_below, n_angles) < MIN_POINTS:
        msg = (
            f"{n_masses} masses and {n_angles} angles are too few to interpolate form factors:"
            f" take at least {round(MIN_POINTS / SHARE_BELOW) - 2} and {MIN_POINTS}"
        )
        raise ValueError(msg)
    top, lowest = 2 * top_mass_gev, 2 * higgs_mass_gev + ABOVE_HIGGS_THRESHOLD_GEV
    below = top - np.linspace(np.sqrt(top - lowest), 0, n_below, endpoint=False) ** 2
    above = top + np.linspace(0, np.sqrt(max_mass_gev - top), n_masses - n_below) ** 2
    angles = np.linspace(np.pi / 2, SMALLEST_ANGLE, n_angles)
    return np.concatenate([below, above]), np.maximum(np.cos(angles), 0)


def tabulate_form_factors(
    masses_gev: NDArray,
    cosines: NDArray,
    *,
    top_mass_gev: float = TOP_MASS_GEV,
    higgs_mass_gev: float = HIGGS_MASS_GEV,
    n_nodes: int = N_NODES,
) -> pd.DataFrame:
    """Return the form factors of gg to HH at all pairs of masses and polar cosines.

    Args:
        masses_gev: Masses of the pair [GeV], ascending, as :func:`grid_points` returns them.
        cosines: Polar cosines, ascending, 0 or more and below 1.
        top_mass_gev: Mass of the top quark [GeV].
        higgs_mass_gev: Mass of the Higgs boson [GeV].
        n_nodes: Nodes of the integration.

    Returns:
        One row per point with columns ``m_hh_gev``, ``cos_theta``, real and imaginary parts
        ``triangle_re``, ``triangle_im``, ``box_re``, ``box_im``, ``box_opposite_re`` and
        ``box_opposite_im``, and the same ``top_mass_gev`` and ``higgs_mass_gev`` everywhere.
    """
    mass, cosine = (part.ravel() for part in np.meshgrid(masses_gev, cosines, indexing="ij"))
    factors = form_factors(
        mass, cosine, top_mass_gev=top_mass_gev, higgs_mass_gev=higgs_mass_gev, n_nodes=n_nodes
    )
    values = [part for factor in factors for part in (factor.real, factor.imag)]
    columns = {"m_hh_gev": mass, "cos_theta": cosine} | dict(zip(PARTS, values, strict=True))
    masses = {"top_mass_gev": top_mass_gev, "higgs_mass_gev": higgs_mass_gev}
    return pd.DataFrame(columns).assign(**masses)


class FormFactorGrid:
    """Form factors of gg to HH between the points of a table.

    Attributes:
        top_mass_gev: Mass of the top quark [GeV].
        higgs_mass_gev: Mass of the Higgs boson [GeV].
        range_gev: Smallest and largest mass of the pair [GeV].
    """

    def __init__(self, table: pd.DataFrame) -> None:
        """Take a table of :func:`tabulate_form_factors`.

        Raises:
            ValueError: If columns are missing, or there is no mass on the threshold of top
                quark pairs.
        """
        needed = ["m_hh_gev", "cos_theta", *PARTS, "top_mass_gev", "higgs_mass_gev"]
        if missing := [name for name in needed if name not in table]:
            msg = f"the table of form factors lacks {missing}: write it with tabulate_form_factors"
            raise ValueError(msg)
        self.top_mass_gev = float(table["top_mass_gev"].iloc[0])
        self.higgs_mass_gev = float(table["higgs_mass_gev"].iloc[0])
        masses, cosines = np.unique(table["m_hh_gev"]), np.unique(table["cos_theta"])
        self.range_gev = float(masses[0]), float(masses[-1])
        on_threshold = np.isclose(masses, 2 * self.top_mass_gev, rtol=1e-12)
        if not on_threshold.any():
            msg = f"no mass is {2 * self.top_mass_gev} GeV, the threshold: use grid_points"
            raise ValueError(msg)
        shape = (len(masses), len(cosines))
        ordered = table.sort_values(["m_hh_gev", "cos_theta"])
        values = [ordered[name].to_numpy().reshape(shape)[:, ::-1] for name in PARTS]
        self._angles = np.arccos(cosines)[::-1]
        split = int(np.argmax(on_threshold))
        self._below = self._build_side(masses[: split + 1], [v[: split + 1] for v in values])
        self._above = self._build_side(masses[split:], [v[split:] for v in values])

    def _build_side(self, masses: NDArray, values: list[NDArray]) -> list[RectBivariateSpline]:
        """Return the splines between masses on one side of the threshold."""
        return [RectBivariateSpline(masses, self._angles, value) for value in values]

    def __call__(self, m_hh_gev: NDArray, cos_theta: NDArray) -> FormFactors:
        """Return form factors, beyond the table those of its edges.

        Args:
            m_hh_gev: Masses of the pair [GeV], shape ``(n,)``.
            cos_theta: Polar cosines, of either sign, shape ``(n,)``.
        """
        mass = np.clip(m_hh_gev, *self.range_gev)
        angle = np.clip(np.arccos(np.abs(cos_theta)), self._angles[0], self._angles[-1])
        values = np.empty((len(PARTS), len(mass)))
        above = mass >= 2 * self.top_mass_gev
        for splines, here in ((self._below, ~above), (self._above, above)):
            for row, spline in zip(values, splines, strict=True):
                row[here] = spline.ev(mass[here], angle[here])
        return FormFactors(*(values[0::2] + 1j * values[1::2]))
