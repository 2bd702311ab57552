"""Base densities, and their composition with invertible steps."""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from zuko.lazy import LazyComposedTransform, LazyTransform

from bumpflow.flows.masked import MaskedResidualNet, NetSizes

LOG_ROOT_2PI = 0.5 * math.log(2 * math.pi)
MIN_STD = 1e-4


class Flow(Protocol):
    """What every density of normalised features can do."""

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the log density, shape ``(n,)``, of ``z (n, features)``."""
        ...

    def noise(self, n: int, generator: Generator | None = None) -> Tensor:
        """Return random numbers for ``n`` draws, shape ``(n, k)``."""
        ...

    def from_noise(self, noise: Tensor, context: Tensor | None = None) -> Tensor:
        """Return draws, shape ``(n, features)``, one per row of ``context`` if given.

        Args:
            noise: Some rows from :meth:`noise`.
            context: Context features, shape ``(n, context)``.
        """
        ...

    def sample(
        self, n: int, context: Tensor | None = None, *, generator: Generator | None = None
    ) -> Tensor:
        """Return ``n`` draws, shape ``(n, features)``, one per row of ``context`` if given."""
        return self.from_noise(self.noise(n, generator), context)


class StandardNormal(nn.Module, Flow):
    """Independent standard normal features."""

    anchor: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features
        self.register_buffer("anchor", torch.zeros(()), persistent=False)

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Return the log density, shape ``(n,)``, of ``z (n, features)``."""
        return -0.5 * z.square().sum(-1) - self.features * LOG_ROOT_2PI

    def noise(self, n: int, generator: Generator | None = None) -> Tensor:
        """Return standard normal numbers, shape ``(n, features)``."""
        return torch.randn(n, self.features, generator=generator, device=self.anchor.device)

    def from_noise(self, noise: Tensor, context: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Return the noise itself."""
        return noise


class AutoregressiveMixture(nn.Module, Flow):
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
        sizes: NetSizes = NetSizes(),  # noqa: B008  (immutable)
    ) -> None:
        """Build the density.

        Args:
            features: Number of features.
            context: Number of context features.
            components: Gaussians per conditional.
            sizes: Sizes of its network.
        """
        super().__init__()
        self.components = components
        self.hyper = MaskedResidualNet(
            features,
            context,
            outputs=3 * components,
            sizes=sizes,
        )
        nn.init.uniform_(self.hyper.final.weight, -1e-2, 1e-2)
        self._spread_components()

    def _spread_components(self) -> None:
        """Start from components spread over the normal's bulk, near its density."""
        bias = self.hyper.final.bias.data.view(-1, 3, self.components)
        bias.zero_()
        bias[:, 1] = torch.linspace(-1.5, 1.5, self.components) if self.components > 1 else 0.0
        bias[:, 2] = math.log(math.expm1(0.7))

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the log density, shape ``(n,)``, of ``z (n, features)``."""
        conditionals: Tensor = _MixtureLogProb.apply(z, self.hyper(z, context))
        return conditionals.sum(-1)

    def noise(self, n: int, generator: Generator | None = None) -> Tensor:
        """Return normal, then uniform numbers for ``n`` draws, shape ``(n, 2 * features)``."""
        shape, device = (self.hyper.features, n), self.hyper.final.bias.device
        normal = torch.randn(shape, generator=generator, device=device)
        uniform = torch.rand(shape, generator=generator, device=device)
        return torch.cat([normal, uniform]).T

    def from_noise(self, noise: Tensor, context: Tensor | None = None) -> Tensor:
        """Return draws, shape ``(n, features)``, one per row of ``context`` if given."""
        normal, uniform = noise.T.chunk(2)
        z = torch.zeros_like(normal)
        for feature, parameters in enumerate(self.hyper.feature_by_feature(z, context)):
            logits, means, raw = parameters.chunk(3, dim=-1)
            cumulative = F.softmax(logits, dim=-1).cumsum(-1)
            chosen = (uniform[feature][:, None] > cumulative[:, :-1]).sum(-1, keepdim=True)
            std = F.softplus(raw.gather(-1, chosen)[:, 0]) + MIN_STD
            z[feature] = means.gather(-1, chosen)[:, 0] + std * normal[feature]
        return z.T


class _MixtureLogProb(torch.autograd.Function):
    """Log density of a Gaussian mixture, with its gradient in closed form.

    The gradient follows from the components' responsibilities; letting autograd retrace the
    sum of exponentials costs about twice the time and memory.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, parameters: Tensor) -> Tensor:  # noqa: ANN401
        """Return log densities, shape of ``z (..., )``, for ``parameters (..., 3 components)``.

        The parameters are logits of weights, means, and raw standard deviations, which a
        softplus makes positive.
        """
        logits, means, raw = parameters.float().chunk(3, dim=-1)
        stds = F.softplus(raw).add_(MIN_STD)
        pulls = (z[..., None] - means).div_(stds)
        terms = pulls.square().mul_(-0.5).sub_(stds.log()).add_(logits)
        log_sum, log_norm = terms.logsumexp(-1), logits.logsumexp(-1)
        ctx.save_for_backward(parameters, stds, pulls, terms, log_sum, log_norm)
        return log_sum - log_norm - LOG_ROOT_2PI

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        """Return the gradients with respect to ``z`` and ``parameters``."""
        parameters, stds, pulls, terms, log_sum, log_norm = ctx.saved_tensors
        grad = grads[0][..., None]
        logits, _, raw = parameters.float().chunk(3, dim=-1)
        share = (terms - log_sum[..., None]).exp_().mul_(grad)
        weight = (logits - log_norm[..., None]).exp_().mul_(grad)
        by_std = share / stds
        out = torch.empty(parameters.shape, dtype=torch.float32, device=parameters.device)
        d_logits, d_means, d_raw = out.chunk(3, dim=-1)
        torch.sub(share, weight, out=d_logits)
        torch.mul(by_std, pulls, out=d_means)
        d_z = -d_means.sum(-1)
        torch.mul(by_std, pulls.square().sub_(1.0).mul_(torch.sigmoid(raw)), out=d_raw)
        return d_z, out.to(parameters.dtype)


class FlowDensity(nn.Module, Flow):
    """Density of features that invertible steps turn into draws of a base density."""

    def __init__(self, transforms: Sequence[LazyTransform], base: Flow) -> None:
        """Compose ``transforms``, from features towards the base, with ``base``."""
        super().__init__()
        self.transform = LazyComposedTransform(*transforms)
        self.base = base

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the log density, shape ``(n,)``, of ``z (n, features)``."""
        latent, ladj = self.transform(context).call_and_ladj(z)
        return self.base.log_prob(latent, context) + ladj

    def noise(self, n: int, generator: Generator | None = None) -> Tensor:
        """Return the base density's random numbers for ``n`` draws, shape ``(n, k)``."""
        return self.base.noise(n, generator)

    def from_noise(self, noise: Tensor, context: Tensor | None = None) -> Tensor:
        """Return draws, shape ``(n, features)``, one per row of ``context`` if given."""
        latent = self.base.from_noise(noise, context)
        return self.transform(context).inv(latent)
