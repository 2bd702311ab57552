"""Binary classifiers: a residual network, and boosted trees as its independent witness."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from torch import Tensor, nn

from bumpflow.memory import map_chunks
from bumpflow.rowhash import hash_rows
from bumpflow.train import TrainSettings, fit
from bumpflow.workflow import derive_seed

CHUNK = 16_384


@dataclass(frozen=True)
class NetworkSettings:
    """Settings of a residual network and its training.

    Attributes:
        hidden_features: Width of the hidden layers.
        layers: Number of residual blocks.
        repeats: Layers inside each block.
        validation_fraction: Share of the events set aside for early stopping.
        training: Settings of the training loop.
    """

    hidden_features: int
    layers: int
    repeats: int
    validation_fraction: float
    training: TrainSettings

    @classmethod
    def from_config(cls, block: Mapping[str, Any]) -> "NetworkSettings":
        """Return the settings of a configuration block of the same keys."""
        return cls(**{**block, "training": TrainSettings(**block["training"])})


@dataclass(frozen=True)
class TreeSettings:
    """Settings of gradient-boosted trees.

    Attributes:
        learning_rate: Shrinkage of each tree.
        max_iter: Number of trees at most.
        max_leaf_nodes: Leaves per tree.
        l2_regularization: Penalty of the leaves' values.
        patience: Trees without a better validation loss before stopping.
        validation_fraction: Share of the events set aside for early stopping.
    """

    learning_rate: float
    max_iter: int
    max_leaf_nodes: int
    l2_regularization: float
    patience: int
    validation_fraction: float


class ResidualBlock(nn.Module):
    """Repeat linear layer, batch normalisation and ReLU, around a skip connection."""

    def __init__(self, in_features: int, out_features: int, *, repeats: int) -> None:
        """Build the layers; the skip is linear where the width changes."""
        super().__init__()
        widths = [in_features, *[out_features] * repeats]
        self.layers = nn.Sequential(
            *(
                nn.Sequential(nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU())
                for a, b in pairwise(widths)
            )
        )
        same = in_features == out_features
        self.skip = nn.Identity() if same else nn.Linear(in_features, out_features)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, in_features)`` to ``(n, out_features)``."""
        return self.skip(x) + self.layers(x)


class ResMLP(nn.Module):
    """Residual network from features in physical units to the logit of class 1.

    Args:
        features: Number of input features.
        hidden_features: Width of the hidden layers.
        layers: Number of residual blocks.
        repeats: Layers inside each block.

    References:
        Gavranovic, Kersevan (2023), https://arxiv.org/abs/2310.08994, appendix H
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self, features: int, hidden_features: int = 512, layers: int = 3, repeats: int = 2
    ) -> None:
        super().__init__()
        self.sizes = {
            "features": features,
            "hidden_features": hidden_features,
            "layers": layers,
            "repeats": repeats,
        }
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        widths = [features, *[hidden_features] * layers]
        self.blocks = nn.Sequential(
            *(ResidualBlock(a, b, repeats=repeats) for a, b in pairwise(widths))
        )
        self.head = nn.Linear(hidden_features, 1)

    def standardise_by(self, x: Tensor) -> None:
        """Take shift and scale of the inputs from training events ``(n, features)``."""
        scale = x.double().std(dim=0)
        self.mean.copy_(x.double().mean(dim=0))
        self.scale.copy_(torch.where(scale > 0, scale, 1.0))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits ``(n,)`` of events ``(n, features)``."""
        return self.head(self.blocks((x - self.mean) / self.scale)).squeeze(-1)


class NetworkClassifier(NamedTuple):
    """A trained network on its device."""

    network: ResMLP
    device: torch.device

    def logit(self, x: NDArray) -> NDArray:
        """Return the log odds of class 1 for events ``(n, features)``, shape ``(n,)``.

        They are log density ratios of class 1 over class 0, as both had equal weight in training.
        """
        self.network.eval()
        events = torch.from_numpy(np.array(x, dtype=np.float32))
        logits = map_chunks(
            lambda some: self.network(some.to(self.device)).double().cpu(), events, CHUNK
        )
        return logits.numpy()

    def score(self, x: NDArray) -> NDArray:
        """Return the probability of class 1 for events ``(n, features)``, shape ``(n,)``."""
        return 1 / (1 + np.exp(-self.logit(x)))


class TreeClassifier(NamedTuple):
    """Trained boosted trees."""

    trees: HistGradientBoostingClassifier

    def logit(self, x: NDArray) -> NDArray:
        """Return the log odds of class 1 for events ``(n, features)``, shape ``(n,)``."""
        return self.trees.decision_function(x)

    def score(self, x: NDArray) -> NDArray:
        """Return the probability of class 1 for events ``(n, features)``, shape ``(n,)``."""
        return 1 / (1 + np.exp(-self.logit(x)))


