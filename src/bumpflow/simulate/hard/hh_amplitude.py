r"""One-loop amplitudes of gg to HH with the full mass of the top quark.

The scalar integrals are one-dimensional. With equal masses in the loop and two massless legs, all
but one of the Feynman parameters of a box can be integrated by hand, and what is left has at most
logarithms: the integral runs over a path above the real axis, where a threshold opens, and its
nodes crowd at both ends, where the singularities come close. All lengths are in units of the mass
in the loop.

References:
    Glover, van der Bij (1988), https://doi.org/10.1016/0550-3213(88)90083-1;
    Plehn, Spira, Zerwas (1996), https://arxiv.org/abs/hep-ph/9603205;
    Takahasi, Mori (1974), https://doi.org/10.2977/prims/1195192451 (nodes)
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FERMI_PER_GEV2 = 1.1663787e-5
TOP_MASS_GEV, HIGGS_MASS_GEV = 172.5, 125.0
N_NODES = 192
"""Nodes of the integration: with them, squared amplitudes are good to 1e-7 and better."""
MIN_NODES = 48
CHUNK = 512
DETOUR = 1.0
"""How far the path of integration keeps from the real axis: the imaginary part's first slope."""
OUTERMOST = 3.2
"""Largest argument of the transformation of the nodes: 1 minus the last node is about 1e-16."""


class FormFactors(NamedTuple):
    r"""Form factors of gg to HH, shape ``(n,)`` each.

    For a heavy top quark they are 2/3, -2/3 and 0.

    Attributes:
        triangle: :math:`F_\triangle`, of the diagrams with the trilinear coupling.
        box: :math:`F_\square`, of boxes, gluons of equal helicities.
        box_opposite: :math:`G_\square`, of boxes, gluons of opposite helicities.
    """

    triangle: NDArray[np.complex128]
    box: NDArray[np.complex128]
    box_opposite: NDArray[np.complex128]


def form_factors(
    m_hh_gev: NDArray,
    cos_theta: NDArray,
    *,
    top_mass_gev: float = TOP_MASS_GEV,
    higgs_mass_gev: float = HIGGS_MASS_GEV,
    n_nodes: int = N_NODES,
) -> FormFactors:
    """Return the form factors of gg to HH at masses of the pair and polar angles.

    Args:
        m_hh_gev: Masses of the pair [GeV], above twice the Higgs boson's, shape ``(n,)``.
        cos_theta: Polar cosines in the pair's rest frame, between -1 and 1, shape ``(n,)``.
        top_mass_gev: Mass of the top quark [GeV], above half the Higgs boson's.
        higgs_mass_gev: Mass of the Higgs boson [GeV].
        n_nodes: Nodes of the integration. With 48, 64 and 96, 99 % of squared amplitudes are
            good to 1 %, 1e-3 and 1e-5.

    Raises:
        ValueError: If a point is not in the region where the formulae hold, or nodes are too few.
    """
    if n_nodes < MIN_NODES:
        msg = f"{n_nodes} nodes are too few to integrate the loops: take {MIN_NODES} or more"
        raise ValueError(msg)
    m_hh_gev, cos_theta = np.broadcast_arrays(np.atleast_1d(m_hh_gev), np.atleast_1d(cos_theta))
    _check_region(m_hh_gev, cos_theta, top_mass_gev, higgs_mass_gev)
    h = (higgs_mass_gev / top_mass_gev) ** 2
    s = (m_hh_gev / top_mass_gev) ** 2
    t = h - s / 2 * (1 - np.sqrt(1 - 4 * h / s) * cos_theta)
    pieces = [
        _form_factors(s[i : i + CHUNK], t[i : i + CHUNK], h, n_nodes)
        for i in range(0, len(s), CHUNK)
    ]
    return FormFactors(*(np.concatenate(part) for part in zip(*pieces, strict=True)))


def differential_crosssection(
    factors: FormFactors,
    m_hh_gev: NDArray,
    *,
    kappa_lambda: float = 1.0,
    higgs_mass_gev: float = HIGGS_MASS_GEV,
) -> NDArray[np.float64]:
    r"""Return the partonic cross-section of gg to HH by momentum transfer, without coupling.

    .. math::
        \frac{1}{\alpha_s^2} \frac{d\hat\sigma}{d\hat t} = \frac{G_F^2}{512 (2\pi)^3}
        \left(|C_\triangle F_\triangle + F_\square|^2 + |G_\square|^2\right), \quad
        C_\triangle = \frac{3 \kappa_\lambda m_H^2}{\hat s - m_H^2}

    Args:
        factors: Form factors, shape ``(n,)`` each.
        m_hh_gev: Masses of the pair [GeV], shape ``(n,)``.
        kappa_lambda: Trilinear coupling in units of the Standard Model's.
        higgs_mass_gev: Mass of the Higgs boson [GeV].

    Returns:
        Cross-sections [GeV^-4]; integrated over all angles, both bosons count as one pair.
    """
    square = higgs_mass_gev**2
    coupling = 3 * kappa_lambda * square / (np.square(m_hh_gev) - square)
    amplitudes = np.abs(coupling * factors.triangle + factors.box) ** 2
    prefactor = FERMI_PER_GEV2**2 / (512 * (2 * np.pi) ** 3)
    return prefactor * (amplitudes + np.abs(factors.box_opposite) ** 2)


