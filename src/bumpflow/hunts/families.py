"""Families of smoothly falling backgrounds between two levels.

Every family is a function of the positions ``x`` of the bins' centres, shape ``(n, n_bins)``,
that is ``first`` at the first centre and ``last`` at the last one, both of shape ``(n, 1)``.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

N_GRID = 512
"""Points at which a physical spectrum is looked up to find where it has fallen far enough."""
PROTON_ENERGY_GEV = 13_000.0
Z_MASS_GEV, Z_WIDTH_GEV = 91.1876, 2.4952
DILEPTON_LOWEST_GEV = (150.0, 1000.0)
DIJET_LOWEST = (0.03, 0.2)


class Dilepton(NamedTuple):
    """Parameters of the di-lepton background, arXiv:1903.06248, table 1."""

    c: float
    b: float
    p: tuple[float, float, float, float]


DIELECTRON = Dilepton(1.0, 1.5, (-12.38, -4.295, -0.9191, -0.0845))
DIMUON = Dilepton(1 / 3, 11.8, (-7.38, -4.132, -1.0637, -0.1022))

Family = Callable[[Tensor, Tensor, Tensor], Tensor]


def exponential(x: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Return :math:`b e^{-a x}`."""
    return first * (last / first) ** _fraction(x)


def line(x: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Return :math:`a x + b`."""
    return last + (first - last) * (1 - _fraction(x))


def power(exponent: int) -> Family:
    """Return the family :math:`a / x^k + b` for one exponent k."""

    def function(x: Tensor, first: Tensor, last: Tensor) -> Tensor:
        return _between(x ** (-exponent), first, last)

    return function


def half_parabola(x: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Return :math:`a (x - x_2)^2 + y_2`."""
    return _between((x - x[:, -1:]) ** 2, first, last)


def logarithm(x: Tensor, first: Tensor, last: Tensor) -> Tensor:
    r"""Return :math:`-a \ln x + b`."""
    return _between(-torch.log(x), first, last)


def quarter_cosine(x: Tensor, first: Tensor, last: Tensor) -> Tensor:
    r"""Return :math:`(y_1 - y_2) \cos(a (x - b)) + y_1`, from a zero to the minimum.

    With :math:`a = \pi / (2 (x_2 - x_1))` and :math:`b = 2 x_1 - x_2` this is the one version
    of the published formula that passes through both points.
    """
    return first + (first - last) * torch.cos(math.pi / 2 * (1 + _fraction(x)))


def half_cosh(x: Tensor, first: Tensor, last: Tensor) -> Tensor:
    r"""Return :math:`\cosh(a (x - x_2)) + y_2 - 1`."""
    a = torch.acosh(first - last + 1)
    return torch.cosh(a * (1 - _fraction(x))) + last - 1


PAPER: Mapping[str, Family] = {
    "exponential": exponential,
    "line": line,
    **{f"power{exponent}": power(exponent) for exponent in (1, 2, 3, 4)},
    "halfparabola": half_parabola,
    "logarithm": logarithm,
    "quartercosine": quarter_cosine,
    "halfcosh": half_cosh,
}
"""The ten families of the 2022 paper (thesis, equation 32)."""


def draw_exponential_cubic(
    x: Tensor, first: Tensor, last: Tensor, *, generator: torch.Generator
) -> Tensor:
    """Return falling exponentials of random cubic polynomials, as fitted to simulated events.

    The logarithm's slope is a quadratic polynomial with random non-negative Bernstein weights,
    so it falls everywhere.
    """
    weights = _exponential_draw((len(x), 3), x, generator)
    weights = weights / weights.sum(1, keepdim=True)
    t = _fraction(x)
    fallen = torch.stack([1 - (1 - t) ** 3, t**2 * (3 - 2 * t), t**3], 2)
    # The middle one integrates 6 t (1 - t); all three rise from 0 to 1.
    return first * (last / first) ** (fallen * weights[:, None]).sum(2)


def draw_dilepton(x: Tensor, first: Tensor, last: Tensor, *, generator: torch.Generator) -> Tensor:
    """Return ATLAS's di-lepton background (thesis, equation 33) over random mass ranges.

    The range starts at a random mass and ends where the spectrum has fallen by the ratio of the
    levels. Half of the spectra are those of electrons, half those of muons.
    """
    low = _log_uniform(DILEPTON_LOWEST_GEV, (len(x), 1), x, generator)
    is_muon = torch.rand((len(x), 1), generator=generator, device=x.device) < 0.5

    def log_spectrum(mass: Tensor) -> Tensor:
        muon, electron = _log_dilepton(mass, DIMUON), _log_dilepton(mass, DIELECTRON)
        return torch.where(is_muon, muon, electron)

    return _fall(log_spectrum, x, first, last, low=low, high=0.9 * PROTON_ENERGY_GEV)


def draw_dijet(x: Tensor, first: Tensor, last: Tensor, *, generator: torch.Generator) -> Tensor:
    r"""Return :math:`p_0 (1 - x)^{p_1} / x^{p_2 + p_3 \ln x}` over random mass ranges.

    The parameters scatter around what fits dijet masses at the LHC, arXiv:1911.03947.
    """
    low = _log_uniform(DIJET_LOWEST, (len(x), 1), x, generator)
    u = torch.rand((3, len(x), 1), generator=generator, dtype=x.dtype, device=x.device)
    p1, p2, p3 = 4 + 8 * u[0], 4 + 3 * u[1], 0.4 * u[2]

    def log_spectrum(mass: Tensor) -> Tensor:
        log_mass = torch.log(mass)
        return p1 * torch.log1p(-mass) - (p2 + p3 * log_mass) * log_mass

    return _fall(log_spectrum, x, first, last, low=low, high=0.97)


RANDOM: Mapping[str, Callable[..., Tensor]] = {
    "exponentialcubic": draw_exponential_cubic,
    "dilepton": draw_dilepton,
    "dijet": draw_dijet,
}
"""Families with parameters of their own, which are drawn."""

FAMILIES = (*PAPER, *RANDOM, "simulated")
"""All names; ``simulated`` are shapes fitted to simulated events."""


def stretched(
    family: Family, x: Tensor, first: Tensor, last: Tensor, *, cut: tuple[Tensor, Tensor]
) -> Tensor:
    """Return a part of a family's curve, stretched over the whole range and between the levels.

    Args:
        family: One of :data:`PAPER`.
        x: Positions of the bins' centres, shape ``(n, n_bins)``.
        first: Level at the first centre, shape ``(n, 1)``.
        last: Level at the last centre, shape ``(n, 1)``.
        cut: Where the part begins and ends, as fractions of the range, shapes ``(n, 1)``.
    """
    begin, end = cut
    span = x[:, -1:] - x[:, :1]
    points = x[:, :1] + span * (begin + (end - begin) * _fraction(x))
    # The whole curve's end points go with the others, as families refer to them.
    whole = family(torch.cat([x[:, :1], points, x[:, -1:]], 1), first, last)
    return _between(whole[:, 1:-1], first, last)


def _fraction(x: Tensor) -> Tensor:
    """Return how far along the range each centre is, from 0 to 1."""
    return (x - x[:, :1]) / (x[:, -1:] - x[:, :1])


def _between(curve: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Map a falling curve's values linearly so that it passes through both levels."""
    start, end = curve[:, :1], curve[:, -1:]
    return last + (first - last) * (curve - end) / (start - end)


def _fall(
    log_spectrum: Callable[[Tensor], Tensor],
    x: Tensor,
    first: Tensor,
    last: Tensor,
    *,
    low: Tensor,
    high: float,
) -> Tensor:
    """Return a spectrum from ``low`` to where it has fallen from one level to the other."""
    grid = torch.linspace(0, 1, N_GRID, dtype=x.dtype, device=x.device)
    masses = low * (high / low) ** grid
    fallen = log_spectrum(low) - log_spectrum(masses)
    fallen = torch.cummax(fallen, 1).values
    wanted = torch.log(first / last)
    above = torch.searchsorted(fallen, wanted).clamp(1, N_GRID - 1)
    f0, f1 = fallen.gather(1, above - 1), fallen.gather(1, above)
    share = ((wanted - f0) / (f1 - f0).clamp_min(1e-12)).clamp(0, 1)
    end = masses.gather(1, above - 1) ** (1 - share) * masses.gather(1, above) ** share
    curve = log_spectrum(low + (end - low) * _fraction(x))
    # Exact at both ends, whatever the grid's step.
    drop = (curve[:, :1] - curve) / (curve[:, :1] - curve[:, -1:])
    return first * torch.exp(-wanted * drop)


def _log_dilepton(mass: Tensor, parameters: Dilepton) -> Tensor:
    """Return the logarithm of the di-lepton background, up to a constant."""
    x = mass / PROTON_ENERGY_GEV
    log_x = torch.log(x)
    exponent = sum(p * log_x**power for power, p in enumerate(parameters.p))
    peak = (mass - Z_MASS_GEV) ** 2 + Z_WIDTH_GEV**2 / 4
    return parameters.b * torch.log1p(-(x**parameters.c)) + exponent * log_x - torch.log(peak)


def _log_uniform(
    bounds: tuple[float, float], shape: tuple[int, int], like: Tensor, generator: torch.Generator
) -> Tensor:
    u = torch.rand(shape, generator=generator, dtype=like.dtype, device=like.device)
    return bounds[0] * (bounds[1] / bounds[0]) ** u


def _exponential_draw(shape: tuple[int, int], like: Tensor, generator: torch.Generator) -> Tensor:
    u = torch.rand(shape, generator=generator, dtype=like.dtype, device=like.device)
    return -torch.log(u.clamp_min(1e-12))
