r"""Ratio of posterior and prior of one parameter, from a classifier of events and parameters.

A network is shown events with the parameter they were made with, and events with a parameter from
the prior. Its log odds tend to :math:`\ln r = \ln p(\theta \mid x) / \pi(\theta)`, whatever other
parameters the events were made with, which are thereby averaged over.

References:
    Hermans, Begy, Louppe (2019), https://arxiv.org/abs/1903.04057;
    Chathirathas et al. (2024), https://arxiv.org/abs/2407.20329, appendix A
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from bumpflow.compatibility.layers import (
    Standardiser,
    activations,
    limit_norms,
    set_aside,
    to_logit,
)
from bumpflow.memory import map_chunks
from bumpflow.train import BatchLoss, TrainSettings, fit
from bumpflow.workflow import derive_seed

CHUNK = 1 << 14
"""Pairs of event and grid point in one go: what fits a processor's cache."""
DEVICE_CHUNK = 1 << 20
Contrast = Literal["halves", "all"]


@dataclass(frozen=True)
class RatioSettings:
    """Settings of a network for ratios and its training.

    Attributes:
        sizes: Its sizes, see :class:`RatioNet`.
        contrast: How events meet parameters that they were not made with. In "halves", as
            published, one half of the events is shown with the true ones and the other half with
            others, the same ones always; in "all" each is shown with both, with others at each
            time.
        validation_fraction: Share of the events set aside for early stopping.
        training: Settings of the training loop.
    """

    sizes: Mapping[str, Any]
    contrast: Contrast
    validation_fraction: float
    training: TrainSettings

    def __post_init__(self) -> None:
        if self.contrast not in ("halves", "all"):
            msg = f"contrast is {self.contrast!r}, but must be 'halves' or 'all'"
            raise ValueError(msg)

    @classmethod
    def from_config(cls, block: Mapping[str, Any]) -> Self:
        """Return the settings of a configuration block of the same keys."""
        return cls(**{**block, "training": TrainSettings(**block["training"])})


class RatioNet(nn.Module):
    """Network from events and a parameter, in physical units, to the log of the ratio.

    Args:
        features: Number of features of an event.
        hidden_features: Width of the hidden layers.
        layers: Number of hidden layers.
        max_norm: Largest norm of a unit's incoming weights; none by default.
    """

    def __init__(
        self,
        features: int,
        hidden_features: int = 64,
        layers: int = 4,
        max_norm: float | None = None,
    ) -> None:
        super().__init__()
        self.sizes = {
            "features": features,
            "hidden_features": hidden_features,
            "layers": layers,
            "max_norm": max_norm,
        }
        self.max_norm = max_norm
        self.event = Standardiser(features)
        self.parameter = Standardiser(1)
        self.first = nn.Linear(1 + features, hidden_features)
        self.rest = nn.Sequential(
            *activations(hidden_features, batch_norm=False),
            *to_logit(layers * [hidden_features], batch_norm=False),
        )

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        """Return the log odds of each event at each of its parameters.

        What the first layer makes of an event is computed once for all its parameters.

        Args:
            x: Events, shape ``(n, features)``.
            theta: Parameters, shape ``(n, k)``, or ``(1, k)`` if they are the same for all.

        Returns:
            Shape ``(n, k)``.
        """
        weight = self.first.weight
        of_event = functional.linear(self.event(x), weight[:, 1:], self.first.bias)
        hidden = of_event[:, None] + self.parameter(theta[..., None]) * weight[:, 0]
        return self.rest(hidden.flatten(0, 1)).view(hidden.shape[:2])


