"""Where posteriors live: the prior's region of masses and lifetimes, as a unit square."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from bumpflow.simulate.alps.settings import Prior

TOLERANCE = 1e-5
"""How far outside the unit square rounding may put parameters of the prior's edge."""


class Support(NamedTuple):
    """The region of a prior, over which it is flat.

    With a prior of decay lengths it is a parallelogram in the parameters, else a rectangle.

    Attributes:
        log_mass: Least and largest log10 of the mass [GeV].
        log_lifetime: Least and largest log10 of c tau / m [m/GeV], or of c tau [m].
        decay_length: Whether it is c tau.
    """

    log_mass: tuple[float, float]
    log_lifetime: tuple[float, float]
    decay_length: bool

    @classmethod
    def of(cls, prior: Prior) -> "Support":
        """Return the region of a prior."""
        limits = prior.lifetime_m if prior.lifetime_m is not None else prior.lifetime_m_per_gev
        assert limits is not None
        mass, lifetime = (
            (math.log10(low), math.log10(high)) for low, high in (prior.mass_gev, limits)
        )
        return cls(mass, lifetime, prior.lifetime_m is not None)

    @property
    def log_area(self) -> float:
        """Logarithm of the area: minus the log density of the prior."""
        sides = (high - low for low, high in (self.log_mass, self.log_lifetime))
        return math.log(math.prod(sides))

    def to_unit(self, theta: Tensor) -> Tensor:
        """Return places in the unit square, where the prior is flat.

        Args:
            theta: log10 of mass [GeV] and lifetime, c tau / m [m/GeV], shape ``(..., 2)``.

        Returns:
            Shape ``(..., 2)``; outside of the square where parameters are outside of the prior.
        """
        log_mass, log_lifetime = theta.unbind(-1)
        if self.decay_length:
            log_lifetime = log_lifetime + log_mass
        parts = ((log_mass, self.log_mass), (log_lifetime, self.log_lifetime))
        return torch.stack([(x - low) / (high - low) for x, (low, high) in parts], dim=-1)

    def to_theta(self, unit: Tensor) -> Tensor:
        """Return the parameters of places in the unit square, shape ``(..., 2)``."""
        parts = zip(unit.unbind(-1), (self.log_mass, self.log_lifetime), strict=True)
        log_mass, log_lifetime = (low + (high - low) * x for x, (low, high) in parts)
        if self.decay_length:
            log_lifetime = log_lifetime - log_mass
        return torch.stack([log_mass, log_lifetime], dim=-1)

    def contains(self, theta: Tensor) -> Tensor:
        """Return whether parameters ``(..., 2)`` are in the region, shape ``(...)``."""
        unit = self.to_unit(theta)
        return ((unit >= -TOLERANCE) & (unit <= 1 + TOLERANCE)).all(-1)
