"""Masked residual networks: the conditionals of every autoregressive model."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from zuko.nn import MaskedLinear

STEP_ROWS = 128
MAX_STEPS = 4
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "elu": nn.ELU,
}


class NetSizes(NamedTuple):
    """Sizes of a masked residual network.

    Attributes:
        hidden_features: Units per hidden layer.
        blocks: Residual blocks of two layers each.
        activation: Key of :data:`ACTIVATIONS`.
        dropout: Share of the units inside blocks that training leaves out.
    """

    hidden_features: int = 64
    blocks: int = 1
    activation: str = "relu"
    dropout: float = 0.0


class SortedMaskedLinear(MaskedLinear):
    """Masked layer whose rows see ever longer prefixes of its input.

    The upper right of such a matrix is empty; leaving it out of the product, in steps, saves
    up to half of the work. The mask follows from the sizes, so it is not stored with the
    weights; as a float, it multiplies them without a conversion.
    """

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask)
        self.register_buffer("mask", mask.to(self.weight.dtype), persistent=False)
        rows = len(mask)
        n_steps = max(1, min(MAX_STEPS, rows // STEP_ROWS))
        starts = [rows * step // n_steps for step in range(n_steps + 1)]
        prefixes = [_last_seen(mask[start:end]) for start, end in pairwise(starts)]
        self.steps = [
            (*piece, prefix) for piece, prefix in zip(pairwise(starts), prefixes, strict=True)
        ]

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output, shape ``(n, out_features)``."""
        weight = self.mask * self.weight
        if len(self.steps) == 1:
            return F.linear(x, weight, self.bias)
        pieces = [
            F.linear(x[:, :prefix], weight[start:end, :prefix], self.bias[start:end])
            for start, end, prefix in self.steps
        ]
        return torch.cat(pieces, dim=-1)


def _last_seen(mask: Tensor) -> int:
    """Return how many columns there are up to the last that any row sees."""
    seen = mask.any(0).nonzero()
    return int(seen[-1]) + 1 if len(seen) else 0


class MaskedBlock(nn.Module):
    """Residual block of two masked layers, each behind its activation."""

    def __init__(self, mask: Tensor, *, activation: str, dropout: float) -> None:
        super().__init__()
        self.first = SortedMaskedLinear(mask)
        self.second = SortedMaskedLinear(mask)
        nn.init.uniform_(self.second.weight, -1e-3, 1e-3)
        nn.init.zeros_(self.second.bias)
        self.activation = ACTIVATIONS[activation]()
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the hidden units, shape ``(n, hidden_features)``, plus a correction."""
        inner = self.dropout(self.activation(self.first(self.activation(hidden))))
        return hidden + self.second(inner)


class MaskedResidualNet(nn.Module):
    r"""Residual MADE: parameters of :math:`p(x_i | x_{<i}, c)` for all features at once.

    Hidden units are sorted by their degree, the number of features that they see, so that the
    units that a further feature brings in are adjacent. Sampling relies on it: each unit is
    computed once, not once per feature.

    References:
        Germain et al. (2015), https://arxiv.org/abs/1502.03509;
        Nash, Durkan (2019), https://arxiv.org/abs/1904.05626
    """

    def __init__(
        self,
        features: int,
        context: int = 0,
        *,
        outputs: int,
        sizes: NetSizes = NetSizes(),  # noqa: B008  (immutable)
    ) -> None:
        """Build the network.

        Args:
            features: Number of features.
            context: Number of context features, which every conditional sees.
            outputs: Parameters per conditional.
            sizes: Sizes of the network.

        Raises:
            ValueError: If there are too few hidden units for one of each degree.
        """
        super().__init__()
        hidden_features = sizes.hidden_features
        lowest = 0 if context else min(1, features - 1)
        degrees_needed = max(features - lowest, 1)
        if hidden_features < degrees_needed:
            msg = f"hidden_features: {hidden_features} units cannot serve {features} features"
            raise ValueError(msg)
        self.features, self.context, self.outputs = features, context, outputs
        degrees = lowest + torch.arange(hidden_features) * degrees_needed // hidden_features
        seen = torch.cat([torch.arange(1, features + 1), torch.zeros(context, dtype=torch.long)])
        self.ends = torch.bincount(degrees, minlength=features).cumsum(0)[:features].tolist()
        self.initial = SortedMaskedLinear(degrees[:, None] >= seen)
        mask = degrees[:, None] >= degrees
        self.blocks = nn.ModuleList(
            MaskedBlock(mask, activation=sizes.activation, dropout=sizes.dropout)
            for _ in range(sizes.blocks)
        )
        final = torch.arange(features).repeat_interleave(outputs)[:, None] >= degrees
        self.final = SortedMaskedLinear(final)
        self.activation = ACTIVATIONS[sizes.activation]()

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return parameters, shape ``(n, features, outputs)``, of ``x (n, features)``."""
        hidden = self.initial(x if context is None else torch.cat([x, context], dim=-1))
        for block in self.blocks:
            hidden = block(hidden)
        parameters = self.final(self.activation(hidden)).float()
        return parameters.unflatten(-1, (self.features, self.outputs))

    def _layers(self) -> list[SortedMaskedLinear]:
        """Return the layers in their order, without the last."""
        inner = [layer for block in self.blocks for layer in (block.first, block.second)]
        return [self.initial, *cast("list[SortedMaskedLinear]", inner)]

    def feature_by_feature(self, x: Tensor, context: Tensor | None = None) -> Iterator[Tensor]:
        """Yield the parameters of one feature after the other, as ``x`` is filled in.

        Between two yields the caller writes the feature just drawn into its row of ``x``.
        Only units that the new feature brings in are computed, so that all features together
        cost one pass through the network, not one pass each.

        Args:
            x: Features, shape ``(features, n)``; row ``i`` is read after the ``i``-th yield.
            context: Context, shape ``(n, context)``.

        Yields:
            Parameters of the next feature, shape ``(n, outputs)``.
        """
        layers = self._layers()
        weights = [layer.mask * layer.weight for layer in layers]
        biases = [layer.bias[:, None] for layer in layers]
        final = (self.final.mask * self.final.weight).unflatten(0, (self.features, self.outputs))
        final_bias = self.final.bias.unflatten(0, (self.features, self.outputs))
        states = [x.new_empty(len(weights[0]), x.shape[1]) for _ in layers]
        by_context = None if context is None else weights[0][:, self.features :] @ context.T
        start = 0
        for feature, end in enumerate(self.ends):
            if end > start:
                new = slice(start, end)
                hidden = weights[0][new, :feature] @ x[:feature] + biases[0][new]
                if by_context is not None:
                    hidden = hidden + by_context[new]
                states[0][new] = self.activation(hidden)
                for index in range(1, len(layers), 2):
                    inner = torch.addmm(
                        biases[index][new], weights[index][new, :end], states[index - 1][:end]
                    )
                    states[index][new] = self.activation(inner)
                    hidden = hidden + torch.addmm(
                        biases[index + 1][new], weights[index + 1][new, :end], states[index][:end]
                    )
                    states[index + 1][new] = self.activation(hidden)
                start = end
            yield F.linear(states[-1][:end].T, final[feature, :, :end], final_bias[feature])
