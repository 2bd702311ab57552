"""Shapes of the resonance variable: smooth backgrounds and a peak, normalised on a window."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf
from torch import Tensor

NODES, SHARES = np.polynomial.legendre.leggauss(64)
"""Nodes and weights of the quadrature that normalises backgrounds, from -1 to 1."""
N_SAMPLING = 20_001
"""Points of the grid on which cumulative distributions are inverted."""
MAX_ORDER = 4


class Window(NamedTuple):
    """Range of the resonance variable [GeV]; its lower end belongs to it."""

    low: float
    high: float

    def holds(self, mass: NDArray) -> NDArray[np.bool_]:
        """Return which masses [GeV] are inside, shape of ``mass``."""
        return (mass >= self.low) & (mass < self.high)


Basis = Callable[[Tensor, Window], Tensor]
SERIES: dict[str, Basis] = {
    "exponential": lambda mass, window: (mass - window.low) / (window.high - window.low),
    "power": lambda mass, window: torch.log(mass / window.low),
    "inverse": lambda mass, window: 1 - window.low / mass,
}
r"""Families of backgrounds :math:`\exp(-\sum_j \theta_j u^j)` by their variable :math:`u(m)`.

``exponential`` of order 2 is equation 4.3 of https://arxiv.org/abs/2506.06438, ``power`` of order 1
a power law, and ``inverse`` an exponential in :math:`1/m`.
"""


@dataclass(frozen=True)
class BackgroundShape:
    r"""Density :math:`p(m | \theta) = \exp(-\sum_{j=1}^J \theta_j u(m)^j) / Z(\theta)`.

    Attributes:
        series: Key of :data:`SERIES`.
        order: Number :math:`J` of parameters; with none the density is uniform.
        window: Where it is normalised.
    """

    series: str
    order: int
    window: Window

    def __post_init__(self) -> None:
        """Refuse what is no shape."""
        if self.series not in SERIES or not 0 <= self.order <= MAX_ORDER:
            known = ", ".join(SERIES)
            msg = (
                f"there is no background {self.series!r} of order {self.order}: take one of"
                f" {known} with an order of 0 to {MAX_ORDER}"
            )
            raise ValueError(msg)

    @property
    def name(self) -> str:
        """Series and order in one word."""
        return f"{self.series}{self.order}"

    def powers(self, mass: Tensor) -> Tensor:
        """Return :math:`u^j` of masses [GeV], shape ``(..., order)``."""
        u = SERIES[self.series](mass.double(), self.window)
        return (
            torch.stack([u**power for power in range(1, self.order + 1)], dim=-1)
            if (self.order)
            else u.new_zeros((*u.shape, 0))
        )

    def density(self, powers: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return the density and its logarithmic derivatives.

        Args:
            powers: See :meth:`powers`, shape ``(n_sets, n, order)``.
            theta: Parameters, shape ``(n_sets, order)``.

        Returns:
            Densities [1/GeV], shape ``(n_sets, n)``, and the derivatives of their logarithms in
            the parameters, shape ``(n_sets, n, order)``.
        """
        nodes, weights = self._quadrature(theta)
        exponents = weights.log() - theta @ nodes.T
        log_norm = exponents.logsumexp(-1, keepdim=True)
        mean = torch.exp(exponents - log_norm) @ nodes
        density = torch.exp(-(powers @ theta[..., None])[..., 0] - log_norm)
        return density, mean[:, None] - powers

    def _quadrature(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return powers at the nodes, ``(n_nodes, order)``, and weights [GeV], ``(n_nodes,)``."""
        half = (self.window.high - self.window.low) / 2
        mass = torch.as_tensor(self.window.low + half * (NODES + 1), device=like.device)
        return self.powers(mass), torch.as_tensor(half * SHARES, device=like.device)

    def at(self, mass: ArrayLike, theta: ArrayLike) -> NDArray[np.float64]:
        """Return densities [1/GeV] of masses [GeV], shape ``(n,)``; 0 outside the window."""
        m = np.asarray(mass, float)
        powers = self.powers(torch.as_tensor(np.clip(m, *self.window)))[None]
        density, _ = self.density(powers, torch.as_tensor(np.asarray(theta, float))[None])
        return np.where((m >= self.window.low) & (m <= self.window.high), density[0].numpy(), 0.0)


class DoubleCrystalBall(NamedTuple):
    r"""Peak with a Gaussian core and power-law tails, each side with its own width.

    With :math:`t = (m - \mu)/\sigma` it is :math:`\exp(-t^2/2)` for :math:`|t| < \beta` and
    :math:`(n/\beta)^n e^{-\beta^2/2} (n/\beta - \beta + |t|)^{-n}` beyond, where
    :math:`\sigma, \beta, n` are those of the side.

    Attributes:
        location: Position of the maximum [GeV].
        scale_left: Width of the core below the maximum [GeV].
        beta_left: Where the lower tail begins [widths].
        power_left: Exponent of the lower tail, more than 1.
        scale_right: Width above the maximum [GeV].
        beta_right: Where the upper tail begins [widths].
        power_right: Exponent of the upper tail.

    References:
        Oreglia (1980), SLAC-R-236; https://arxiv.org/abs/2506.06438, section 4.3
    """

    location: float
    scale_left: float
    beta_left: float
    power_left: float
    scale_right: float
    beta_right: float
    power_right: float

    def density(self, mass: ArrayLike, window: Window) -> NDArray[np.float64]:
        """Return the density [1/GeV] at masses [GeV], normalised on the window; 0 outside."""
        m = np.asarray(mass, float)
        left = m < self.location
        t = np.where(left, self.location - m, 0) / self.scale_left
        t += np.where(left, 0, m - self.location) / self.scale_right
        beta = np.where(left, self.beta_left, self.beta_right)
        power = np.where(left, self.power_left, self.power_right)
        beyond = np.maximum(t - beta, 0)
        core = -0.5 * np.minimum(t, beta) ** 2
        tail = -power * np.log1p(beyond * beta / power)
        inside = (m >= window.low) & (m <= window.high)
        return np.where(inside, np.exp(core + tail), 0.0) / self._integral(window)

    def _integral(self, window: Window) -> float:
        """Return the integral over the window of the shape with a maximum of 1 [GeV]."""
        sides = (
            (self.scale_left, self.beta_left, self.power_left, -1.0),
            (self.scale_right, self.beta_right, self.power_right, 1.0),
        )
        total = 0.0
        for scale, beta, power, sign in sides:
            ends = sorted(sign * (end - self.location) / scale for end in window)
            far, near = (max(end, 0.0) for end in (ends[1], ends[0]))
            total += scale * (_area(far, beta, power) - _area(near, beta, power))
        return total

    def shifted(self, shift: float) -> "DoubleCrystalBall":
        """Return the same peak at another position, ``shift`` [GeV] above."""
        return self._replace(location=self.location + shift)


def _area(t: float, beta: float, power: float) -> float:
    """Return the integral of one side's shape from 0 to ``t`` widths."""
    core = math.sqrt(math.pi / 2) * erf(min(t, beta) / math.sqrt(2))
    if t <= beta:
        return core
    stretch = 1 + (t - beta) * beta / power
    tail = math.log(stretch) if power == 1 else (1 - stretch ** (1 - power)) / (power - 1)
    return core + math.exp(-(beta**2) / 2) * power / beta * tail


class MassModel(NamedTuple):
    """What is known of the resonance variable.

    Attributes:
        peak: Signal's shape.
        background: Background's family of shapes, which holds the window.
        signal_region: Part of the window in which features are used.
    """

    peak: DoubleCrystalBall
    background: BackgroundShape
    signal_region: Window

    @property
    def window(self) -> Window:
        """Range that is fitted."""
        return self.background.window


def draw_masses(
    density: Callable[[NDArray], NDArray], window: Window, n: int, generator: torch.Generator
) -> Tensor:
    """Return masses drawn from a density on (a part of) its window [GeV], shape ``(n,)``.

    Args:
        density: Function of masses [GeV]; it need not be normalised.
        window: Range to draw from.
        n: How many.
        generator: Source of random numbers.
    """
    grid = np.linspace(window.low, window.high, N_SAMPLING)
    values = density(grid)
    cumulative = np.concatenate([[0.0], np.cumsum((values[1:] + values[:-1]) / 2)])
    uniform = torch.rand(n, generator=generator, device=generator.device, dtype=torch.float64)
    drawn = np.interp(uniform.cpu().numpy() * cumulative[-1], cumulative, grid)
    return torch.as_tensor(drawn, device=generator.device)


def expected_counts(density: Callable[[NDArray], NDArray], edges: NDArray) -> NDArray[np.float64]:
    """Return the integral of a density over each bin, by Simpson's rule, shape ``(n_bins,)``.

    Args:
        density: Function of masses [GeV].
        edges: Edges of narrow bins [GeV], shape ``(n_bins + 1,)``.
    """
    middle = (edges[1:] + edges[:-1]) / 2
    ends = density(edges)
    return np.diff(edges) * (ends[1:] + ends[:-1] + 4 * density(middle)) / 6
