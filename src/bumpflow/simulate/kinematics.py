"""Four-momenta as arrays whose last axis is (px, py, pz, E) [GeV], and what follows from them."""

import numpy as np
from numpy.typing import NDArray

METRIC = np.array([-1.0, -1.0, -1.0, 1.0])


def transverse_momentum(p: NDArray) -> NDArray[np.float64]:
    """Return transverse momenta [GeV] of four-momenta of shape ``(..., 4)``, shape ``(...)``."""
    return np.hypot(p[..., 0], p[..., 1])


def pseudorapidity(p: NDArray) -> NDArray[np.float64]:
    """Return pseudorapidities of four-momenta of shape ``(..., 4)``, shape ``(...)``.

    Along the beam it is infinite.
    """
    with np.errstate(divide="ignore"):
        return np.arcsinh(p[..., 2] / transverse_momentum(p))


def azimuth(p: NDArray) -> NDArray[np.float64]:
    """Return azimuths [rad] in [-pi, pi] of four-momenta of shape ``(..., 4)``."""
    return np.arctan2(p[..., 1], p[..., 0])


def invariant_mass(p: NDArray) -> NDArray[np.float64]:
    """Return masses [GeV] of four-momenta of shape ``(..., 4)``; spacelike ones have 0."""
    return np.sqrt(np.maximum(minkowski(p, p), 0))


def minkowski(p: NDArray, q: NDArray) -> NDArray:
    """Return scalar products [GeV^2] of four-momenta of shape ``(..., 4)``, shape ``(...)``."""
    return (p * METRIC * q).sum(axis=-1)


def delta_phi(first: NDArray, second: NDArray) -> NDArray[np.float64]:
    """Return differences of azimuths [rad], in [-pi, pi)."""
    return np.mod(first - second + np.pi, 2 * np.pi) - np.pi


def delta_r(eta_1: NDArray, phi_1: NDArray, eta_2: NDArray, phi_2: NDArray) -> NDArray[np.float64]:
    """Return distances in pseudorapidity and azimuth [rad]."""
    return np.hypot(eta_1 - eta_2, delta_phi(phi_1, phi_2))


def from_pt_eta_phi_mass(
    pt: NDArray, eta: NDArray, phi: NDArray, mass: NDArray | float = 0.0
) -> NDArray[np.float64]:
    """Return four-momenta, shape ``(..., 4)``.

    Args:
        pt: Transverse momenta [GeV].
        eta: Pseudorapidities.
        phi: Azimuths [rad].
        mass: Masses [GeV].
    """
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    energy = np.sqrt((pt * np.cosh(eta)) ** 2 + np.square(mass))
    return np.stack([px, py, pz, energy], axis=-1)


def directions(cos_theta: NDArray, phi: NDArray) -> NDArray[np.float64]:
    """Return unit vectors of shape ``(..., 3)`` by polar cosine and azimuth [rad]."""
    sin_theta = np.sqrt(np.maximum(1 - np.square(cos_theta), 0))
    return np.stack([sin_theta * np.cos(phi), sin_theta * np.sin(phi), cos_theta], axis=-1)


def boost(p: NDArray, frame: NDArray) -> NDArray[np.float64]:
    r"""Return momenta, given in the rest frame of ``frame``, in the frame where that moves.

    With :math:`m` the mass of the frame's momentum :math:`(\vec P, E_P)`,
    :math:`E' = (E_P E + \vec P \vec p)/m` and
    :math:`\vec p' = \vec p + \vec P (E + E')/(E_P + m)`.

    Args:
        p: Momenta [GeV], shape ``(..., 4)``.
        frame: Momenta of the moving frames [GeV], timelike, shape ``(..., 4)``.
    """
    mass = np.sqrt(minkowski(frame, frame))
    energy = (p * frame).sum(axis=-1) / mass
    factor = (p[..., 3] + energy) / (frame[..., 3] + mass)
    momentum = p[..., :3] + frame[..., :3] * factor[..., None]
    return np.concatenate([momentum, energy[..., None]], axis=-1)


def two_body_momentum(
    mass: NDArray | float, mass_1: NDArray | float, mass_2: NDArray | float
) -> NDArray:
    """Return the momentum [GeV] of both products in the rest frame of a decay; 0 if closed."""
    square = np.square(mass)
    product = (square - np.square(mass_1 + mass_2)) * (square - np.square(mass_1 - mass_2))
    return np.sqrt(np.maximum(product, 0)) / (2 * np.asarray(mass))


def decay_two_body(
    parent: NDArray,
    mass_1: NDArray | float,
    mass_2: NDArray | float,
    *,
    cos_theta: NDArray,
    phi: NDArray,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the momenta of both products of decays, in the frame of the parents.

    Args:
        parent: Momenta of the decaying particles [GeV], shape ``(n, 4)``.
        mass_1: Mass of the first product [GeV].
        mass_2: Mass of the second product [GeV].
        cos_theta: Polar cosine of the first product in the parent's rest frame, shape ``(n,)``.
        phi: Its azimuth there [rad], shape ``(n,)``.
    """
    momentum = two_body_momentum(invariant_mass(parent), mass_1, mass_2)
    vector = directions(cos_theta, phi) * momentum[:, None]
    energies = [np.sqrt(momentum**2 + np.square(m))[:, None] for m in (mass_1, mass_2)]
    first = np.concatenate([vector, energies[0]], axis=1)
    second = np.concatenate([-vector, energies[1]], axis=1)
    return boost(first, parent), boost(second, parent)


def collinear(energy: NDArray, *, direction: int) -> NDArray[np.float64]:
    """Return momenta of massless particles along the beam axis, shape ``(..., 4)``.

    Args:
        energy: Energies [GeV].
        direction: 1 or -1.
    """
    zero = np.zeros_like(energy)
    return np.stack([zero, zero, direction * energy, energy], axis=-1)
