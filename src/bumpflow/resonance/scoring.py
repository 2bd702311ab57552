"""From the densities of events to what a fit needs to know of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bumpflow.flows.density import EventDensity
from bumpflow.resonance.densities import log_densities
from bumpflow.resonance.likelihood import DataSets, Events, Sidebands
from bumpflow.resonance.shapes import DoubleCrystalBall, Window

MAX_LOG_RATIO = 10.0
"""Density ratios beyond are cut, as no training tells them from infinite ones. A single event with
such a ratio is signal for certain, and forbids negative signals."""
MAX_LOG_CHANGE = 2.3
"""The same for varied over nominal densities: one standard deviation changes no density by more than
a factor of 10, but where an edge moves, or where training has seen no event."""


@dataclass(frozen=True)
class Component:
    """A component that peaks: its features' density and its shape in mass.

    Attributes:
        density: Features at given mass.
        peak: Shape in mass.
        varied: Densities trained on varied events, by systematic: up and down.
    """

    density: EventDensity
    peak: DoubleCrystalBall
    varied: Mapping[str, tuple[EventDensity, EventDensity]] = field(default_factory=dict)


@dataclass(frozen=True)
class Systematic:
    """A variation of features by one standard deviation.

    Attributes:
        name: Name.
        scales: Relative change of features by their names.
        signal: Whether it changes the signal.
        background: Whether it changes the background.
    """

    name: str
    scales: Mapping[str, float]
    signal: bool = True
    background: bool = True

    @classmethod
    def from_config(cls, name: str, block: Mapping[str, Any]) -> "Systematic":
        """Return the systematic of a configuration block with ``scale`` and ``components``."""
        chosen = block["components"]
        return cls(name, block["scale"], "signal" in chosen, "background" in chosen)

    def factors(self, features: Sequence[str], *, nu: float) -> NDArray[np.float64]:
        """Return the factors on features, ``(n_features,)``, at a value of the parameter."""
        return np.array([1 + nu * self.scales.get(name, 0.0) for name in features])


@dataclass(frozen=True)
class Densities:
    """All densities of a measurement.

    Attributes:
        backgrounds: Those of the background's features, one per bootstrap.
        signal: The signal.
        others: Further components.
        systematics: Variations of features.
        background_varied: Backgrounds trained on varied events, by systematic: up and down.
        window: Range of the resonance variable.
    """

    backgrounds: Sequence[EventDensity]
    signal: Component
    window: Window
    others: Sequence[Component] = ()
    systematics: Sequence[Systematic] = ()
    background_varied: Mapping[str, tuple[EventDensity, EventDensity]] = field(
        default_factory=dict
    )

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features."""
        return self.signal.density.settings.features

    @property
    def peaks(self) -> list[DoubleCrystalBall]:
        """Shapes in mass of the signal and the further components."""
        return [self.signal.peak, *(other.peak for other in self.others)]


def score(x: Tensor, mass: Tensor, densities: Densities) -> Events:
    """Return what a fit needs to know of events in the signal region.

    Systematics change densities by training on varied events where there is such a training.
    Elsewhere the change is exact: that of the density under the change of its variables.

    Args:
        x: Features, shape ``(n, features)``.
        mass: Resonance variable [GeV], shape ``(n,)``.
        densities: The measurement's densities.
    """
    logs = log_densities(densities.backgrounds, x, mass)
    n_members = len(logs)
    mean = logs.logsumexp(0) - np.log(n_members)
    spread = (torch.exp(logs - mean) - 1) / max(1, n_members - 1) ** 0.5
    (log_signal,) = log_densities([densities.signal.density], x, mass)
    signal, *others = (
        _peaking(one, x, mass, mean, densities.window)
        for one in (densities.signal, *densities.others)
    )
    up, down = (_changes(x, mass, densities, log_signal, mean, nu) for nu in (1, -1))
    return Events(
        mass=mass.double(),
        signal=signal,
        spread=spread.T if n_members > 1 else spread.T[:, :0],
        up=up,
        down=down,
        others=torch.stack(others, dim=-1) if others else signal.new_zeros(len(signal), 0),
    )