def train_ratio(
    x: Tensor,
    theta: Tensor,
    *,
    settings: RatioSettings,
    seed: int,
    device: torch.device,
    checkpoint: Path | None = None,
) -> tuple[RatioNet, pd.DataFrame]:
    """Train a network for ratios. Parameters from the prior are those of other events.

    Args:
        x: Events, shape ``(n, features)``.
        theta: The parameter they were made with, drawn from the prior, shape ``(n,)``.
        settings: Settings of the network and its training.
        seed: Seed of the initial weights, of the validation events and of the shuffling.
        device: Where to train.
        checkpoint: File to resume from, and to keep up to date.

    Returns:
        The network with its best weights, on ``device``, and its loss history, one row per epoch.

    Raises:
        ValueError: If there are too few events.
    """
    x, theta = x.float(), theta.float()
    rows = set_aside(len(x), settings.validation_fraction, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "weights"))
        network = RatioNet(x.shape[1], **settings.sizes)
    network.event.standardise_by(x[rows[0]])
    network.parameter.standardise_by(theta[rows[0], None])
    loss: BatchLoss = contrastive_loss
    events: list[tuple[Tensor, ...]] = [(x[part], theta[part]) for part in rows]
    if settings.contrast == "halves":
        loss, events = labelled_loss, [_label_halves(*part) for part in events]
    history = fit(
        network,
        loss,
        train=events[0],
        validation=events[1],
        settings=settings.training,
        seed=derive_seed(seed, "training"),
        device=device,
        checkpoint=checkpoint,
        whole_batches=loss is contrastive_loss,
    )
    return network, history


def log_ratios(network: RatioNet, x: Tensor, points: Tensor, weights: Tensor) -> Tensor:
    """Return log ratios of posterior and prior on a grid, normalised.

    Args:
        network: Trained network.
        x: Events, shape ``(n, features)``.
        points: Grid of the parameter, shape ``(n_grid,)``.
        weights: Prior probabilities of the grid points, shape ``(n_grid,)``.

    Returns:
        Single precision, on the network's device, shape ``(n, n_grid)``; the mean of the
        exponential over the prior is 1 for each event.

    Raises:
        ValueError: If a feature of an event is not finite.
    """
    _check_finite(x)
    device = network.first.weight.device
    size = CHUNK if device.type == "cpu" else DEVICE_CHUNK
    theta, log_weights = (part.float().to(device) for part in (points[None], weights.log()))

    def normalised(chunk: Tensor) -> Tensor:
        """Return the log ratios of some events."""
        logits = network(chunk.to(device), theta)
        return logits - torch.logsumexp(logits + log_weights, 1, keepdim=True)

    return map_chunks(normalised, x.float(), max(1, size // len(points)))


def store_ratio(network: RatioNet) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and settings that :func:`restore_ratio` needs."""
    tensors = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
    return tensors, {"sizes": network.sizes}


def restore_ratio(
    tensors: Mapping[str, Tensor], settings: Mapping[str, Any], *, device: torch.device
) -> RatioNet:
    """Rebuild a stored network, ready for use on ``device``."""
    network = RatioNet(**settings["sizes"])
    network.load_state_dict(dict(tensors))
    return network.to(device).eval()


def contrastive_loss(network: RatioNet, x: Tensor, theta: Tensor) -> Tensor:
    """Return the cross entropy [nat] of each event with its own parameter and with another's."""
    limit_norms(network, network.max_norm)
    own, other = network(x, torch.stack([theta, theta.roll(1)], 1)).unbind(1)
    return (functional.softplus(-own) + functional.softplus(other)) / 2


def labelled_loss(network: RatioNet, x: Tensor, theta: Tensor, is_own: Tensor) -> Tensor:
    """Return the cross entropy [nat] of each event, whose parameter is its own where 1 says so."""
    limit_norms(network, network.max_norm)
    logits = network(x, theta[:, None]).squeeze(1)
    return functional.binary_cross_entropy_with_logits(logits, is_own, reduction="none")


def _label_halves(x: Tensor, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return events in random order, of which the second half exchanged their parameters."""
    n_own = len(x) // 2
    is_own = (torch.arange(len(x)) < n_own).float()
    return x, torch.cat([theta[:n_own], theta[n_own:].roll(1)]), is_own


def _check_finite(x: Tensor) -> None:
    """Raise if a feature is not a number."""
    wrong = ~torch.isfinite(x)
    if bool(wrong.any()):
        row, column = wrong.nonzero()[0].tolist()
        msg = (
            f"feature {column} of event {row} is {float(x[row, column])}: ratios need finite"
            " features; look at this event"
        )
        raise ValueError(msg)
