"""What a calorimeter measures of two photons.

References:
    Chathirathas, Ferber, Kahlhoefer, Morandini (2025), https://arxiv.org/abs/2407.20329
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.simulate.alps.settings import BeamDump, Resolution
from bumpflow.simulate.kinematics import azimuth

FEATURES = (
    "ln_e1",
    "ln_e2",
    "x1",
    "y1",
    "x2",
    "y2",
    "ln_theta1",
    "ln_theta2",
    "phi1",
    "phi2",
)
"""Logarithms of energies [GeV], hits [m], logarithms of polar angles [rad], azimuths [rad]."""


def observe(
    events: pd.DataFrame, setup: BeamDump, resolution: Resolution, *, rng: np.random.Generator
) -> pd.DataFrame:
    """Return measured features of both photons, the first being the more energetic one in truth.

    All errors are normal. Energies do not fall below the least one that is accepted, hits do not
    leave the calorimeter, and polar angles stay between their resolution and a right angle. The
    selection is not repeated.

    Args:
        events: Events as :func:`bumpflow.simulate.alps.sampling.sample_events` returns them.
        setup: The set-up.
        resolution: How well photons are measured.
        rng: Random numbers.

    Returns:
        Columns ``FEATURES``, one row per event.
    """
    end = setup.calorimeter
    columns = {}
    for i in (1, 2):
        momentum = events[[f"true_px{i}", f"true_py{i}", f"true_pz{i}"]].to_numpy()
        hit = events[[f"true_x{i}", f"true_y{i}"]].to_numpy()
        noise = rng.standard_normal((5, len(events)))
        energy = np.linalg.norm(momentum, axis=1) * (1 + resolution.energy * noise[0])
        columns[f"ln_e{i}"] = np.log(np.maximum(energy, setup.min_energy_gev))
        columns[f"x{i}"] = np.clip(hit[:, 0] + resolution.hit_m * noise[1], *end.x_m)
        columns[f"y{i}"] = np.clip(hit[:, 1] + resolution.hit_m * noise[2], *end.y_m)
        theta = np.arctan2(np.hypot(momentum[:, 0], momentum[:, 1]), momentum[:, 2])
        theta = np.clip(theta + resolution.theta * noise[3], resolution.theta, np.pi / 2)
        columns[f"ln_theta{i}"] = np.log(theta)
        columns[f"phi{i}"] = _limit_azimuth(
            azimuth(momentum) + resolution.phi * noise[4], resolution
        )
    return pd.DataFrame(columns, index=events.index)[list(FEATURES)]


def diphoton_mass(x: NDArray) -> NDArray[np.float64]:
    r"""Return masses [GeV] of both photons from measured energies and angles.

    With the angle :math:`\alpha` between them, :math:`m = 2 \sqrt{E_1 E_2} \sin(\alpha/2)` and

    .. math::

        \sin^2(\alpha/2) = \sin^2\frac{\theta_1 - \theta_2}{2}
        + \sin\theta_1 \sin\theta_2 \sin^2\frac{\phi_1 - \phi_2}{2},

    a sum in which nothing cancels, so that no rounding makes the mass imaginary.

    Args:
        x: Measured features in the order of ``FEATURES``, shape ``(..., 10)``.
    """
    x = np.asarray(x, dtype=np.float64)
    column = {name: x[..., place] for place, name in enumerate(FEATURES)}
    theta_1, theta_2 = np.exp(column["ln_theta1"]), np.exp(column["ln_theta2"])
    half_phi = (column["phi1"] - column["phi2"]) / 2
    across = np.sqrt(np.sin(theta_1) * np.sin(theta_2)) * np.sin(half_phi)
    half_sine = np.hypot(np.sin((theta_1 - theta_2) / 2), across)
    return 2 * np.exp((column["ln_e1"] + column["ln_e2"]) / 2) * half_sine


def _limit_azimuth(phi: NDArray, resolution: Resolution) -> NDArray[np.float64]:
    """Return azimuths [rad] from -pi to pi."""
    if resolution.wrap:
        return np.mod(phi + np.pi, 2 * np.pi) - np.pi
    return np.clip(phi, -np.pi, np.pi)