def score_signals(
    x: Tensor, mass: Tensor, densities: Densities, shifts: Sequence[float]
) -> Tensor:
    """Return signals at other masses as :func:`score` returns the one, ``(n, n_shifts)``.

    A signal that is heavier by some GeV has the features that simulation has at a mass lower by as
    much, and the same peak further up.

    Args:
        x: Features, shape ``(n, features)``.
        mass: Resonance variable [GeV], shape ``(n,)``.
        densities: The measurement's densities.
        shifts: By how much each signal is heavier [GeV].
    """
    logs = log_densities(densities.backgrounds, x, mass)
    mean = logs.logsumexp(0) - np.log(len(logs))
    signal, window = densities.signal, densities.window
    columns = [_peaking(signal, x, mass, mean, window, shift=shift) for shift in shifts]
    return torch.stack(columns, dim=-1)


def _peaking(
    component: Component,
    x: Tensor,
    mass: Tensor,
    mean: Tensor,
    window: Window,
    *,
    shift: float = 0.0,
) -> Tensor:
    """Return a component's density over the background features' one, shape ``(n,)`` [1/GeV]."""
    (logs,) = log_densities([component.density], x, mass - shift)
    values = component.peak.shifted(shift).density(mass.cpu().numpy(), window)
    return torch.as_tensor(values, device=mass.device) * _ratio(logs, mean)


def _ratio(log_density: Tensor, reference: Tensor, most: float = MAX_LOG_RATIO) -> Tensor:
    return torch.exp((log_density - reference).clamp(-most, most))


def _changes(
    x: Tensor, mass: Tensor, densities: Densities, log_signal: Tensor, mean: Tensor, nu: int
) -> Tensor:
    """Return varied over nominal densities, shape ``(n, 2, n_systematics)``."""
    ratios = mean.new_ones(len(mean), 2, len(densities.systematics))
    signal = ([densities.signal.density], densities.signal.varied, log_signal)
    background = (densities.backgrounds, densities.background_varied, mean)
    for index, systematic in enumerate(densities.systematics):
        affected = (systematic.signal, systematic.background)
        for place, (nominal, varied, log_nominal) in enumerate((signal, background)):
            if affected[place]:
                chosen = varied.get(systematic.name)
                log_varied = (
                    _transformed(nominal, x, mass, systematic, nu)
                    if chosen is None
                    else log_densities([chosen[0 if nu > 0 else 1]], x, mass)[0]
                )
                ratios[:, place, index] = _ratio(log_varied, log_nominal, MAX_LOG_CHANGE)
    return ratios


def _transformed(
    members: Sequence[EventDensity], x: Tensor, mass: Tensor, systematic: Systematic, nu: int
) -> Tensor:
    """Return the log density of events whose features were multiplied by a systematic's factors."""
    factors = x.new_tensor(systematic.factors(members[0].settings.features, nu=nu))
    logs = log_densities(members, x / factors, mass)
    return logs.logsumexp(0) - np.log(len(logs)) - factors.double().abs().log().sum()


def sidebands(mass: Tensor, densities: Densities) -> Sidebands:
    """Return a single data set's events beside the signal region, unbinned.

    Args:
        mass: Resonance variable [GeV], shape ``(n,)``.
        densities: The measurement's densities.
    """
    signal, *rest = (
        torch.as_tensor(peak.density(mass.cpu().numpy(), densities.window), device=mass.device)
        for peak in densities.peaks
    )
    others = torch.stack(rest, dim=-1) if rest else signal.new_zeros(len(signal), 0)
    m = mass.double()[None]
    return Sidebands(m, torch.ones_like(m), signal[None], others[None])


def data_set(x: Tensor, mass: Tensor, densities: Densities, signal_region: Window) -> DataSets:
    """Return one data set, unbinned, ready for a fit.

    Args:
        x: Features of all events in the window, shape ``(n, features)``.
        mass: Resonance variable [GeV], shape ``(n,)``.
        densities: The measurement's densities.
        signal_region: Where features are used.
    """
    inside = (mass >= signal_region.low) & (mass < signal_region.high)
    events = score(x[inside], mass[inside], densities).batched()
    return DataSets.of(events, torch.ones_like(events.mass), sidebands(mass[~inside], densities))
