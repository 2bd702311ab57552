"""Base densities, and their composition with invertible steps."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from zuko.lazy import LazyComposedTransform, LazyTransform

from bumpflow.flows.masked import MaskedResidualNet

LOG_ROOT_2PI = 0.5 * math.log(2 * math.pi)
MIN_STD = 1e-4


class StandardNormal(nn.Module):
    """Independent standard normal features."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features
        self.register_buffer("anchor", torch.zeros(()), persistent=False)

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Return the log density, shape ``(n,)``, of ``z (n, features)``."""
        return -0.5 * z.square().sum(-1) - self.features * LOG_ROOT_2PI

    def sample(
        self,
        n: int,
        context: Tensor | None = None,  # noqa: ARG002
        *,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return ``n`` draws, shape ``(n, features)``."""
        return torch.randn(n, self.features, generator=generator, device=self.anchor.device)


class AutoregressiveMixture(nn.Module):
    r"""MADEMOG: each conditional :math:`p(x_i | x_{<i}, c)` is a mixture of Gaussians.

    References:
        Uria et al. (2014), https://arxiv.org/abs/1306.0186;
        Papamakarios et al. (2017), https://arxiv.org/abs/1705.07057
    """

    def __init__(
        self,
        features: int,
        context: int = 0,
        *,
        components: int = 8,
        hidden_features: int = 64,
        blocks: int = 2,
        activation: str = "relu",
        dropout: float = 0.0,
    ) -> None:
        """Build the density.

        Args:
            features: Number of features.
            context: Number of context features.
            components: Gaussians per conditional.
            hidden_features: Units per hidden layer.
            blocks: Residual blocks of two layers each.
            activation: Key of :data:`bumpflow.flows.masked.ACTIVATIONS`.
            dropout: Share of units that training leaves out.
        """
        super().__init__()
        self.components = components
        self.hyper = MaskedResidualNet(
            features,
            context,
            outputs=3 * components,
            hidden_features=hidden_features,
            blocks=blocks,
            activation=activation,
            dropout=dropout,
        )
        nn.init.uniform_(self.hyper.final.weight, -1e-2, 1e-2)
        self._spread_components()

    def _spread_components(self) -> None:
        """Start from components spread over the normal's bulk, near its density."""
        bias = self.hyper.final.bias.data.view(-1, 3, self.components)
        bias.zero_()
        bias[:, 1] = torch.linspace(-1.5, 1.5, self.components) if self.components > 1 else 0.0
        bias[:, 2] = math.log(math.expm1(0.7))

    def _mixture(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return log weights, means and standard deviations, each ``(..., components)``."""
        logits, means, raw = parameters.chunk(3, dim=-1)
        return F.log_softmax(logits, dim=-1), means, F.softplus(raw) + MIN_STD

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the log density, shape ``(n,)``, of ``z (n, features)``."""
        log_weights, means, stds = self._mixture(self.hyper(z, context))
        pulls = (z[..., None] - means) / stds
        terms = log_weights - 0.5 * pulls.square() - stds.log()
        return (torch.logsumexp(terms, dim=-1) - LOG_ROOT_2PI).sum(-1)

    def sample(
        self, n: int, context: Tensor | None = None, *, generator: Generator | None = None
    ) -> Tensor:
        """Return ``n`` draws, shape ``(n, features)``, one per row of ``context`` if given."""
        device = self.hyper.final.bias.device
        z = torch.zeros(self.hyper.features, n, device=device)
        normal = torch.randn(z.shape, generator=generator, device=device)
        uniform = torch.rand(z.shape, generator=generator, device=device)
        for feature, parameters in enumerate(self.hyper.feature_by_feature(z, context)):
            log_weights, means, stds = self._mixture(parameters)
            cumulative = log_weights.exp().cumsum(-1)
            chosen = (uniform[feature][:, None] > cumulative[:, :-1]).sum(-1, keepdim=True)
            mean, std = means.gather(-1, chosen)[:, 0], stds.gather(-1, chosen)[:, 0]
            z[feature] = mean + std * normal[feature]
        return z.T


class FlowDensity(nn.Module):
    """Density of features that invertible steps turn into draws of a base density."""

    def __init__(
        self, transforms: Sequence[LazyTransform], base: StandardNormal | AutoregressiveMixture
    ) -> None:
        """Compose ``transforms``, from features towards the base, with ``base``."""
        super().__init__()
        self.transform = LazyComposedTransform(*transforms)
        self.base = base

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the log density, shape ``(n,)``, of ``z (n, features)``."""
        latent, ladj = self.transform(context).call_and_ladj(z)
        return self.base.log_prob(latent, context) + ladj

    def sample(
        self, n: int, context: Tensor | None = None, *, generator: Generator | None = None
    ) -> Tensor:
        """Return ``n`` draws, shape ``(n, features)``, one per row of ``context`` if given."""
        latent = self.base.sample(n, context, generator=generator)
        return self.transform(context).inv(latent)