def _check_region(m_hh: NDArray, cos_theta: NDArray, top: float, higgs: float) -> None:
    """Refuse points at which a formula has another branch or a singularity."""
    if not 0 < higgs < 2 * top:
        msg = f"a Higgs boson of {higgs} GeV decays to top quarks of {top} GeV: it must be lighter"
        raise ValueError(msg)
    if np.any(m_hh <= 2 * higgs):
        msg = f"mass {np.min(m_hh)} GeV of a pair is not above {2 * higgs} GeV, its threshold"
        raise ValueError(msg)
    if np.any(np.abs(cos_theta) >= 1):
        worst = np.max(np.abs(cos_theta))
        msg = f"|cos_theta| reaches {worst}, but form factors are computed below 1 only"
        raise ValueError(msg)


def _form_factors(s: NDArray, t: NDArray, h: float, n_nodes: int) -> FormFactors:
    """Return form factors by Mandelstam variables, all in units of the top quark's mass."""
    u = 2 * h - s - t
    t1, u1, product = t - h, u - h, t * u - h * h
    c_s, c_t, c_u = _two_massless(s), _one_massless(t, h), _one_massless(u, h)
    c_hh, d_su = _adjacent_box(s, u, h, n_nodes)
    d_st = _adjacent_box(s, t, h, n_nodes)[1]
    d_tu = _opposite_box(s, t, u, h, n_nodes)
    d_sum = d_su + d_st + d_tu
    box = 4 * s + 8 * s * c_s - 2 * s * (s + 2 * h - 8) * d_sum
    box += (2 * h - 8) * (2 * t1 * c_t + 2 * u1 * c_u - product * d_tu)
    opposite = (t * t + h * h - 8 * t) * (s * c_s + 2 * t1 * c_t - s * t * d_st)
    opposite += (u * u + h * h - 8 * u) * (s * c_s + 2 * u1 * c_u - s * u * d_su)
    opposite -= (t * t + u * u - 2 * h * h) * (t + u - 8) * c_hh
    opposite -= 2 * (t + u - 8) * product * d_sum
    triangle = 2 / s * (2 + (4 - s) * c_s)
    return FormFactors(triangle, box / s**2, opposite / (s * product))


def _log_square(q: NDArray | float) -> NDArray[np.complex128]:
    r"""Return :math:`\arcsin^2(\sqrt{q}/2)`, continued to all real ``q``."""
    root = np.sqrt(np.asarray(q, dtype=complex))
    return np.arcsin(root / 2 + 0j) ** 2


def _two_massless(s: NDArray) -> NDArray[np.complex128]:
    """Return the scalar triangle with two massless legs."""
    return -2 * _log_square(s) / s


def _one_massless(q: NDArray, h: float) -> NDArray[np.complex128]:
    """Return the scalar triangle with one massless leg and two of squares ``q`` and ``h``."""
    return -2 * (_log_square(q) - _log_square(h)) / (q - h)


def _nodes(n_nodes: int) -> tuple[NDArray[np.float64], NDArray, NDArray]:
    """Return nodes between 0 and 1, their distances from 1 and weights: double exponential."""
    step = 2 * OUTERMOST / (n_nodes - 1)
    k = np.linspace(-OUTERMOST, OUTERMOST, n_nodes)
    x = 1 / (1 + np.exp(-np.pi * np.sinh(k)))
    complement = 1 / (1 + np.exp(np.pi * np.sinh(k)))
    return x, complement, step * np.pi * np.cosh(k) * x * complement


def _opposite_box(
    s: NDArray, t: NDArray, u: NDArray, h: float, n_nodes: int
) -> NDArray[np.complex128]:
    """Return the scalar box whose massless legs are opposite: real, and far from thresholds."""
    x, complement, weights = _nodes(n_nodes)
    w = x * complement
    logs = 2 * np.log1p(-w * h) - np.log1p(-w * t[:, None]) - np.log1p(-w * u[:, None])
    denominator = s[:, None] + w * (t * u - h * h)[:, None]
    return (-logs / denominator) @ weights + 0j


def _adjacent_box(
    s: NDArray, u: NDArray, h: float, n_nodes: int
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Return the scalar triangle of the legs s, h, h and the box of massless neighbours.

    Of the box's two massless legs, one makes the denominator linear in its parameter; of the two
    other parameters one enters as a square, which leaves the logarithm of a quadratic's roots.
    """
    x, complement, weights = _nodes(n_nodes)
    c = x + 1j * DETOUR * x * complement
    rest = complement * (1 - 1j * DETOUR * x)
    weights = weights * (1 + 1j * DETOUR * (complement - x))
    s, u = s[:, None], u[:, None]
    a, bend = c * s + rest * h, c * rest * h
    outer = _inner_integral(a, bend)
    inner = _inner_integral(rest * u, bend)
    box = (outer - inner) / (c * s + rest * (h - u))
    triangle = -(np.log1p(-bend) + a * outer) / (2 * (a - bend))
    return triangle @ weights, box @ weights


def _inner_integral(a: NDArray, bend: NDArray) -> NDArray[np.complex128]:
    r"""Return :math:`\int_0^1 dr / (1 - a r + (a - \mathrm{bend}) r^2)`."""
    root = np.sqrt(a * a - 4 * (a - bend))
    root = np.where(np.abs(root) < 1e-12, 1e-12, root)
    return 2 / root * np.log((2 - a + root) / (2 * np.sqrt(1 - bend)))
