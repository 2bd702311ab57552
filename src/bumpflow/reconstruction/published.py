r"""The published conditional invertible network, for sets of three decays.

A summary network turns the concatenated features of all decays into two numbers. Four coupling
layers, each of which changes both parameters,

.. math::

    v_1 = u_1 e^{s_1(u_2)} + t_1(u_2), \qquad v_2 = u_2 e^{s_2(v_1)} + t_2(v_1),

lead from standardised parameters to normal numbers; :math:`s` is bounded by
:math:`(2/\pi) \arctan`. Nothing keeps the density inside of the prior.

References:
    Morandini, Ferber, Kahlhoefer (2024), https://arxiv.org/abs/2308.01353
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import cast

import pandas as pd
import torch
from torch import Generator, Tensor, nn

from bumpflow.compatibility.layers import Standardiser
from bumpflow.flows.base import StandardNormal
from bumpflow.reconstruction.sets import EventSets
from bumpflow.simulate.alps.features import FEATURES
from bumpflow.train import TrainSettings, fit
from bumpflow.workflow import derive_seed

LEAKY_SLOPE = 0.01
ROWS = 32_768
"""Parameters that go through the network in one go."""


@dataclass(frozen=True)
class PublishedSettings:
    """Sizes of the published network.

    Attributes:
        n_events: Decays of a set.
        summary_features: Width of the summary network.
        summary_layers: Its hidden layers.
        summary_outputs: Numbers that it makes of a set.
        couplings: Coupling layers.
        hidden_features: Width of their networks.
        layers: Hidden layers of these.
        validation_fraction: Share of the sets, the last ones, that decides when to stop.
    """

    n_events: int = 3
    summary_features: int = 64
    summary_layers: int = 4
    summary_outputs: int = 2
    couplings: int = 4
    hidden_features: int = 128
    layers: int = 4
    validation_fraction: float = 0.2


class Coupling(nn.Module):
    """A coupling layer of two parameters, in which each changes by what the other is.

    Args:
        context: Numbers that the layer depends on.
        hidden_features: Width of its networks.
        layers: Hidden layers of these.
    """

    def __init__(self, context: int, *, hidden_features: int, layers: int) -> None:
        super().__init__()
        widths = [1 + context, *layers * [hidden_features], 1]
        self.scales = nn.ModuleList(_network(widths, nn.ReLU()) for _ in range(2))
        self.shifts = nn.ModuleList(_network(widths, nn.ReLU()) for _ in range(2))

    def forward(self, u: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``v (n, 2)`` and the log of the Jacobian, shape ``(n,)``."""
        first, second = u[:, :1], u[:, 1:]
        scale_1, shift_1 = self._step(0, second, context)
        first = first * scale_1.exp() + shift_1
        scale_2, shift_2 = self._step(1, first, context)
        second = second * scale_2.exp() + shift_2
        return torch.cat([first, second], dim=1), (scale_1 + scale_2)[:, 0]

    def inverse(self, v: Tensor, context: Tensor) -> Tensor:
        """Return ``u (n, 2)`` from ``v (n, 2)``."""
        first, second = v[:, :1], v[:, 1:]
        scale_2, shift_2 = self._step(1, first, context)
        second = (second - shift_2) * (-scale_2).exp()
        scale_1, shift_1 = self._step(0, second, context)
        first = (first - shift_1) * (-scale_1).exp()
        return torch.cat([first, second], dim=1)

    def _step(self, index: int, other: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return log scale and shift of one of the parameters, shape ``(n, 1)`` each."""
        inputs = torch.cat([other, context], dim=1)
        scale = 2 / math.pi * torch.atan(self.scales[index](inputs))
        return scale, self.shifts[index](inputs)


class PublishedNet(nn.Module):
    """The published network.

    Args:
        settings: Its sizes.
    """

    def __init__(self, settings: PublishedSettings) -> None:
        super().__init__()
        self.settings = settings
        n, outputs = settings.n_events * len(FEATURES), settings.summary_outputs
        widths = [n, *settings.summary_layers * [settings.summary_features], outputs]
        self.features, self.scaled = Standardiser(n), Standardiser(2)
        self.summary = _network(widths, nn.LeakyReLU(LEAKY_SLOPE))
        sizes = {"hidden_features": settings.hidden_features, "layers": settings.layers}
        self.couplings = nn.ModuleList(
            Coupling(outputs, **sizes) for _ in range(settings.couplings)
        )
        self.latent = StandardNormal(2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the summaries ``(n, summary_outputs)`` of features ``(n, 10 n_events)``."""
        summary: Tensor = self.summary(self.features(x))
        return summary

    def standardised_log_prob(self, summary: Tensor, theta: Tensor) -> Tensor:
        """Return log densities of standardised parameters: minus the published loss, ``(n,)``.

        Args:
            summary: Of sets, shape ``(n, summary_outputs)``.
            theta: Parameters in physical units, shape ``(n, 2)``.
        """
        latent: Tensor = self.scaled(theta)
        total = torch.zeros_like(theta[:, 0])
        for coupling in self._layers():
            latent, jacobian = coupling(latent, summary)
            total = total + jacobian
        return self.latent.log_prob(latent) + total

    @torch.no_grad()
    def log_prob(self, summary: Tensor, theta: Tensor) -> Tensor:
        """Return log densities in log10 of mass and lifetime, shape of ``theta`` less the last.

        Args:
            summary: Of sets, shape ``(n_sets, summary_outputs)``.
            theta: log10 of mass [GeV] and lifetime, c tau / m [m/GeV], shape ``(n_sets, 2)``, or
                ``(n_sets, k, 2)``.
        """
        places = theta if theta.ndim == 3 else theta[:, None]
        rows = summary[:, None].expand(-1, places.shape[1], -1).flatten(0, 1)
        parts = zip(rows.split(ROWS), places.flatten(0, 1).split(ROWS), strict=True)
        logs = torch.cat([self.standardised_log_prob(*part) for part in parts])
        return logs.view(theta.shape[:-1]) - self.scaled.scale.log().sum()

    @torch.no_grad()
    def sample(self, summary: Tensor, n: int, *, generator: Generator) -> Tensor:
        """Return draws from posteriors, shape ``(n_sets, n, 2)``.

        Args:
            summary: Of sets, shape ``(n_sets, summary_outputs)``.
            n: Draws of each set.
            generator: Random numbers, on the network's device.
        """
        parts = []
        for rows in summary.repeat_interleave(n, 0).split(ROWS):
            latent = self.latent.sample(len(rows), generator=generator)
            for coupling in reversed(self._layers()):
                latent = coupling.inverse(latent, rows)
            parts.append(latent * self.scaled.scale + self.scaled.mean)
        return torch.cat(parts).view(len(summary), n, 2)

    def _layers(self) -> list[Coupling]:
        """Return the coupling layers, from parameters to normal numbers."""
        return cast("list[Coupling]", list(self.couplings))

    def concatenate(self, sets: EventSets) -> Tensor:
        """Return the features of sets as the network takes them, shape ``(n_sets, inputs)``.

        Raises:
            ValueError: If a set has another number of events.
        """
        wrong = sets.n_events != self.settings.n_events
        if bool(wrong.any()):
            index = int(wrong.nonzero()[0])
            msg = (
                f"set {index} has {int(sets.n_events[index])} events, but the published network"
                f" takes sets of {self.settings.n_events} only"
            )
            raise ValueError(msg)
        return sets.x[:, : self.settings.n_events].flatten(1)


def published_loss(network: PublishedNet, x: Tensor, theta: Tensor) -> Tensor:
    """Return minus the log density of the standardised truth [nat], shape ``(n,)``.

    Args:
        network: The network.
        x: Concatenated features, shape ``(n, inputs)``.
        theta: True parameters, shape ``(n, 2)``.
    """
    return -network.standardised_log_prob(network(x), theta)


def train_published(
    sets: EventSets,
    theta: Tensor,
    *,
    settings: PublishedSettings,
    training: TrainSettings,
    seed: int,
    device: torch.device,
    checkpoint: Path | None = None,
    finished: Path | None = None,
) -> tuple[PublishedNet, pd.DataFrame]:
    """Train the published network as it was: on sets that are measured once.

    Means and standard deviations of all sets standardise; the last sets validate.

    Args:
        sets: Measured sets.
        theta: True parameters, shape ``(n_sets, 2)``.
        settings: Sizes.
        training: Settings of the training.
        seed: Seed of weights and shuffling.
        device: Where to train.
        checkpoint: File to resume from.
        finished: File from which a repeated call returns.

    Returns:
        The network, and one row per epoch (see :func:`bumpflow.train.fit`), with losses in the
        published units.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "weights"))
        network = PublishedNet(settings)
    x = network.concatenate(sets)
    network.features.standardise_by(x)
    network.scaled.standardise_by(theta)
    n_train = len(x) - max(1, round(settings.validation_fraction * len(x)))
    history = fit(
        network,
        published_loss,
        train=(x[:n_train], theta[:n_train]),
        validation=(x[n_train:], theta[n_train:]),
        settings=training,
        seed=seed,
        device=device,
        checkpoint=checkpoint,
        finished=finished,
    )
    return network, history


def _network(widths: list[int], activation: nn.Module) -> nn.Sequential:
    """Return linear layers with activations between them, as Keras begins them."""
    layers: list[nn.Module] = []
    for index, (before, after) in enumerate(pairwise(widths)):
        linear = nn.Linear(before, after)
        nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(linear.bias)
        layers += [*([activation] if index else []), linear]
    return nn.Sequential(*layers)
