r"""B mesons from a proton beam on a fixed target, from Pythia or from a parametrised spectrum.

The parametrisation is, in the centre-of-mass frame of the beam proton and a proton at rest,

.. math::

    \frac{dN}{dx_F\, dp_T^2} \propto (1 - |x_F|)^{4.2} \, e^{-p_T^2 / 5.0\,\mathrm{GeV}^2},
    \qquad x_F = p_L^* / p_\mathrm{max},

with :math:`p_\mathrm{max}` the largest momentum of a B meson that recoils against another one and
two protons, and with all B mesons of one mass. Both factors are sampled independently, so a tiny
fraction (:math:`|x_F|` near 1) lies above the largest energy that is possible.

References:
    Chathirathas, Ferber, Kahlhoefer, Morandini (2025), https://arxiv.org/abs/2407.20329
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bumpflow.simulate.kinematics import transverse_momentum, two_body_momentum
from bumpflow.simulate.particles import Particles

PROTON_MASS_GEV = 0.93827
B_MASS_GEV = 5.2795
"""Mean mass of neutral and charged B mesons without strangeness."""
B_MESONS = (511, 521)
TARGETS = {"proton": 2212, "neutron": 2112}
XF_EXPONENT = 4.2
SQUARED_PT_GEV2 = 5.0
CTEQ6L1 = 8
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Mesons(NamedTuple):
    """Mesons of a batch of events, one event after the other.

    Attributes:
        event: Which event each belongs to, ascending, shape ``(n,)``.
        pdg: Particle codes of the Particle Data Group, positive for those that hold an
            antiquark, shape ``(n,)``.
        momentum: Momenta (px, py, pz, E) in the laboratory [GeV], shape ``(n, 4)``.
    """

    event: NDArray[np.int64]
    pdg: NDArray[np.int64]
    momentum: NDArray[np.float64]


def fixed_target_settings(
    *,
    momentum_gev: float,
    target: Literal["proton", "neutron"] = "proton",
    pdf_set: int = CTEQ6L1,
) -> list[str]:
    """Return Pythia's settings of a proton beam on a nucleon at rest.

    Args:
        momentum_gev: Momentum of the beam [GeV].
        target: What is at rest. Its mass is taken as the proton's.
        pdf_set: Parton densities, as ``PDF:pSet`` counts them. The public list of B mesons from
            400 GeV protons is of a family that CTEQ6L1, 8, reproduces, but Pythia's default
            does not.

    Raises:
        ValueError: If the target is neither proton nor neutron, or the beam cannot make B mesons.
    """
    if target not in TARGETS:
        msg = f"target is {target!r}, but must be one of {', '.join(TARGETS)}"
        raise ValueError(msg)
    _largest_momentum(momentum_gev)  # raises if there is too little energy
    return [
        f"Beams:idA = {TARGETS['proton']}",
        f"Beams:idB = {TARGETS[target]}",
        "Beams:frameType = 2",
        f"Beams:eA = {float(np.hypot(momentum_gev, PROTON_MASS_GEV))!r}",
        f"Beams:eB = {PROTON_MASS_GEV}",
        f"PDF:pSet = {pdf_set}",
    ]


def pick_mesons(particles: Particles, *, kinds: Sequence[int] = B_MESONS) -> Mesons:
    """Return mesons of the final state.

    Args:
        particles: Events in which these mesons do not decay.
        kinds: Absolute values of their codes; 531 adds strange B mesons.
    """
    kept = (particles.status > 0) & np.isin(np.abs(particles.pdg), kinds)
    return Mesons(particles.event[kept], particles.pdg[kept], particles.momentum[kept])


def sample_parametrised(
    n: int, rng: np.random.Generator, *, beam_momentum_gev: float = 400.0
) -> NDArray[np.float64]:
    """Return momenta (px, py, pz, E) of B mesons in the laboratory [GeV], shape ``(n, 4)``.

    Args:
        n: Number of B mesons.
        rng: Random numbers.
        beam_momentum_gev: Momentum of the proton beam [GeV]. Exponent and slope were tuned at
            400 GeV and stay the same.

    Raises:
        ValueError: If the beam cannot make B mesons.
    """
    largest = _largest_momentum(beam_momentum_gev)
    xf = rng.beta(1, XF_EXPONENT + 1, n) * rng.choice((-1.0, 1.0), n)
    pt = np.sqrt(rng.exponential(SQUARED_PT_GEV2, n))
    phi = rng.uniform(-np.pi, np.pi, n)
    longitudinal = xf * largest
    energy = np.sqrt(B_MASS_GEV**2 + longitudinal**2 + pt**2)
    gamma, gamma_beta = _boost_of(beam_momentum_gev)
    pz = gamma * longitudinal + gamma_beta * energy
    energy_lab = gamma * energy + gamma_beta * longitudinal
    return np.stack([pt * np.cos(phi), pt * np.sin(phi), pz, energy_lab], axis=1)


def _collision_energy(beam_momentum_gev: float) -> float:
    """Return the centre-of-mass energy of a proton beam and a proton at rest [GeV]."""
    energy = float(np.hypot(beam_momentum_gev, PROTON_MASS_GEV))
    return float(np.sqrt(2 * PROTON_MASS_GEV * (PROTON_MASS_GEV + energy)))


def _boost_of(beam_momentum_gev: float) -> tuple[float, float]:
    """Return gamma and gamma beta of the centre of mass in the laboratory."""
    root = _collision_energy(beam_momentum_gev)
    energy = float(np.hypot(beam_momentum_gev, PROTON_MASS_GEV))
    return (energy + PROTON_MASS_GEV) / root, beam_momentum_gev / root


def _largest_momentum(beam_momentum_gev: float) -> float:
    """Return the largest momentum of a B meson in the centre-of-mass frame [GeV].

    It recoils against another B meson and two protons, all moving together.

    Raises:
        ValueError: If the beam cannot make B mesons.
    """
    root = _collision_energy(beam_momentum_gev)
    recoil = B_MASS_GEV + 2 * PROTON_MASS_GEV
    threshold = B_MASS_GEV + recoil
    if not root > threshold:
        msg = (
            f"a beam of {beam_momentum_gev:g} GeV on a proton at rest has {root:.2f} GeV in its"
            f" centre of mass, less than the {threshold:.2f} GeV of two B mesons and two protons"
        )
        raise ValueError(msg)
    return float(two_body_momentum(root, B_MASS_GEV, recoil))


def compare_spectra(
    first: NDArray, second: NDArray, *, quantiles: Sequence[float] = QUANTILES
) -> dict[str, dict[str, Any]]:
    """Compare two samples of B mesons in longitudinal and transverse momentum.

    Args:
        first: Momenta (px, py, pz, E) [GeV], shape ``(n, 4)``.
        second: Those of another sample, shape ``(m, 4)``.
        quantiles: Which quantiles to compare.

    Returns:
        For ``pz_gev`` and ``pt_gev``: ``first`` and ``second`` as :func:`describe` has them;
        ``ks``, the largest distance of the two empirical distribution functions; and ``p_value``,
        that of the two-sample Kolmogorov-Smirnov test, as if all mesons were independent.
    """
    from scipy.stats import ks_2samp

    result = {}
    for name, values in (
        ("pz_gev", (first[:, 2], second[:, 2])),
        ("pt_gev", (transverse_momentum(first), transverse_momentum(second))),
    ):
        test = ks_2samp(*values, method="asymp")
        described = [describe(sample, quantiles=quantiles) for sample in values]
        result[name] = {
            "first": described[0],
            "second": described[1],
            "ks": float(test.statistic),
            "p_value": float(test.pvalue),
        }
    return result


def describe(values: NDArray, *, quantiles: Sequence[float] = QUANTILES) -> dict[str, Any]:
    r"""Return moments and quantiles of a sample with their standard errors.

    The error of the standard deviation :math:`s` follows from the fourth central moment
    :math:`m_4`, :math:`\sqrt{(m_4 - s^4) / n} / 2s`; that of a quantile at probability :math:`p`
    is half the distance of those at :math:`p \pm \sqrt{p(1 - p)/n}`.

    Args:
        values: The sample, shape ``(n,)``.
        quantiles: Probabilities of the quantiles.

    Returns:
        ``n``, ``mean``, ``mean_error``, ``std``, ``std_error``, and lists ``probabilities``,
        ``quantiles`` and ``quantile_errors``.

    Raises:
        ValueError: If there are fewer than two values.
    """
    n = len(values)
    if n < 2:
        msg = f"a spectrum of {n} B mesons has no moments: generate more events"
        raise ValueError(msg)
    std = values.std()
    fourth = np.mean((values - values.mean()) ** 4)
    probabilities = np.asarray(quantiles, dtype=float)
    half = np.sqrt(probabilities * (1 - probabilities) / n)
    low, high = np.quantile(values, np.clip([probabilities - half, probabilities + half], 0, 1))
    std_error = np.sqrt(max(fourth - std**4, 0.0) / n) / (2 * std) if std > 0 else 0.0
    return {
        "n": n,
        "mean": float(values.mean()),
        "mean_error": float(std / np.sqrt(n)),
        "std": float(std),
        "std_error": float(std_error),
        "probabilities": probabilities.tolist(),
        "quantiles": np.quantile(values, probabilities).tolist(),
        "quantile_errors": ((high - low) / 2).tolist(),
    }
