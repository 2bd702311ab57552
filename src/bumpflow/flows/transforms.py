"""Invertible steps of flows, as lazy transformations in zuko's sense."""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Transform, constraints
from zuko.flows.coupling import GeneralCouplingTransform
from zuko.lazy import LazyTransform
from zuko.transforms import (
    AutoregressiveTransform,
    CouplingTransform,
    DependentTransform,
    LULinearTransform,
    MonotonicAffineTransform,
)
from zuko.utils import unpack

from bumpflow.flows.masked import ACTIVATIONS, MaskedResidualNet, NetSizes

Univariate = Callable[..., Transform]
Normalisation = Literal["batch", "activation", "none"]


class MaskedAutoregressive(LazyTransform):
    r"""Autoregressive step :math:`z_i = f(x_i; \theta(x_{<i}, c))`, fast in both directions.

    zuko's step of this kind inverts with one pass through its network per feature; this one
    visits each unit of its network once.

    References:
        Papamakarios et al. (2017), https://arxiv.org/abs/1705.07057
    """

    def __init__(
        self,
        features: int,
        context: int = 0,
        *,
        univariate: Univariate,
        shapes: Sequence[Sequence[int]],
        sizes: NetSizes = NetSizes(),  # noqa: B008  (immutable)
    ) -> None:
        """Build the step.

        Args:
            features: Number of features.
            context: Number of context features.
            univariate: Constructor of the monotonic function of one feature.
            shapes: Shapes of its parameters.
            sizes: Sizes of its network.
        """
        super().__init__()
        self.univariate = univariate
        self.shapes = [torch.Size(shape) for shape in shapes]
        self.hyper = MaskedResidualNet(
            features,
            context,
            outputs=sum(prod(shape) for shape in shapes),
            sizes=sizes,
        )
        nn.init.uniform_(self.hyper.final.weight, -1e-2, 1e-2)
        nn.init.zeros_(self.hyper.final.bias)

    def meta(self, context: Tensor | None, x: Tensor) -> Transform:
        """Return the step's function for the conditions that ``x`` sets."""
        return DependentTransform(self.one_feature(self.hyper(x, context)), 1)

    def one_feature(self, parameters: Tensor) -> Transform:
        """Return the monotonic function of parameters, shape ``(..., outputs)``."""
        return self.univariate(*unpack(parameters, self.shapes))

    def forward(self, c: Tensor | None = None) -> Transform:
        """Return the transformation under context ``c``, shape ``(n, context)``."""
        return _Autoregressive(self, c)


class _Autoregressive(AutoregressiveTransform):
    """Autoregressive transformation with an inverse that costs one network pass."""

    def __init__(self, lazy: MaskedAutoregressive, context: Tensor | None) -> None:
        super().__init__(partial(lazy.meta, context), lazy.hyper.features)
        self.lazy, self.context = lazy, context

    def _inverse(self, y: Tensor) -> Tensor:
        x = torch.zeros_like(y.T)
        steps = self.lazy.hyper.feature_by_feature(x, self.context)
        for feature, parameters in enumerate(steps):
            x[feature] = self.lazy.one_feature(parameters).inv(y[:, feature])
        return x.T


class LUMixing(LazyTransform):
    """A permutation, drawn once, then a learnt linear map that starts as the identity.

    References:
        Kingma, Dhariwal (2018), https://arxiv.org/abs/1807.03039
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.LU = nn.Parameter(torch.eye(features))
        self.register_buffer("order", torch.randperm(features))

    def forward(self, c: Tensor | None = None) -> Transform:  # noqa: ARG002
        """Return the transformation; it does not depend on the context."""
        return _Mixing(self.LU, self.order)


class _Mixing(LULinearTransform):
    """Permutation and linear map by its LU factors, as one matrix in each direction."""

    def __init__(self, LU: Tensor, order: Tensor) -> None:
        super().__init__(LU)
        self.order, self.inverse_order = order, torch.argsort(order)

    def _matrix(self) -> Tensor:
        return (self.L @ self.U)[:, self.inverse_order]

    def _call(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):  # features keep full precision
            return x.float() @ self._matrix().T

    def _inverse(self, y: Tensor) -> Tensor:
        return y @ torch.linalg.inv(self._matrix().double()).to(y.dtype).T


class AffineCoupling(GeneralCouplingTransform):
    r"""Affine coupling :math:`z_b = e^{s(x_a, c)} x_b + t(x_a, c)` of two halves.

    References:
        Dinh et al. (2017), https://arxiv.org/abs/1605.08803
    """

    def __init__(
        self,
        features: int,
        context: int = 0,
        *,
        shuffle: bool = False,
        hidden_features: int = 64,
        layers: int = 2,
        activation: str = "relu",
    ) -> None:
        """Build the step.

        Args:
            features: Number of features.
            context: Number of context features.
            shuffle: Whether the halves are drawn at random, instead of first and second.
            hidden_features: Units per hidden layer.
            layers: Hidden layers.
            activation: Key of :data:`bumpflow.flows.masked.ACTIVATIONS`.
        """
        super().__init__(
            features,
            context,
            mask=torch.arange(features) < features // 2,
            univariate=MonotonicAffineTransform,
            shapes=((), ()),
            hidden_features=[hidden_features] * layers,
            activation=partial(nn.ReLU, inplace=True)
            if activation == "relu"
            else ACTIVATIONS[activation],
        )
        order = torch.randperm(features) if shuffle else None
        self.register_buffer("order", order)
        self.register_buffer("inverse_order", None if order is None else torch.argsort(order))
        nn.init.uniform_(self.hyper[-1].weight, -1e-2, 1e-2)
        nn.init.zeros_(self.hyper[-1].bias)

    def meta(self, c: Tensor | None, x: Tensor) -> Transform:
        """Return the step's function for the half ``x (n, features // 2)``."""
        inputs = x if c is None else torch.cat([x, c], dim=-1)
        shift, scale = self.hyper(inputs).float().chunk(2, dim=-1)
        return DependentTransform(self.univariate(shift, scale), 1)

    def forward(self, c: Tensor | None = None) -> Transform:
        """Return the transformation under context ``c``, shape ``(n, context)``."""
        return _Coupling(self, c)


