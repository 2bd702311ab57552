"""Networks that tell whether two events share their parameters, given as published.

A network makes an embedding of each event, and compares two embeddings. So all pairs of a data set
cost one embedding per event, and only what truly depends on both is done for each pair.

References:
    Chathirathas et al. (2024), https://arxiv.org/abs/2407.20329, section 3.3 and appendix A
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from bumpflow.compatibility.layers import Standardiser, activations, to_logit
from bumpflow.compatibility.pairs import LOG_FLOOR
from bumpflow.memory import in_chunks
from bumpflow.suggest import suggest

CHUNK = 1 << 12
"""Pairs that are compared in one go: what fits a processor's cache."""
DEVICE_CHUNK = 1 << 19
Scaling = Literal["pair", "common"]


class PairNet(nn.Module):
    """Network for pairs of events.

    Attributes:
        sizes: Its arguments.
        max_norm: Largest norm of a unit's incoming weights in training, if there is one.
    """

    sizes: dict[str, Any]
    max_norm: float | None

    def standardise_by(self, x: Tensor) -> None:
        """Take shift and scale of the inputs from training events ``(n, features)``."""
        raise NotImplementedError

    def embed(self, x: Tensor) -> Tensor:
        """Return embeddings ``(..., n_embedding)`` of events ``(..., features)``."""
        raise NotImplementedError

    def compare(self, first: Tensor, second: Tensor) -> Tensor:
        """Return log odds ``(n,)`` that two events, embeddings ``(n, n_embedding)``, agree."""
        raise NotImplementedError

    def forward(self, pairs: Tensor) -> Tensor:
        """Return log odds ``(n,)`` that both events of pairs ``(n, 2, features)`` agree."""
        return self.compare(*self.embed(pairs).unbind(1))


class FeaturePairNet(PairNet):
    """Dense network for features of two events, that of the ECO hunt.

    As published the order of the two events matters, although it means nothing. A symmetric one
    returns the mean of the log odds of both orders. In training it learns from one order at a
    time: that takes half the time, and its errors in the two orders are then less alike.

    Args:
        features: Number of features of an event.
        hidden_features: Width of the hidden layers.
        layers: Number of hidden layers.
        batch_norm: Whether hidden layers are normalised.
        symmetric: Whether to average over both orders.
        max_norm: Largest norm of a unit's incoming weights; none by default.
    """

    def __init__(
        self,
        features: int,
        hidden_features: int = 64,
        layers: int = 4,
        *,
        batch_norm: bool = True,
        symmetric: bool = True,
        max_norm: float | None = None,
    ) -> None:
        super().__init__()
        self.sizes = {
            "features": features,
            "hidden_features": hidden_features,
            "layers": layers,
            "batch_norm": batch_norm,
            "symmetric": symmetric,
            "max_norm": max_norm,
        }
        self.symmetric, self.max_norm = symmetric, max_norm
        self.standardise = Standardiser(features)
        self.first = nn.Linear(2 * features, hidden_features)
        self.rest = nn.Sequential(
            *activations(hidden_features, batch_norm=batch_norm),
            *to_logit(layers * [hidden_features], batch_norm=batch_norm),
        )

    def standardise_by(self, x: Tensor) -> None:
        """Take shift and scale of the inputs from training events ``(n, features)``."""
        self.standardise.standardise_by(x)

    def embed(self, x: Tensor) -> Tensor:
        """Return what the first layer makes of events, as the first and as the second of a pair."""
        both = torch.cat(self.first.weight.chunk(2, dim=1))
        bias = torch.cat([self.first.bias, torch.zeros_like(self.first.bias)])
        return functional.linear(self.standardise(x), both, bias)

    def compare(self, first: Tensor, second: Tensor) -> Tensor:
        """Return log odds ``(n,)`` that two events, embeddings ``(n, n_embedding)``, agree."""
        (first_1, first_2), (second_1, second_2) = first.chunk(2, -1), second.chunk(2, -1)
        if self.training or not self.symmetric:
            return self.rest(first_1 + second_2)
        hidden = torch.cat([first_1 + second_2, second_1 + first_2])
        return self.rest(hidden).view(2, len(first)).mean(0)


