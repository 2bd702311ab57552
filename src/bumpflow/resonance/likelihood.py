r"""Extended unbinned likelihood of a resonance, for many data sets at once.

In the signal region an event at mass :math:`m` with features :math:`x` has the density

.. math::
    f(m, x) = \bar q_B(x | m)\,\Bigl[
      s\,P_S(m)\,\frac{q_S(x | m)}{\bar q_B(x | m)}\,w_S
      + b\,P_B(m | \theta)\,\bigl(w_B + \sum_k \alpha_k e_k\bigr) + \sum_h y_h H_h \Bigr],

in the sidebands features are not used and all their ratios are 1. Everything that depends on
features is known before the fit, so that fits cost no evaluation of a network. The directions
:math:`e_k = (q_k / \bar q_B - 1)/\sqrt{K - 1}` are those of the :math:`K` bootstraps' densities:
with normal :math:`\alpha_k` their spread is that of the bootstraps, and as all densities are
normalised at each mass, so is every sum of them.

References:
    Amram, Szewc (2025), https://arxiv.org/abs/2506.06438, equation 2.4
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from bumpflow.resonance.shapes import BackgroundShape
from bumpflow.resonance.variations import Interpolation

SIGNAL, BACKGROUND = 0, 1
"""Components whose features can vary, in the order of the variations' axis; also the places of
their yields among the parameters."""


class Events(NamedTuple):
    """What is known of events in the signal region; the last axes after ``(n_sets, n)``.

    Attributes:
        mass: Resonance variable [GeV].
        signal: Signal density over background feature density, :math:`P_S q_S / q_B` [1/GeV].
        spread: Directions of the background's uncertainty, ``(..., n_spread)``.
        up: Varied over nominal feature density, one standard deviation up, by component and
            systematic, ``(..., 2, n_systematics)``.
        down: The same downwards.
        others: Densities of further components, as ``signal`` [1/GeV], ``(..., n_others)``.
    """

    mass: Tensor
    signal: Tensor
    spread: Tensor
    up: Tensor
    down: Tensor
    others: Tensor

    def take(self, rows: Tensor) -> "Events":
        """Return some events; ``rows`` indexes the axis of a single set's events."""
        return Events(*(part[rows] for part in self))

    def batched(self) -> "Events":
        """Return a single set's events as one of one set."""
        return Events(*(part[None] for part in self))

    @property
    def n(self) -> int:
        """Number of events of a single set."""
        return len(self.mass)


class Sidebands(NamedTuple):
    """Events, or narrow bins, beside the signal region, ``(n_sets, n)`` each.

    Attributes:
        mass: Resonance variable [GeV], shape ``(n,)`` or ``(n_sets, n)``.
        weight: Events at each mass.
        signal: Signal's density in mass [1/GeV], shape of ``mass``.
        others: Densities of further components [1/GeV], ``(..., n_others)``.
    """

    mass: Tensor
    weight: Tensor
    signal: Tensor
    others: Tensor


class DataSets(NamedTuple):
    """Data sets that are fitted at once.

    Attributes:
        events: Events in the signal region.
        weight: Their weights, ``(n_sets, n)``: 1, or 0 where a shorter set is filled up, or what
            an Asimov data set gives them.
        sidebands: Events beside it.
        measured: What other measurements say of the systematics' parameters, in units of their
            uncertainty, ``(n_sets, n_systematics)``; 0 but in toys.
    """

    events: Events
    weight: Tensor
    sidebands: Sidebands
    measured: Tensor

    @classmethod
    def of(cls, events: Events, weight: Tensor, sidebands: Sidebands) -> "DataSets":
        """Return data sets whose systematics were measured to be 0."""
        measured = weight.new_zeros(len(weight), events.up.shape[-1])
        return cls(events, weight, sidebands, measured)

    @property
    def n_sets(self) -> int:
        """Number of data sets."""
        return len(self.weight)

    @property
    def totals(self) -> Tensor:
        """Sums of weights, shape ``(n_sets,)``."""
        return self.weight.sum(-1) + self.sidebands.weight.sum(-1)

    def rows(self, rows: Tensor) -> "DataSets":
        """Return some of the data sets."""
        sidebands = self.sidebands
        shared = sidebands.mass.ndim == 1
        parts = (
            part if shared and name != "weight" else part[rows]
            for name, part in zip(sidebands._fields, sidebands, strict=True)
        )
        events = Events(*(part[rows] for part in self.events))
        return DataSets(events, self.weight[rows], Sidebands(*parts), self.measured[rows])

    def repeated(self, n_sets: int) -> "DataSets":
        """Return a single data set as ``n_sets`` equal ones, without copying it."""
        side = self.sidebands
        shared = side.mass.ndim == 1
        beside = Sidebands(
            *(
                part if shared and name != "weight" else _repeat(part, n_sets)
                for name, part in zip(side._fields, side, strict=True)
            )
        )
        events = Events(*(_repeat(part, n_sets) for part in self.events))
        return DataSets(
            events, _repeat(self.weight, n_sets), beside, _repeat(self.measured, n_sets)
        )