class _Coupling(CouplingTransform):
    """Coupling that splits by slices; zuko's gathers and scatters by index."""

    def __init__(self, lazy: AffineCoupling, context: Tensor | None) -> None:
        super(CouplingTransform, self).__init__()  # zuko's looks for the indices each time
        self.lazy, self.meta = lazy, partial(lazy.meta, context)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.lazy.order is not None:
            x = x.index_select(-1, self.lazy.order)
        half = x.shape[-1] // 2
        return x[..., :half], x[..., half:]

    def merge(self, x_a: Tensor, x_b: Tensor, shape: Sequence[int]) -> Tensor:  # noqa: ARG002
        x = torch.cat([x_a, x_b], dim=-1)
        if self.lazy.inverse_order is None:
            return x
        return x.index_select(-1, self.lazy.inverse_order)


class Normalise(LazyTransform):
    """Shift and scale each feature to mean 0 and variance 1.

    By ``"batch"``: statistics of the batch in training, their running means in evaluation.
    By ``"activation"``: parameters that start from the first batch's statistics and are learnt.

    References:
        Dinh et al. (2017), https://arxiv.org/abs/1605.08803;
        Kingma, Dhariwal (2018), https://arxiv.org/abs/1807.03039
    """

    def __init__(self, features: int, *, by: Literal["batch", "activation"]) -> None:
        super().__init__()
        self.by = by
        self.momentum, self.floor = 0.1, 1e-5
        self.register_buffer("started", torch.tensor(0.0))
        if by == "batch":
            self.register_buffer("mean", torch.zeros(features))
            self.register_buffer("log_std", torch.zeros(features))
        else:
            self.mean = nn.Parameter(torch.zeros(features))
            self.log_std = nn.Parameter(torch.zeros(features))

    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log standard deviation to use for ``x``, shape ``(n, features)``."""
        if not self.training or (self.by == "activation" and self.started > 0):
            return self.mean, self.log_std
        variance, mean = torch.var_mean(x, dim=0, correction=0)
        log_std = 0.5 * torch.log(variance + self.floor)
        with torch.no_grad():
            weight = torch.where(self.started > 0, self.momentum, 1.0)
            self.mean.lerp_(mean, weight)
            self.log_std.lerp_(log_std, weight)
            self.started.fill_(1.0)
        return (mean, log_std) if self.by == "batch" else (self.mean, self.log_std)

    def forward(self, c: Tensor | None = None) -> Transform:  # noqa: ARG002
        """Return the transformation; it does not depend on the context."""
        return _Normalisation(self)


class _Normalisation(Transform):
    """Affine transformation with the statistics of a :class:`Normalise`."""

    domain = constraints.real_vector
    codomain = constraints.real_vector
    bijective = True

    def __init__(self, lazy: Normalise) -> None:
        super().__init__()
        self.lazy = lazy

    def call_and_ladj(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the normalised features and the log of the Jacobian, shape ``(n,)``."""
        mean, log_std = self.lazy.statistics(x)
        return (x - mean) * torch.exp(-log_std), -log_std.sum().expand(x.shape[:-1])

    def _call(self, x: Tensor) -> Tensor:
        return self.call_and_ladj(x)[0]

    def _inverse(self, y: Tensor) -> Tensor:
        return y * torch.exp(self.lazy.log_std) + self.lazy.mean

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:  # noqa: ARG002
        return self.call_and_ladj(x)[1]


def normalise(features: int, by: Normalisation) -> list[LazyTransform]:
    """Return the normalisation step that a model asks for, if any."""
    return [] if by == "none" else [Normalise(features, by=by)]
