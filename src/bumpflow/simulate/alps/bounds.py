"""How probable a seen decay can be at most, by parameter point and by B meson."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bumpflow.simulate.alps.decays import largest_probability, least_energy
from bumpflow.simulate.alps.kaons import KAONS, share_kaons
from bumpflow.simulate.alps.settings import BeamDump
from bumpflow.simulate.beamdump import B_MASS_GEV
from bumpflow.simulate.kinematics import two_body_momentum


class Points(NamedTuple):
    """Parameter points, and what follows for decays of B mesons.

    Attributes:
        mass: Masses [GeV], shape ``(n,)``.
        lifetime: c tau / m [m/GeV], shape ``(n,)``.
        energy: Energies in the rest frame of the B meson [GeV], shape ``(n, n_kaons)``.
        momentum: Momenta there [GeV], of the same shape.
        shares: Cumulative shares of the kaons, of the same shape.
        least: Least energy with which photons can be seen [GeV], shape ``(n,)``.
        bound: Largest probability to decay in the vessel, shape ``(n,)``.
    """

    mass: NDArray[np.float64]
    lifetime: NDArray[np.float64]
    energy: NDArray[np.float64]
    momentum: NDArray[np.float64]
    shares: NDArray[np.float64]
    least: NDArray[np.float64]
    bound: NDArray[np.float64]


def prepare_points(theta: NDArray, setup: BeamDump) -> Points:
    """Return what follows from parameter points.

    Args:
        theta: Decadic logarithms of mass [GeV] and lifetime, c tau / m [m/GeV], shape ``(n, 2)``.
        setup: The set-up.

    Raises:
        ValueError: If B mesons cannot decay to a mass.
    """
    mass, lifetime = 10 ** theta[:, 0], 10 ** theta[:, 1]
    kaons = np.array([KAONS[name] for name, _ in setup.fractions])
    momentum = two_body_momentum(B_MASS_GEV, mass[:, None], kaons)
    least = least_energy(mass, setup)
    slowest = lifetime * least_pz(least, mass, setup)
    return Points(
        mass=mass,
        lifetime=lifetime,
        energy=np.hypot(momentum, mass[:, None]),
        momentum=momentum,
        shares=np.cumsum(share_kaons(mass, setup.fractions), axis=1),
        least=least,
        bound=largest_probability(slowest, np.full(len(mass), np.inf), setup),
    )


def bound_mesons(
    meson: NDArray, place: NDArray, kaon: NDArray, points: Points, setup: BeamDump
) -> NDArray[np.float64]:
    """Return the largest probabilities to decay in the vessel and be seen that B mesons leave.

    Args:
        meson: Momenta (px, py, pz, E) of B mesons [GeV], shape ``(n, 4)``.
        place: Which point each belongs to, shape ``(n,)``.
        kaon: Which kaon it decays to, shape ``(n,)``.
        points: The points.
        setup: The set-up.

    Returns:
        Bounds of the decay probability for all directions in the rest frame, shape ``(n,)``; 0 if
        no photons can be seen.
    """
    energy, longitudinal = meson[:, 3], meson[:, 2]
    transverse = np.sqrt(np.square(meson[:, 0]) + np.square(meson[:, 1]))
    square = np.square(longitudinal) + np.square(transverse)
    mass = np.sqrt(np.square(energy) - square)
    alp, lifetime, at_rest = points.mass[place], points.lifetime[place], points.energy[place, kaon]
    middle = energy * at_rest / mass
    half = np.sqrt(square) * points.momentum[place, kaon] / mass
    low, high = np.maximum(middle - half, points.least[place]), middle + half
    # To fly to the vessel, the angle to the B meson is within the cone of lines around the beam.
    cosine = setup.least_cosine_of_vessel
    sine = math.sqrt(1 - cosine**2)
    along, across = longitudinal * cosine, transverse * sine
    speed = np.sqrt(1 - np.minimum(alp / low, 1) ** 2)
    farthest, nearest = along - across, along + across
    farthest *= np.where(farthest > 0, speed, 1.0)
    nearest = np.where(longitudinal * sine < transverse * cosine, nearest, np.sqrt(square))
    low = np.maximum(low, mass * at_rest / (energy - farthest))
    high = np.minimum(high, mass * at_rest / (energy - nearest))
    longest = lifetime * np.sqrt(np.maximum(high**2 - alp**2, 0))
    limit = largest_probability(lifetime * least_pz(low, alp, setup), longest, setup)
    return np.where(high >= low, limit, 0.0)


def least_pz(energy: NDArray, mass: NDArray, setup: BeamDump) -> NDArray[np.float64]:
    """Return the least longitudinal momentum [GeV] with which vessel and calorimeter are hit.

    Args:
        energy: Energies of what decays [GeV].
        mass: Masses [GeV].
        setup: The set-up.
    """
    momentum = np.sqrt(np.maximum(energy**2 - mass**2, 0))
    return np.maximum(energy * setup.least_cosine, momentum * setup.least_cosine_of_vessel)