class PosteriorPairNet(PairNet):
    r"""Convolutional network for posteriors of two events, that of the EPO hunt.

    Its input are log ratios :math:`\ln r` of posterior and prior on a grid, made to heights
    :math:`\max(\ln r, \text{floor}) - \text{floor}`. Convolutions whose channels are the grid
    points act on either event alone, then the larger of both numbers is taken, channel by channel;
    so the order of events does not matter.

    Args:
        features: Number of grid points.
        channels: Channels of the convolutions.
        hidden_features: Width of the hidden layers.
        layers: Number of hidden layers.
        floor: Least log ratio. The published one is that of log densities in log10 mass, -3 in
            the code and -4 in the paper: log ratios for that flat prior of length 1.653 are larger
            by ln 1.653 = 0.503.
        scaling: What heights are divided by: the largest one of both events in "pair", as
            published, of all training events in "common". In the latter case convolutions need
            not be repeated for each pair of an event.
        max_norm: Largest norm of a unit's incoming weights; none by default.

    Raises:
        ValueError: If the scaling is not known.
    """

    top: Tensor

    def __init__(
        self,
        features: int,
        channels: Sequence[int] = (64, 64, 128),
        hidden_features: int = 64,
        layers: int = 4,
        *,
        floor: float = -2.5,
        scaling: Scaling = "pair",
        max_norm: float | None = None,
    ) -> None:
        super().__init__()
        if scaling not in ("pair", "common"):
            msg = f"scaling is {scaling!r}, but must be 'pair' or 'common'"
            raise ValueError(msg)
        self.sizes = {
            "features": features,
            "channels": list(channels),
            "hidden_features": hidden_features,
            "layers": layers,
            "floor": floor,
            "scaling": scaling,
            "max_norm": max_norm,
        }
        self.floor, self.scaling, self.max_norm = floor, scaling, max_norm
        self.register_buffer("top", torch.ones(()))
        self.first = nn.Linear(features, channels[0])
        later = [part for pair in pairwise(channels) for part in (nn.Linear(*pair), nn.ReLU())]
        self.convolve = nn.Sequential(nn.ReLU(), *later)
        widths = [channels[-1], *layers * [hidden_features]]
        self.rest = to_logit(widths, batch_norm=False)

    def standardise_by(self, x: Tensor) -> None:
        """Take the largest height from training events ``(n, features)``."""
        self.top.copy_(_positive(self._heights(x).amax()))

    def embed(self, x: Tensor) -> Tensor:
        """Return what convolutions make of events; in "pair", the first one and the height."""
        heights = self._heights(x)
        if self.scaling == "common":
            return self.convolve(self.first(heights / self.top))
        linear = functional.linear(heights, self.first.weight)
        return torch.cat([linear, heights.amax(-1, keepdim=True)], -1)

    def compare(self, first: Tensor, second: Tensor) -> Tensor:
        """Return log odds ``(n,)`` that two events, embeddings ``(n, n_embedding)``, agree."""
        if self.scaling == "common":
            return self.rest(torch.maximum(first, second))
        both = torch.stack([first, second])
        scale = _positive(both[..., -1:].amax(0))
        convolved = self.convolve(both[..., :-1] / scale + self.first.bias)
        return self.rest(convolved.amax(0))

    def _heights(self, log_ratio: Tensor) -> Tensor:
        """Return how far log ratios are above the floor."""
        return log_ratio.clamp_min(self.floor) - self.floor


ARCHITECTURES: dict[str, Callable[..., PairNet]] = {
    "features": FeaturePairNet,
    "posteriors": PosteriorPairNet,
}


def build_pair_network(architecture: str, **sizes: Any) -> PairNet:  # noqa: ANN401
    """Return an untrained network.

    Args:
        architecture: Name in :data:`ARCHITECTURES`: by what it compares events.
        **sizes: Its arguments.

    Raises:
        ValueError: If the architecture is not known.
    """
    if architecture not in ARCHITECTURES:
        near = suggest(architecture, ARCHITECTURES)
        msg = f"architecture {architecture!r} is not known{near}: choose from {[*ARCHITECTURES]}"
        raise ValueError(msg)
    return ARCHITECTURES[architecture](**sizes)


@torch.no_grad()
def pair_logits(network: PairNet, x: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return log odds that two events agree, for all pairs of each toy.

    Where the network is not symmetric, as published, the event that comes first in the toy comes
    first in the pair.

    Args:
        network: Trained network.
        x: Features or log ratios of events, shape ``(n_toys, n_events, features)``.
        mask: Which events there are, shape ``(n_toys, n_events)``; all by default.

    Returns:
        Symmetric matrices on the device of ``x``, single precision, shape
        ``(n_toys, n_events, n_events)``: :data:`~bumpflow.compatibility.pairs.LOG_FLOOR` on the
        diagonal and for events that are not there.

    Raises:
        ValueError: If log odds are NaN, as an input is.
    """
    n_toys, n_events = x.shape[:2]
    if mask is None:
        mask = torch.ones(n_toys, n_events, dtype=torch.bool, device=x.device)
    network.eval()
    device = next(network.parameters()).device
    size = CHUNK if device.type == "cpu" else DEVICE_CHUNK
    n_rows = max(1, size // max(1, n_events * (n_events - 1) // 2))
    logits = torch.full((n_toys, n_events, n_events), LOG_FLOOR, device=x.device)

    def store(rows: slice) -> None:
        found, values, there = logits[rows], x[rows], mask[rows]
        pairs = (there[:, :, None] & there[:, None]).triu(1).nonzero(as_tuple=True)
        toy, first, second = (index.to(device) for index in pairs)
        embedding = network.embed(values.float().to(device))
        compared = network.compare(embedding[toy, first], embedding[toy, second]).to(x.device)
        toy, first, second = pairs
        found[toy, first, second] = found[toy, second, first] = compared

    for _ in in_chunks(store, n_toys, n_rows):
        pass
    _check_numbers(logits)
    return logits


def _positive(height: Tensor) -> Tensor:
    """Return heights, 1 in place of 0: they divide what is 0 as well."""
    return torch.where(height > 0, height, 1.0)


def _check_numbers(logits: Tensor) -> None:
    """Raise if log odds are not numbers."""
    wrong = torch.isnan(logits)
    if bool(wrong.any()):
        toy, first, second = wrong.nonzero()[0].tolist()
        msg = (
            f"log odds of events {first} and {second} of toy {toy} are NaN: look at their features"
            " or posteriors, which must be numbers"
        )
        raise ValueError(msg)