def train_classifier(
    x0: NDArray, x1: NDArray, *, settings: NetworkSettings, seed: int, device: torch.device
) -> tuple[NetworkClassifier, pd.DataFrame]:
    """Train a residual network with binary cross entropy.

    Both classes get the same total weight, whatever their numbers. Inputs are standardised by
    the events that train the weights; those set aside for early stopping play no part in it.

    Args:
        x0: Events of class 0, shape ``(n, features)``.
        x1: Events of class 1, shape ``(m, features)``.
        settings: Settings of the network and its training.
        seed: Seed of the initial weights, of the validation events and of the shuffling.
        device: Where to train.

    Returns:
        The classifier and its loss history, one row per epoch.
    """
    rng = np.random.default_rng(derive_seed(seed, "validation"))
    parts = [_set_aside(x, settings.validation_fraction, rng) for x in (x0, x1)]
    train, validation = (_labelled(class0, class1) for class0, class1 in zip(*parts, strict=True))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "weights"))
        network = ResMLP(
            x0.shape[1],
            hidden_features=settings.hidden_features,
            layers=settings.layers,
            repeats=settings.repeats,
        )
    network.standardise_by(train[0])
    history = fit(
        network,
        weighted_cross_entropy,
        train=train,
        validation=validation,
        settings=settings.training,
        seed=seed,
        device=device,
    )
    return NetworkClassifier(network, device), history


def store_networks(
    classifiers: Sequence[NetworkClassifier],
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and settings that :func:`restore_networks` rebuilds classifiers from."""
    tensors = {
        f"{index}.{name}": tensor
        for index, classifier in enumerate(classifiers)
        for name, tensor in classifier.network.state_dict().items()
    }
    return tensors, {"networks": [classifier.network.sizes for classifier in classifiers]}


def restore_networks(
    tensors: Mapping[str, Tensor], settings: Mapping[str, Any], *, device: torch.device
) -> list[NetworkClassifier]:
    """Rebuild stored classifiers, ready to use on ``device``."""
    classifiers = []
    for index, sizes in enumerate(settings["networks"]):
        network = ResMLP(**sizes)
        own = f"{index}."
        parts = {name.removeprefix(own): t for name, t in tensors.items() if name.startswith(own)}
        network.load_state_dict(parts)
        classifiers.append(NetworkClassifier(network.to(device).eval(), device))
    return classifiers


def train_trees(
    x0: NDArray,
    x1: NDArray,
    *,
    settings: TreeSettings,
    seed: int,
    weights1: NDArray | None = None,
) -> TreeClassifier:
    """Train gradient-boosted trees; both classes get the same total weight.

    Args:
        x0: Events of class 0, shape ``(n, features)``.
        x1: Events of class 1, shape ``(m, features)``.
        settings: Settings of the trees.
        seed: Seed of the validation events.
        weights1: Weights of the events of class 1, shape ``(m,)``; equal by default.
    """
    trees = HistGradientBoostingClassifier(
        learning_rate=settings.learning_rate,
        max_iter=settings.max_iter,
        max_leaf_nodes=settings.max_leaf_nodes,
        l2_regularization=settings.l2_regularization,
        early_stopping=True,
        n_iter_no_change=settings.patience,
        validation_fraction=settings.validation_fraction,
        random_state=seed % 2**32,
    )
    labels = np.repeat([0, 1], [len(x0), len(x1)])
    share1 = np.full(len(x1), 1 / len(x1)) if weights1 is None else weights1 / weights1.sum()
    weights = np.concatenate([np.full(len(x0), 1 / len(x0)), share1]) * len(labels) / 2
    return TreeClassifier(trees.fit(np.concatenate([x0, x1]), labels, sample_weight=weights))


def weighted_cross_entropy(network: nn.Module, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted binary cross entropy of each event [nat], shape ``(n,)``.

    Args:
        network: Network from events to logits.
        x: Events, shape ``(n, features)``.
        y: Labels 0 or 1, shape ``(n,)``.
        weight: Weights, shape ``(n,)``.
    """
    loss = nn.functional.binary_cross_entropy_with_logits(network(x), y, reduction="none")
    return weight * loss


def first_alike(x: NDArray) -> NDArray:
    """Return the first row that equals each row; in a bootstrap sample, events occur repeatedly.

    Args:
        x: Events, shape ``(n, features)``.

    Returns:
        Rows, shape ``(n,)``; ``arange(n)`` where no event occurs twice.
    """
    _, first, group = np.unique(hash_rows(x.T), return_index=True, return_inverse=True)
    return first[group]


def _set_aside(x: NDArray, fraction: float, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Split events at random into those to train and to validate with; equal ones stay together."""
    place = np.argsort(rng.permutation(len(x)))[first_alike(x)]
    rows = np.argsort(place, kind="stable")
    n_validation = max(1, round(fraction * len(x)))
    n_validation = np.searchsorted(place[rows], place[rows[n_validation - 1]], side="right")
    return x[rows[n_validation:]], x[rows[:n_validation]]


def _labelled(x0: NDArray, x1: NDArray) -> tuple[Tensor, Tensor, Tensor]:
    """Return events, labels, and weights that give both classes half of the total."""
    total = len(x0) + len(x1)
    x = torch.from_numpy(np.concatenate([x0, x1]).astype(np.float32))
    y = torch.cat([torch.zeros(len(x0)), torch.ones(len(x1))])
    weight = torch.where(y == 0, total / 2 / len(x0), total / 2 / len(x1))
    return x, y, weight
