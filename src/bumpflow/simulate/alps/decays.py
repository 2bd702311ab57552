r"""Where axion-like particles decay, and whether both photons are seen.

A particle of momentum :math:`p` and mass :math:`m` flies :math:`c\tau \, p/m` on average. Along
the beam that is :math:`L = (c\tau/m) \, p_z`, so between the planes :math:`z_1` and :math:`z_2`
it decays with probability

.. math:: w = e^{-z_1/L} - e^{-z_2/L},

which is largest at :math:`L_0 = (z_2 - z_1) / \ln(z_2/z_1)` and falls on both sides.

References:
    Chathirathas, Ferber, Kahlhoefer, Morandini (2025), https://arxiv.org/abs/2407.20329
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bumpflow.simulate.alps.settings import BeamDump
from bumpflow.simulate.kinematics import boost, directions


class Photons(NamedTuple):
    """Both photons of decays, the more energetic one first.

    Attributes:
        momentum: Momenta (px, py, pz, E) [GeV], shape ``(2, n, 4)``.
        hit: Where they cross the plane of the calorimeter, (x, y) [m], shape ``(2, n, 2)``.
        seen: Whether both fly forward, hit the calorimeter apart from one another and have enough
            energy, shape ``(n,)``.
    """

    momentum: NDArray[np.float64]
    hit: NDArray[np.float64]
    seen: NDArray[np.bool_]


def decay_probability(length: NDArray, setup: BeamDump) -> NDArray[np.float64]:
    """Return probabilities to decay between both ends of the vessel.

    Args:
        length: Mean decay lengths along the beam [m], positive.
        setup: The set-up.
    """
    front, span, _ = setup.distances
    return np.exp(-front / length) * -np.expm1(-span / length)


def largest_probability(low: NDArray, high: NDArray, setup: BeamDump) -> NDArray[np.float64]:
    """Return the largest probability of :func:`decay_probability` within ranges.

    Args:
        low: Least mean decay lengths [m], positive.
        high: Largest ones.
        setup: The set-up.
    """
    front, span, _ = setup.distances
    best = span / np.log1p(span / front)
    return decay_probability(np.minimum(np.maximum(best, low), high), setup)


def least_energy(mass: NDArray, setup: BeamDump) -> NDArray[np.float64]:
    r"""Return the least energy [GeV] of particles whose photons can both be seen.

    Photons need an energy each. If none of them flies at more than an angle :math:`\alpha` to the
    beam, :math:`p_z \geq E \cos\alpha`, hence :math:`E \sin\alpha \geq m`.

    Args:
        mass: Masses [GeV].
        setup: The set-up.
    """
    sine = np.sqrt(1 - setup.least_cosine**2)
    return np.maximum(2 * setup.min_energy_gev, mass / sine)


def place_vertices(
    momentum: NDArray, lifetime: NDArray, setup: BeamDump, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return where particles decay, given that it is between both ends of the vessel.

    Args:
        momentum: Momenta (px, py, pz, E) [GeV], forward ones, shape ``(n, 4)``.
        lifetime: c tau / m [m/GeV], shape ``(n,)``.
        setup: The set-up.
        rng: Random numbers.

    Returns:
        Positions (x, y, z) [m] on the lines from the target, shape ``(n, 3)``.
    """
    front, span, _ = setup.distances
    pz = momentum[:, 2]
    length = lifetime * pz
    along = -length * np.log1p(rng.random(len(pz)) * np.expm1(-span / length))
    return momentum[:, :3] * ((front + along) / pz)[:, None]


def decay_to_photons(
    momentum: NDArray,
    vertex: NDArray,
    mass: NDArray,
    setup: BeamDump,
    rng: np.random.Generator,
) -> Photons:
    """Return both photons of decays that have no preferred direction.

    Args:
        momentum: Momenta (px, py, pz, E) of what decays [GeV], shape ``(n, 4)``.
        vertex: Where it decays, (x, y, z) [m], shape ``(n, 3)``.
        mass: Its mass [GeV], shape ``(n,)``.
        setup: The set-up.
        rng: Random numbers.
    """
    n = len(mass)
    # The photon drawn is the more energetic one if it flies ahead.
    axis = momentum[:, :3] / np.linalg.norm(momentum[:, :3], axis=1, keepdims=True)
    unit = directions(rng.uniform(-1, 1, n), rng.uniform(-np.pi, np.pi, n))
    unit *= np.where((unit * axis).sum(axis=1) < 0, -1.0, 1.0)[:, None]
    half = np.column_stack([unit * (mass / 2)[:, None], mass / 2])
    first = boost(half, momentum)
    photons = np.stack([first, momentum - first])
    photons[1, :, 3] = np.linalg.norm(photons[1, :, :3], axis=1)
    forward = (photons[..., 2] > 0).all(axis=0)
    pz = np.where(forward, photons[..., 2], np.inf)
    path = (setup.calorimeter.z_m - vertex[:, 2]) / pz
    hit = vertex[:, :2] + photons[..., :2] * path[..., None]
    seen = forward & setup.is_in_calorimeter(hit).all(axis=0)
    seen &= photons[1, :, 3] > setup.min_energy_gev
    apart = np.hypot(*(hit[0] - hit[1]).T)
    return Photons(photons, hit, seen & (apart > setup.min_separation_m))
