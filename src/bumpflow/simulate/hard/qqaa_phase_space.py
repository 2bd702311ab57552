r"""Phase space of two partons and two photons in the variables that detectors cut on.

With transverse momenta, pseudorapidities and azimuths of massless particles, the measure is

.. math::
    dx_1 dx_2 d\Phi_4 = \frac{2}{S} (2\pi)^4 \delta^2\!\left(\sum \vec p_T\right)
    \prod_{i=1}^{4} \frac{d^2 p_{T,i}\, d\eta_i}{2 (2\pi)^3}

The last parton's transverse momentum follows from the others', the softer photon's from the mass
of the photons, and azimuths count from the harder photon's.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bumpflow.simulate.kinematics import delta_r, from_pt_eta_phi_mass, invariant_mass

N_DIMENSIONS = 9
PER_PARTICLE = 2 * (2 * np.pi) ** 3
N_PARTONS = 2
"""Partons come first, photons after them."""


@dataclass(frozen=True)
class PhaseSpaceCuts:
    """What events of two partons and two photons must satisfy to be generated.

    Attributes:
        parton_pt_gev: Least transverse momentum of partons [GeV].
        photon_pt_gev: Least transverse momentum of photons [GeV].
        lead_photon_pt_gev: Least transverse momentum of the harder photon [GeV].
        parton_abs_eta: Largest pseudorapidity of partons, regardless of sign.
        photon_abs_eta: Largest pseudorapidity of photons.
        delta_r: Least distance of any two, in pseudorapidity and azimuth.
        photon_parton_delta_r: Least distance of a photon from a parton.
        diphoton_mass_gev: Smallest and largest mass of the photons [GeV].
        parton_mass_gev: Least mass of the partons [GeV].
    """

    parton_pt_gev: float = 18.0
    photon_pt_gev: float = 18.0
    lead_photon_pt_gev: float = 25.0
    parton_abs_eta: float = 2.7
    photon_abs_eta: float = 2.6
    delta_r: float = 0.35
    photon_parton_delta_r: float = 0.35
    diphoton_mass_gev: tuple[float, float] = (85.0, 185.0)
    parton_mass_gev: float = 12.0

    def __post_init__(self) -> None:
        """Check that there is any such event, and that its cross-section is finite.

        Raises:
            ValueError: If there is none, or a cut that keeps it finite is not positive.
        """
        low, high = self.diphoton_mass_gev
        if not 0 < low < high:
            msg = f"diphoton_mass_gev must ascend from above 0, but is {low}, {high}"
            raise ValueError(msg)
        for name in ("parton_pt_gev", "photon_pt_gev", "photon_parton_delta_r"):
            if getattr(self, name) <= 0:
                msg = f"{name} is {getattr(self, name)}: without it, amplitudes diverge"
                raise ValueError(msg)
        if self.lead_photon_pt_gev < self.photon_pt_gev:
            msg = (
                f"lead_photon_pt_gev is {self.lead_photon_pt_gev}, below photon_pt_gev,"
                f" {self.photon_pt_gev}: the harder photon cannot be softer"
            )
            raise ValueError(msg)


class Points(NamedTuple):
    """Points of phase space within the cuts.

    Attributes:
        where: Which of the given numbers they belong to, shape ``(n,)``.
        momenta: Momenta [GeV] of both partons and both photons, harder photon first, shape
            ``(n, 4, 4)``.
        fractions: Momentum fractions of the incoming partons, shape ``(n, 2)``.
        measure: Measure of momentum fractions and phase space [GeV^4]: the mean of a function
            times this, over all given numbers, is its integral, shape ``(n,)``.
    """

    where: NDArray[np.int64]
    momenta: NDArray[np.float64]
    fractions: NDArray[np.float64]
    measure: NDArray[np.float64]


def map_phase_space(
    numbers: NDArray, cuts: PhaseSpaceCuts, *, energy_gev: float, symmetric: bool
) -> Points:
    """Map numbers between 0 and 1 to phase space.

    Amplitudes are taken to be even under reflection at a plane through the beam axis, and
    photons to be identical: one of the equivalent regions stands for all.

    Args:
        numbers: Numbers between 0 and 1, shape ``(n, 9)``.
        cuts: Where partons and photons may be.
        energy_gev: Centre-of-mass energy of the beams [GeV].
        symmetric: Whether to take what is integrated to be even under exchange of the partons,
            and of the beams, too.
    """
    photons = _map_photons(numbers[:, :5], cuts, energy_gev / 2, symmetric)
    recoil = -np.stack([photons.pt * np.cos(photons.phi), photons.pt * np.sin(photons.phi)])
    partons = _map_partons(numbers[:, 5:], recoil.sum(axis=1), cuts, energy_gev / 2, symmetric)
    where = np.flatnonzero(photons.inside & partons.inside)
    pt, eta, phi = (
        np.concatenate([getattr(pair, name)[:, where] for pair in (partons, photons)]).T
        for name in ("pt", "eta", "phi")
    )
    momenta = from_pt_eta_phi_mass(pt, eta, phi)
    fractions = np.sum(pt[..., None] * np.exp(np.stack([eta, -eta], axis=-1)), axis=1) / energy_gev
    inside = _are_apart(eta, phi, cuts) & (fractions < 1).all(axis=1)
    inside &= invariant_mass(momenta[:, 0] + momenta[:, 1]) > cuts.parton_mass_gev
    where = where[inside]
    constants = 2 / energy_gev**2 * (2 * np.pi) ** 4 / PER_PARTICLE**4
    measure = constants * photons.measure[where] * partons.measure[where]
    return Points(where, momenta[inside], fractions[inside], measure)


class _Pair(NamedTuple):
    """Two particles, shape ``(2, n)``, their measure, and whether they pass the cuts, ``(n,)``."""

    pt: NDArray[np.float64]
    eta: NDArray[np.float64]
    phi: NDArray[np.float64]
    measure: NDArray[np.float64]
    inside: NDArray[np.bool_]


def _map_photons(numbers: NDArray, cuts: PhaseSpaceCuts, highest: float, fold: bool) -> _Pair:
    """Map five numbers each to two photons."""
    low, high = cuts.diphoton_mass_gev
    mass = 1 / (1 / high + numbers[:, 0] * (1 / low - 1 / high))
    lead, measure = _logarithmic(numbers[:, 1], cuts.lead_photon_pt_gev, highest)
    eta = cuts.photon_abs_eta * (2 * numbers[:, 2:4].T - 1)
    if fold:
        eta[0] = cuts.photon_abs_eta * numbers[:, 2]
    phi = np.pi * numbers[:, 4]
    spacing = np.maximum(np.cosh(eta[0] - eta[1]) - np.cos(phi), 1e-12)
    soft = mass**2 / (2 * lead * spacing)
    # Which photon is harder, and the sign of their difference of azimuths, make a factor 4.
    angles = 4 * 2 * np.pi**2 * (2 * cuts.photon_abs_eta) ** 2
    measure = measure * angles * lead * 2 * soft**2 * mass * (1 / low - 1 / high)
    pt, azimuths = np.stack([lead, soft]), np.stack([np.zeros_like(phi), phi])
    return _Pair(pt, eta, azimuths, measure, (soft > cuts.photon_pt_gev) & (soft < lead))


def _map_partons(
    numbers: NDArray, recoil: NDArray, cuts: PhaseSpaceCuts, highest: float, fold: bool
) -> _Pair:
    """Map four numbers each to two partons with a common transverse momentum."""
    total = np.hypot(*recoil)
    lowest = np.maximum(cuts.parton_pt_gev, total / 2 if fold else 0)
    lead, measure = _logarithmic(numbers[:, 0], lowest, np.maximum(highest, lowest))
    phi = np.arctan2(recoil[1], recoil[0]) + np.pi * (2 * numbers[:, 1] - 1)
    rest = recoil - lead * np.stack([np.cos(phi), np.sin(phi)])
    last = np.hypot(*rest)
    inside = last > cuts.parton_pt_gev
    if fold:
        inside &= last < lead
    eta = cuts.parton_abs_eta * (2 * numbers[:, 2:].T - 1)
    angles = 2 * np.pi * (2 * cuts.parton_abs_eta) ** 2
    pt, azimuths = np.stack([lead, last]), np.stack([phi, np.arctan2(rest[1], rest[0])])
    return _Pair(pt, eta, azimuths, measure * angles * lead * (2 if fold else 1), inside)


def _logarithmic(
    number: NDArray, low: NDArray | float, high: NDArray | float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return values between two ends, evenly in their logarithm, and the derivative."""
    width = np.log(high / low)
    value = low * np.exp(width * number)
    return value, value * width


def _are_apart(eta: NDArray, phi: NDArray, cuts: PhaseSpaceCuts) -> NDArray[np.bool_]:
    """Return whether all pairs of particles are far enough from each other."""
    apart = np.ones(len(eta), dtype=bool)
    for i, j in combinations(range(4), 2):
        mixed = i < N_PARTONS <= j
        least = cuts.photon_parton_delta_r if mixed else cuts.delta_r
        apart &= delta_r(eta[:, i], phi[:, i], eta[:, j], phi[:, j]) > least
    return apart
