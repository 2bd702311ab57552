r"""Decays of B mesons to a kaon and an axion-like particle :math:`a`.

For a coupling of :math:`a` to b and s quarks, the rates are

.. math::

    \Gamma(B \to K a) \propto f_0^2(m_a^2) \, (m_B^2 - m_K^2)^2 \, \lambda_K^{1/2}, \qquad
    \Gamma(B \to K^* a) \propto A_0^2(m_a^2) \, \lambda_{K^*}^{3/2}

with :math:`\lambda_X = 4 m_B^2 p_X^2`, of which :math:`p_X` is the momentum in the rest frame of
the B meson.

References:
    Ball, Zwicky (2005), https://arxiv.org/abs/hep-ph/0406232 (:math:`f_0`) and
    https://arxiv.org/abs/hep-ph/0412079 (:math:`A_0`);
    Döbrich, Ertas, Kahlhoefer, Spadaro (2019), https://arxiv.org/abs/1810.11336 (rates)
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from bumpflow.simulate.beamdump import B_MASS_GEV
from bumpflow.simulate.kinematics import two_body_momentum

KAONS = {"k": 0.49564, "kstar": 0.893655}
"""Masses [GeV], means of the neutral and the charged one: K and K*(892)."""


def heaviest_alp(kaons: Iterable[str]) -> float:
    """Return the mass [GeV] where the decays to all of some kaons are closed."""
    return B_MASS_GEV - min(KAONS[name] for name in kaons)


def share_kaons(
    mass: NDArray, fractions: Sequence[tuple[str, float | None]]
) -> NDArray[np.float64]:
    """Return the share of every kaon in decays to particles of some masses.

    Args:
        mass: Masses of what comes with the kaon [GeV], shape ``(n,)``.
        fractions: Names and shares, as long as all decays are open; None for form factors.

    Returns:
        Shares that add up to 1, shape ``(n, n_kaons)``; 0 for decays that are closed.

    Raises:
        ValueError: If all decays to a mass are closed.
    """
    columns = []
    for name, share in fractions:
        momentum = two_body_momentum(B_MASS_GEV, mass, KAONS[name])
        is_open = mass < B_MASS_GEV - KAONS[name]
        columns.append((_rate(name, mass, momentum) if share is None else share) * is_open)
    rates = np.stack(columns, axis=1)
    total = rates.sum(axis=1, keepdims=True)
    if not np.all(total > 0):
        closed = mass[total[:, 0] <= 0]
        names = " or ".join(name for name, _ in fractions)
        msg = f"a B meson cannot decay to {names} and a particle of {closed[0]:.4g} GeV"
        raise ValueError(msg)
    return rates / total


def _rate(kaon: str, mass: NDArray, momentum: NDArray) -> NDArray[np.float64]:
    """Return the rate of decays, up to a factor that is the same for all kaons."""
    square = np.square(mass)
    root_lambda = 2 * B_MASS_GEV * momentum
    if kaon == "k":
        form_factor = 0.330 / (1 - square / 37.46)
        return form_factor**2 * (B_MASS_GEV**2 - KAONS[kaon] ** 2) ** 2 * root_lambda
    form_factor = 1.364 / (1 - square / 5.28**2) - 0.990 / (1 - square / 36.78)
    return form_factor**2 * root_lambda**3
