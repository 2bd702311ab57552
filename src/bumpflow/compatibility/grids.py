"""Grids of model parameters, on which posteriors of events are kept."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bumpflow.simulate.alps.settings import Prior


@dataclass(frozen=True)
class Axis:
    """Points of one parameter, over which the prior is flat.

    Attributes:
        low: The first point, where the prior begins.
        high: The last point, where the prior ends.
        n_points: Number of points, at equal distances.
    """

    low: float
    high: float
    n_points: int

    def __post_init__(self) -> None:
        if not self.low < self.high or self.n_points < 2:
            msg = (
                f"a grid of {self.n_points} points from {self.low:g} to {self.high:g} is none:"
                " give two or more, the lowest first"
            )
            raise ValueError(msg)

    @property
    def step(self) -> float:
        """Distance of neighbouring points."""
        return (self.high - self.low) / (self.n_points - 1)

    @property
    def points(self) -> Tensor:
        """The points, shape ``(n_points,)``."""
        return torch.linspace(self.low, self.high, self.n_points)

    @property
    def weights(self) -> Tensor:
        """Prior probabilities of the points, by the trapezoid rule, shape ``(n_points,)``."""
        weights = torch.ones(self.n_points)
        weights[[0, -1]] = 0.5
        return weights / weights.sum()

    def place(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return the point below each value and how far it is on the way to the next one.

        Args:
            values: Values of the parameter, any shape; those outside count as the nearest end.

        Returns:
            Indices of at most ``n_points - 2``, and fractions from 0 to 1.
        """
        steps = ((values - self.low) / self.step).clamp(0, self.n_points - 1)
        below = steps.floor().clamp(max=self.n_points - 2)
        return below.long(), steps - below

    def nearest(self, values: Tensor) -> Tensor:
        """Return the index of the point nearest to each value."""
        below, fraction = self.place(values)
        return below + (fraction > 0.5).long()


@dataclass(frozen=True)
class ParameterGrid:
    """Masses and lifetimes of a prior: points of their decadic logarithms.

    Attributes:
        mass: Decadic logarithm of the mass [GeV].
        lifetime: Decadic logarithm of the lifetime, c tau / m [m/GeV].
    """

    mass: Axis
    lifetime: Axis

    @classmethod
    def of(cls, prior: Prior, *, n_masses: int, n_lifetimes: int) -> "ParameterGrid":
        """Return the grid of a prior.

        Args:
            prior: Where parameters are drawn from.
            n_masses: Points in mass.
            n_lifetimes: Points in lifetime.

        Raises:
            ValueError: If the prior is flat in the decay length c tau, and so no rectangle.
        """
        if prior.lifetime_m_per_gev is None:
            msg = "a grid needs a prior that is flat in c tau / m: give prior.lifetime_m_per_gev"
            raise ValueError(msg)
        (m0, m1), (t0, t1) = prior.mass_gev, prior.lifetime_m_per_gev
        mass = Axis(math.log10(m0), math.log10(m1), n_masses)
        return cls(mass, Axis(math.log10(t0), math.log10(t1), n_lifetimes))

    @property
    def joint_weights(self) -> Tensor:
        """Prior probabilities of all points, masses outside, shape ``(n_masses n_lifetimes,)``."""
        return torch.outer(self.mass.weights, self.lifetime.weights).flatten()