def _repeat(part: Tensor, n_sets: int) -> Tensor:
    return part.expand(n_sets, *part.shape[1:])


@dataclass(frozen=True)
class Constraints:
    r"""What is known of nuisances beside the data.

    Attributes:
        spread: Standard deviation of each :math:`\alpha_k`; infinite profiles the weights of the
            bootstraps freely, 0 takes their mean for the truth.
        others: Expected events of each further component and their standard deviations.
    """

    spread: float = 1.0
    others: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class ResonanceModel:
    """Likelihood with parameters signal, background, shape, spread, systematics, others.

    Attributes:
        shape: The background's density in mass.
        n_spread: Directions of the background features' uncertainty.
        n_systematics: Systematic variations of features.
        interpolation: How these depend on their parameter.
        constraints: What is known of nuisances.
    """

    shape: BackgroundShape
    n_spread: int = 0
    n_systematics: int = 0
    interpolation: Interpolation = Interpolation()  # noqa: RUF009  (immutable)
    constraints: Constraints = Constraints()

    @property
    def names(self) -> list[str]:
        """Names of the parameters, in their order."""
        others = range(len(self.constraints.others))
        return [
            "signal",
            "background",
            *(f"shape{index + 1}" for index in range(self.shape.order)),
            *(f"spread{index + 1}" for index in range(self.n_spread)),
            *(f"systematic{index + 1}" for index in range(self.n_systematics)),
            *(f"other{index + 1}" for index in others),
        ]

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""
        return len(self.names)

    def split(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return yields of signal and background, shape, spread, systematics and others."""
        sizes = [2, self.shape.order, self.n_spread, self.n_systematics]
        return values.split([*sizes, len(self.constraints.others)], dim=-1)

    def prior(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return centres and precisions of the parameters' constraints, ``(n_parameters,)``."""
        centre = like.new_zeros(self.n_parameters)
        precision = like.new_zeros(self.n_parameters)
        _, _, spread, systematics, others = self.split(precision)
        width = self.constraints.spread
        spread.fill_(1 / width**2 if width > 0 else 0.0)
        systematics.fill_(1.0)
        if self.constraints.others:
            known = like.new_tensor(self.constraints.others)
            self.split(centre)[4].copy_(known[:, 0])
            others.copy_(torch.where(known[:, 1] > 0, known[:, 1] ** -2, 0.0))
        return centre, precision

    def held(self) -> list[str]:
        """Return parameters that are no nuisances, as nothing lets them vary."""
        fixed = self.names if self.constraints.spread == 0 else []
        held = [name for name in fixed if name.startswith("spread")]
        known = enumerate(self.constraints.others)
        return held + [f"other{index + 1}" for index, (_, width) in known if width == 0]

    def start(self, data: DataSets) -> Tensor:
        """Return parameters to start from: everything background of a uniform shape."""
        values = self.prior(data.weight)[0].repeat(data.n_sets, 1)
        values[:, BACKGROUND] = data.totals - self.split(values)[4].sum(-1)
        return values

    def deviance(self, values: Tensor, data: DataSets) -> Tensor:
        """Return -2 ln L, shape ``(n_sets,)``, of parameters ``(n_sets, n_parameters)``.

        The sum over events omits what does not depend on parameters. Infinite where an event's
        density is not positive.
        """
        return self.expand(values, data, derivatives=False).value

    def expand(self, values: Tensor, data: DataSets, *, derivatives: bool = True) -> "Expansion":
        """Return -2 ln L, its gradient and its curvature at parameters.

        The curvature is that of Gauss and Newton, which leaves out the second derivatives of
        the events' densities: their sum vanishes on average, and it is never negative.

        Args:
            values: Parameters, shape ``(n_sets, n_parameters)``.
            data: As many data sets.
            derivatives: Whether to compute more than the value.
        """
        centre, precision = self.prior(values)
        pull = values - centre
        self.split(pull)[3].sub_(data.measured)
        yields = torch.zeros_like(centre)
        for part in (self.split(yields)[0], self.split(yields)[4]):
            part.fill_(1.0)
        value = 2 * (values @ yields) + (precision * pull**2).sum(-1)
        gradient = 2 * (precision * pull + yields)
        curvature = 2 * torch.diag_embed(precision).expand(data.n_sets, -1, -1)
        for density, slopes, weight, columns in (
            self._events(values, data, derivatives),
            self._sidebands(values, data, derivatives),
        ):
            safe = torch.where(weight > 0, density, 1.0)
            value = value - 2 * (weight * torch.log(safe.clamp_min(0))).sum(-1)
            if derivatives:
                relative = slopes / safe.unsqueeze(-1)
                weighted = relative * weight.unsqueeze(-1)
                gradient = gradient.index_add(1, columns, -2 * weighted.sum(-2))
                block = 2 * weighted.mT @ relative
                curvature = curvature.clone()
                curvature[:, columns[:, None], columns] += block
        return Expansion(value, gradient, curvature)

    def _events(self, values: Tensor, data: DataSets, derivatives: bool) -> "_Part":
        """Return densities in the signal region, and how they depend on the parameters."""
        yields, theta, alpha, nu, others = self.split(values)
        s, b = yields[:, :1], yields[:, 1:]
        events = data.events
        shape, slopes = self.shape.density(self.shape.powers(events.mass), theta)
        change, slope = self.interpolation.change(events.up, events.down, nu)
        signal = events.signal * (1 + change[..., SIGNAL])
        factor = 1 + change[..., BACKGROUND] + (events.spread @ alpha[..., None])[..., 0]
        background = shape * factor
        density = s * signal + b * background + (events.others @ others[..., None])[..., 0]
        every = torch.arange(self.n_parameters, device=values.device)
        if not derivatives:
            return _Part(density, density, data.weight, every)
        by_nu = (s * events.signal).unsqueeze(-1) * slope[..., SIGNAL, :]
        by_nu = by_nu + (b * shape).unsqueeze(-1) * slope[..., BACKGROUND, :]
        columns = [
            signal.unsqueeze(-1),
            background.unsqueeze(-1),
            (b * background).unsqueeze(-1) * slopes,
            (b * shape).unsqueeze(-1) * events.spread,
            by_nu,
            events.others,
        ]
        return _Part(density, torch.cat(columns, dim=-1), data.weight, every)

    def _sidebands(self, values: Tensor, data: DataSets, derivatives: bool) -> "_Part":
        """Return densities beside the signal region, and how they depend on the parameters."""
        yields, theta, _, _, others = self.split(values)
        s, b = yields[:, :1], yields[:, 1:]
        side = data.sidebands
        powers = self.shape.powers(side.mass)
        shape, slopes = self.shape.density(powers, theta)
        density = s * side.signal + b * shape + (side.others @ others[..., None])[..., 0]
        n_shape = 2 + self.shape.order
        columns = torch.arange(self.n_parameters, device=values.device)
        columns = torch.cat(
            [columns[:n_shape], columns[n_shape + self.n_spread + self.n_systematics :]]
        )
        if not derivatives:
            return _Part(density, density, side.weight, columns)
        whole = (*density.shape, 1)
        signal = side.signal.expand(density.shape).unsqueeze(-1)
        further = side.others.expand(*density.shape, side.others.shape[-1])
        parts = [
            signal,
            shape.unsqueeze(-1).expand(whole),
            (b * shape).unsqueeze(-1) * slopes,
            further,
        ]
        return _Part(density, torch.cat(parts, dim=-1), side.weight, columns)


class Expansion(NamedTuple):
    """-2 ln L, its gradient and curvature, ``(n_sets,)`` and more axes of parameters."""

    value: Tensor
    gradient: Tensor
    curvature: Tensor


class _Part(NamedTuple):
    """Densities of some events, their slopes in some parameters, weights, those parameters."""

    density: Tensor
    slopes: Tensor
    weight: Tensor
    columns: Tensor
