"""What the networks for posteriors and for pairs of events have in common."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from bumpflow.workflow import derive_seed


class Standardiser(nn.Module):
    """Shift and scale of inputs, kept with the network that needs them.

    Args:
        features: Number of inputs.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))

    def standardise_by(self, x: Tensor) -> None:
        """Take shift and scale from training events, shape ``(n, features)``."""
        scale = x.double().std(dim=0)
        self.mean.copy_(x.double().mean(dim=0))
        self.scale.copy_(torch.where(scale > 0, scale, 1.0))

    def forward(self, x: Tensor) -> Tensor:
        """Map inputs ``(..., features)`` to numbers of mean 0 and standard deviation 1."""
        return (x - self.mean) / self.scale


def activations(features: int, *, batch_norm: bool) -> list[nn.Module]:
    """Return what follows a linear layer: PReLU with a slope per unit, after normalisation."""
    normalisation: list[nn.Module] = [nn.BatchNorm1d(features)] if batch_norm else []
    return [*normalisation, nn.PReLU(features)]


def to_logit(widths: Sequence[int], *, batch_norm: bool) -> nn.Sequential:
    """Return hidden layers of given widths, the first of which is their input, and the output."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), *activations(after, batch_norm=batch_norm)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 1), nn.Flatten(0))


@torch.no_grad()
def limit_norms(network: nn.Module, max_norm: float | None) -> None:
    """Scale down the incoming weights of each unit whose norm is above a limit, if there is one.

    To be called before each pass of a training: then the weights respect the limit after every
    step, and so do those that are kept.
    """
    if max_norm is None:
        return
    for module in network.modules():
        if isinstance(module, nn.Linear):
            module.weight.copy_(torch.renorm(module.weight, 2, 0, max_norm))


def set_aside(n: int, fraction: float, *, seed: int) -> tuple[Tensor, Tensor]:
    """Return rows to train and to validate with, both in random order.

    Args:
        n: Number of rows.
        fraction: Share to validate with.
        seed: Seed of the choice.

    Raises:
        ValueError: If one of both would be empty.
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, "validation"))
    n_validation = round(fraction * n)
    if not 0 < n_validation < n:
        msg = (
            f"validation_fraction {fraction} of {n} rows leaves {n_validation} to validate and"
            f" {n - n_validation} to train with: both need some"
        )
        raise ValueError(msg)
    order = torch.randperm(n, generator=generator)
    return order[n_validation:], order[:n_validation]
