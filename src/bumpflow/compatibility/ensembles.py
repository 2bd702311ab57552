"""Train several networks for pairs of events, and use, keep and restore them together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from bumpflow.compatibility.layers import limit_norms, set_aside
from bumpflow.compatibility.networks import PairNet, build_pair_network, pair_logits
from bumpflow.train import TrainSettings, fit
from bumpflow.workflow import derive_seed


@dataclass(frozen=True)
class PairSettings:
    """Settings of networks for pairs and their training.

    Attributes:
        architecture: Name in :data:`bumpflow.compatibility.networks.ARCHITECTURES`.
        sizes: Sizes of the network.
        members: Number of networks.
        validation_fraction: Share of the pairs set aside for early stopping.
        training: Settings of the training loop.
    """

    architecture: str
    sizes: Mapping[str, Any]
    members: int
    validation_fraction: float
    training: TrainSettings

    @classmethod
    def from_config(cls, block: Mapping[str, Any]) -> Self:
        """Return the settings of a configuration block of the same keys."""
        return cls(**{**block, "training": TrainSettings(**block["training"])})


class Trained(NamedTuple):
    """Networks and how they were trained.

    Attributes:
        networks: The networks with their best weights.
        history: Losses, one row per network and epoch, see :func:`~bumpflow.train.fit`, with
            ``member``.
    """

    networks: list[PairNet]
    history: pd.DataFrame


def train_pair_networks(
    together: Tensor,
    apart: Tensor | None = None,
    *,
    settings: PairSettings,
    seed: int,
    device: torch.device,
    checkpoints: Path | None = None,
) -> Trained:
    """Train networks that differ in their weights, the order of events, and the validation pairs.

    Compatible pairs are two events made with the same parameters. Incompatible ones, whose
    parameters are independent, are either given, as published, or found in every batch anew by
    exchanging partners: then no other events are needed, and each is embedded once for both pairs.

    Args:
        together: Compatible pairs, features or log ratios of shape ``(n, 2, features)``; half
            precision is enough for log ratios.
        apart: Incompatible pairs, shape ``(m, 2, features)``; by default partners are exchanged.
        settings: Settings of the networks and their training.
        seed: Seed, from which each network gets its own.
        device: Where to train.
        checkpoints: Folder from which a killed training resumes.

    Raises:
        ValueError: If there are too few pairs.
    """
    networks, histories = [], []
    for member in range(settings.members):
        network, history = _train_member(
            together,
            apart,
            settings=settings,
            seed=derive_seed(seed, "member", str(member)),
            device=device,
            finished=None if checkpoints is None else checkpoints / f"member{member}.safetensors",
        )
        networks.append(network)
        histories.append(history.assign(member=member))
    return Trained(networks, pd.concat(histories, ignore_index=True))


def pair_singles(x: Tensor) -> Tensor:
    """Return incompatible pairs of events of independent parameters, each event in one pair.

    Args:
        x: Features or log ratios, shape ``(n, features)``; of an odd number the last is left out.

    Returns:
        Neighbours, shape ``(n // 2, 2, features)``.
    """
    return x[: len(x) // 2 * 2].unflatten(0, (-1, 2))


def member_scores(networks: Sequence[PairNet], x: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return each network's probabilities that two events share their parameters.

    Args:
        networks: Trained networks.
        x: Features or log ratios of events, shape ``(n_toys, n_events, features)``.
        mask: Which events there are, shape ``(n_toys, n_events)``; all by default.

    Returns:
        Symmetric matrices, shape ``(n_members, n_toys, n_events, n_events)``, see
        :func:`~bumpflow.compatibility.networks.pair_logits`.
    """
    return torch.stack([torch.sigmoid(pair_logits(network, x, mask)) for network in networks])


def ensemble_scores(networks: Sequence[PairNet], x: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the mean probability of all networks that two events share their parameters.

    Args:
        networks: As for :func:`member_scores`.
        x: Likewise.
        mask: Likewise.

    Returns:
        Shape ``(n_toys, n_events, n_events)``.
    """
    return member_scores(networks, x, mask).mean(0)


def store_pair_networks(
    networks: Sequence[PairNet], architecture: str
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and settings that :func:`restore_pair_networks` needs.

    Args:
        networks: Networks of one architecture.
        architecture: Its name.
    """
    tensors = {
        f"{index}.{name}": tensor.cpu()
        for index, network in enumerate(networks)
        for name, tensor in network.state_dict().items()
    }
    sizes = [network.sizes for network in networks]
    return tensors, {"architecture": architecture, "networks": sizes}


def restore_pair_networks(
    tensors: Mapping[str, Tensor], settings: Mapping[str, Any], *, device: torch.device
) -> list[PairNet]:
    """Rebuild stored networks, ready for use on ``device``."""
    networks = []
    for index, sizes in enumerate(settings["networks"]):
        network = build_pair_network(settings["architecture"], **sizes)
        own = f"{index}."
        parts = {name.removeprefix(own): t for name, t in tensors.items() if name.startswith(own)}
        network.load_state_dict(parts)
        networks.append(network.to(device).eval())
    return networks


def exchange_loss(network: PairNet, together: Tensor) -> Tensor:
    """Return the cross entropy [nat] of compatible pairs, and of pairs with exchanged partners.

    Half of the pairs are turned round, other ones each time.
    """
    limit_norms(network, network.max_norm)
    n_turned, embedding = len(together) // 2, network.embed(together.float())
    turned = torch.cat([embedding[:n_turned].flip(1), embedding[n_turned:]])
    first, second = turned.unbind(1)
    partners = torch.cat([second, second.roll(1, 0)])
    right, wrong = network.compare(first.repeat(2, 1), partners).chunk(2)
    return (functional.softplus(-right) + functional.softplus(wrong)) / 2


def labelled_loss(network: PairNet, pairs: Tensor, is_compatible: Tensor) -> Tensor:
    """Return the cross entropy [nat] of each pair."""
    limit_norms(network, network.max_norm)
    logits = network(pairs.float())
    return functional.binary_cross_entropy_with_logits(logits, is_compatible, reduction="none")


def _train_member(
    together: Tensor,
    apart: Tensor | None,
    *,
    settings: PairSettings,
    seed: int,
    device: torch.device,
    finished: Path | None,
) -> tuple[PairNet, pd.DataFrame]:
    """Train one network."""
    pairs = together if apart is None else torch.cat([together, apart])
    labels = (torch.arange(len(pairs)) < len(together)).float()
    rows = set_aside(len(pairs), settings.validation_fraction, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "weights"))
        network = build_pair_network(
            settings.architecture, features=pairs.shape[-1], **settings.sizes
        )
    network.standardise_by(pairs[rows[0]].flatten(0, 1))
    events = [(pairs[part],) if apart is None else (pairs[part], labels[part]) for part in rows]
    history = fit(
        network,
        exchange_loss if apart is None else labelled_loss,
        train=events[0],
        validation=events[1],
        settings=settings.training,
        seed=derive_seed(seed, "training"),
        device=device,
        checkpoint=None if finished is None else finished.with_suffix(".part.safetensors"),
        finished=finished,
        whole_batches=apart is None,
    )
    return network, history
