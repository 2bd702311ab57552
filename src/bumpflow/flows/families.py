"""Builders of the density models, by family name."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from zuko.lazy import LazyTransform
from zuko.transforms import MonotonicAffineTransform, MonotonicRQSTransform

from bumpflow.flows.base import AutoregressiveMixture, FlowDensity, StandardNormal
from bumpflow.flows.transforms import (
    AffineCoupling,
    LUMixing,
    MaskedAutoregressive,
    Normalisation,
    normalise,
)

SPLINE_BOUND = 5.0


def mademog(
    features: int,
    context: int = 0,
    *,
    hidden_features: int = 64,
    blocks: int = 2,
    components: int = 8,
    activation: str = "gelu",
    dropout: float = 0.0,
) -> nn.Module:
    """Return a residual MADE with a mixture of Gaussians per feature."""
    return AutoregressiveMixture(
        features,
        context,
        components=components,
        hidden_features=hidden_features,
        blocks=blocks,
        activation=activation,
        dropout=dropout,
    )


def maf(
    features: int,
    context: int = 0,
    *,
    transforms: int = 5,
    hidden_features: int = 64,
    blocks: int = 1,
    activation: str = "relu",
    dropout: float = 0.0,
    normalisation: Normalisation = "batch",
) -> nn.Module:
    """Return a masked autoregressive flow of affine steps with normalisation and LU mixing."""
    steps = _affine_steps(
        features,
        context,
        transforms=transforms,
        hidden_features=hidden_features,
        blocks=blocks,
        activation=activation,
        dropout=dropout,
        normalisation=normalisation,
    )
    return FlowDensity([*steps, *normalise(features, normalisation)], StandardNormal(features))


def mafmademog(
    features: int,
    context: int = 0,
    *,
    transforms: int = 5,
    hidden_features: int = 64,
    blocks: int = 1,
    components: int = 8,
    activation: str = "relu",
    dropout: float = 0.0,
    normalisation: Normalisation = "batch",
) -> nn.Module:
    """Return a masked autoregressive flow whose base density is a MADEMOG."""
    steps = _affine_steps(
        features,
        context,
        transforms=transforms,
        hidden_features=hidden_features,
        blocks=blocks,
        activation=activation,
        dropout=dropout,
        normalisation=normalisation,
    )
    base = AutoregressiveMixture(
        features,
        context,
        components=components,
        hidden_features=hidden_features,
        blocks=max(blocks, 1),
        activation=activation,
        dropout=dropout,
    )
    return FlowDensity(steps, base)


def rqs(
    features: int,
    context: int = 0,
    *,
    transforms: int = 3,
    bins: int = 8,
    hidden_features: int = 64,
    blocks: int = 1,
    activation: str = "relu",
    dropout: float = 0.0,
    normalisation: Normalisation = "batch",
) -> nn.Module:
    """Return an autoregressive flow of rational quadratic splines with linear tails.

    References:
        Durkan et al. (2019), https://arxiv.org/abs/1906.04032
    """
    steps: list[LazyTransform] = []
    for index in range(transforms):
        if index:
            steps += [*normalise(features, normalisation), LUMixing(features)]
        steps.append(
            MaskedAutoregressive(
                features,
                context,
                univariate=_spline,
                shapes=[(bins,), (bins,), (bins - 1,)],
                hidden_features=hidden_features,
                blocks=blocks,
                activation=activation,
                dropout=dropout,
            )
        )
    return FlowDensity([*steps, *normalise(features, normalisation)], StandardNormal(features))


def glow(
    features: int,
    context: int = 0,
    *,
    transforms: int = 6,
    hidden_features: int = 64,
    layers: int = 2,
    activation: str = "relu",
    normalisation: Normalisation = "activation",
) -> nn.Module:
    """Return affine couplings, each after a normalisation and an LU mixing.

    References:
        Kingma, Dhariwal (2018), https://arxiv.org/abs/1807.03039
    """
    steps: list[LazyTransform] = []
    for _ in range(transforms):
        steps += [*normalise(features, normalisation), LUMixing(features)]
        steps.append(
            AffineCoupling(
                features,
                context,
                hidden_features=hidden_features,
                layers=layers,
                activation=activation,
            )
        )
    return FlowDensity(steps, StandardNormal(features))


def realnvp(
    features: int,
    context: int = 0,
    *,
    transforms: int = 6,
    hidden_features: int = 64,
    layers: int = 2,
    activation: str = "relu",
    normalisation: Normalisation = "batch",
) -> nn.Module:
    """Return affine couplings of shuffled features with a normalisation after each.

    References:
        Dinh et al. (2017), https://arxiv.org/abs/1605.08803
    """
    steps: list[LazyTransform] = []
    for _ in range(transforms):
        steps.append(
            AffineCoupling(
                features,
                context,
                shuffle=True,
                hidden_features=hidden_features,
                layers=layers,
                activation=activation,
            )
        )
        steps += normalise(features, normalisation)
    return FlowDensity(steps, StandardNormal(features))


FAMILIES: dict[str, Callable[..., nn.Module]] = {
    "mademog": mademog,
    "maf": maf,
    "mafmademog": mafmademog,
    "rqs": rqs,
    "glow": glow,
    "realnvp": realnvp,
}


COUPLINGS = ("glow", "realnvp")


def build_flow(family: str, features: int, context: int, sizes: Mapping[str, Any]) -> nn.Module:
    """Return an untrained density of normalised features.

    Args:
        family: Key of :data:`FAMILIES`.
        features: Number of features.
        context: Number of context features.
        sizes: The family's own keywords, such as ``hidden_features``.

    Raises:
        ValueError: If the family takes no such size, or not so few features.
    """
    if features < 2 and family in COUPLINGS:
        msg = f"models: family {family!r} needs at least 2 features: it couples two halves"
        raise ValueError(msg)
    try:
        return FAMILIES[family](features, context, **sizes)
    except TypeError as error:
        msg = f"models: family {family!r}: {error}"
        raise ValueError(msg) from error


def _affine_steps(
    features: int,
    context: int,
    *,
    transforms: int,
    normalisation: Normalisation,
    **sizes: Any,  # noqa: ANN401
) -> list[LazyTransform]:
    """Return affine autoregressive steps with normalisation and LU mixing after each."""
    steps: list[LazyTransform] = []
    for _ in range(transforms):
        steps.append(
            MaskedAutoregressive(
                features,
                context,
                univariate=MonotonicAffineTransform,
                shapes=[(), ()],
                **sizes,
            )
        )
        steps += [*normalise(features, normalisation), LUMixing(features)]
    return steps


def _spline(widths: torch.Tensor, heights: torch.Tensor, slopes: torch.Tensor) -> Any:  # noqa: ANN401
    return MonotonicRQSTransform(widths, heights, slopes, bound=SPLINE_BOUND)
