"""Builders of the density models, by family name."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from zuko.lazy import LazyTransform
from zuko.transforms import MonotonicAffineTransform, MonotonicRQSTransform

from bumpflow.flows.base import AutoregressiveMixture, FlowDensity, StandardNormal
from bumpflow.flows.box import AutoregressiveBox
from bumpflow.flows.masked import NetSizes
from bumpflow.flows.transforms import (
    AffineCoupling,
    LUMixing,
    MaskedAutoregressive,
    Normalisation,
    normalise,
)

SPLINE_BOUND = 5.0
DEFAULT = NetSizes()


def mademog(
    features: int, context: int = 0, *, components: int = 8, sizes: NetSizes = DEFAULT
) -> nn.Module:
    """Return a residual MADE with a mixture of Gaussians per feature."""
    return AutoregressiveMixture(features, context, components=components, sizes=sizes)


def maf(
    features: int,
    context: int = 0,
    *,
    transforms: int = 5,
    normalisation: Normalisation = "batch",
    sizes: NetSizes = DEFAULT,
) -> nn.Module:
    """Return a masked autoregressive flow of affine steps with normalisation and LU mixing."""
    steps = _affine_steps(
        features, context, transforms=transforms, normalisation=normalisation, sizes=sizes
    )
    return FlowDensity([*steps, *normalise(features, normalisation)], StandardNormal(features))


def mafmademog(
    features: int,
    context: int = 0,
    *,
    transforms: int = 5,
    components: int = 8,
    normalisation: Normalisation = "batch",
    sizes: NetSizes = DEFAULT,
) -> nn.Module:
    """Return a masked autoregressive flow whose base density is a MADEMOG."""
    steps = _affine_steps(
        features, context, transforms=transforms, normalisation=normalisation, sizes=sizes
    )
    base = AutoregressiveMixture(features, context, components=components, sizes=sizes)
    return FlowDensity(steps, base)


def rqs(
    features: int,
    context: int = 0,
    *,
    transforms: int = 3,
    bins: int = 8,
    normalisation: Normalisation = "batch",
    sizes: NetSizes = DEFAULT,
) -> nn.Module:
    """Return an autoregressive flow of rational quadratic splines with linear tails.

    References:
        Durkan et al. (2019), https://arxiv.org/abs/1906.04032
    """
    shapes = [(bins,), (bins,), (bins - 1,)]
    steps: list[LazyTransform] = []
    for index in range(transforms):
        if index:
            steps += [*normalise(features, normalisation), LUMixing(features)]
        steps.append(
            MaskedAutoregressive(features, context, univariate=_spline, shapes=shapes, sizes=sizes)
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


def box(
    features: int, context: int = 0, *, knots: int = 16, sizes: NetSizes = DEFAULT
) -> nn.Module:
    """Return a residual MADE with a polygon on a shifted unit interval per feature."""
    return AutoregressiveBox(features, context, knots=knots, sizes=sizes)


FAMILIES: dict[str, Callable[..., nn.Module]] = {
    "mademog": mademog,
    "maf": maf,
    "mafmademog": mafmademog,
    "rqs": rqs,
    "glow": glow,
    "realnvp": realnvp,
    "box": box,
}
COUPLINGS = ("glow", "realnvp")
ON_UNIT_BOX = ("box",)


def build_flow(family: str, features: int, context: int, sizes: Mapping[str, Any]) -> nn.Module:
    """Return an untrained density of normalised features.

    Args:
        family: Key of :data:`FAMILIES`.
        features: Number of features.
        context: Number of context features.
        sizes: The family's own keywords and, of families with masked networks, those of
            :class:`bumpflow.flows.masked.NetSizes`, side by side.

    Raises:
        ValueError: If the family takes no such size, or not so few features.
    """
    if features < 2 and family in COUPLINGS:
        msg = f"models: family {family!r} needs at least 2 features: it couples two halves"
        raise ValueError(msg)
    own = dict(sizes)
    if family not in COUPLINGS:
        network = {name: own.pop(name) for name in NetSizes._fields if name in own}
        own["sizes"] = NetSizes(**network)
    try:
        return FAMILIES[family](features, context, **own)
    except TypeError as error:
        msg = f"models: family {family!r}: {error}"
        raise ValueError(msg) from error


def _affine_steps(
    features: int,
    context: int,
    *,
    transforms: int,
    normalisation: Normalisation,
    sizes: NetSizes,
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
                sizes=sizes,
            )
        )
        steps += [*normalise(features, normalisation), LUMixing(features)]
    return steps


def _spline(widths: torch.Tensor, heights: torch.Tensor, slopes: torch.Tensor) -> Any:  # noqa: ANN401
    return MonotonicRQSTransform(widths, heights, slopes, bound=SPLINE_BOUND)
