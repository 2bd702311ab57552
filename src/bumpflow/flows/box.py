"""Autoregressive densities of features on the unit box."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from bumpflow.flows.base import Flow
from bumpflow.flows.masked import MaskedResidualNet, NetSizes

FLOOR = 1e-6  # added to heights that add up to 1: no conditional vanishes inside the box
EDGE = 1e-7  # closer to 0 or 1 than this a density stays what it is there
MIN_SCALE = 1e-3
MAX_SHIFT = 8.0
START = 3.0  # of the raw scale: a scale of 0.95
LOGISTIC_STD = math.pi / math.sqrt(3)


class AutoregressiveBox(nn.Module, Flow):
    r"""Density on the unit box whose conditionals :math:`p(u_i | u_{<i}, c)` are polygons.

    A logistic shift :math:`v = \sigma((\mathrm{logit}(u_i) - \mu)/s)` of the unit interval
    follows the bulk of a conditional, so that a narrow one does not fall between knots; with
    :math:`s \leq 1` and :math:`|\mu| \leq 8` it keeps densities at 0 and 1 finite. Of
    :math:`v`, the density is linear between its heights at equally spaced knots from 0 to 1, and
    normalised exactly by the trapezoid rule; its distribution function is piecewise quadratic
    and inverted in closed form. Shift, scale and heights come from one masked network, which
    sees logits.
    """

    def __init__(
        self,
        features: int,
        context: int = 0,
        *,
        knots: int = 16,
        sizes: NetSizes = NetSizes(),  # noqa: B008  (immutable)
    ) -> None:
        """Build the density, close to a uniform one.

        Args:
            features: Number of features.
            context: Number of context features.
            knots: Heights per conditional.
            sizes: Sizes of its network.

        Raises:
            ValueError: If there are fewer than 2 knots.
        """
        if knots < 2:
            msg = f"knots: {knots} do not span the unit interval, choose at least 2"
            raise ValueError(msg)
        super().__init__()
        self.hyper = MaskedResidualNet(features, context, outputs=2 + knots, sizes=sizes)
        nn.init.uniform_(self.hyper.final.weight, -1e-2, 1e-2)
        bias = nn.init.zeros_(self.hyper.final.bias).data.view(features, 2 + knots)
        bias[:, 1] = START

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the log density, shape ``(n,)``, of ``z (n, features)``; -inf off the box."""
        outside = ((z < 0) | (z > 1)).any(-1)
        logit = torch.logit(z, EDGE)
        shift, scale, heights = _split(self.hyper(logit / LOGISTIC_STD, context))
        shifted = (logit - shift) / scale
        polygon: Tensor = _PolygonLogProb.apply(torch.sigmoid(shifted), heights)
        conditionals = polygon + _log_logistic(shifted) - _log_logistic(logit) - scale.log()
        return conditionals.sum(-1).masked_fill(outside, -torch.inf)

    def noise(self, n: int, generator: Generator | None = None) -> Tensor:
        """Return uniform numbers for ``n`` draws, shape ``(n, features)``."""
        shape, device = (self.hyper.features, n), self.hyper.final.bias.device
        return torch.rand(shape, generator=generator, device=device).T

    def from_noise(self, noise: Tensor, context: Tensor | None = None) -> Tensor:
        """Return draws, shape ``(n, features)``, one per row of ``context`` if given."""
        uniform = noise.T
        seen = torch.zeros_like(uniform)
        z = torch.empty_like(seen)
        for feature, parameters in enumerate(self.hyper.feature_by_feature(seen, context)):
            shift, scale, heights = _split(parameters)
            v = polygon_quantile(F.softmax(heights, dim=-1) + FLOOR, uniform[feature])
            z[feature] = torch.sigmoid(torch.logit(v, EDGE) * scale + shift)
            seen[feature] = torch.logit(z[feature], EDGE) / LOGISTIC_STD
        return z.T


def polygon_quantile(heights: Tensor, p: Tensor) -> Tensor:
    """Return where the distribution function of polygons on [0, 1] reaches ``p``.

    Args:
        heights: Densities at equally spaced knots up to a common factor, shape ``(n, knots)``.
        p: Probabilities, shape ``(n,)``.
    """
    areas = (heights[:, 1:] + heights[:, :-1]) / 2
    below = F.pad(areas.cumsum(-1), (1, 0))
    wanted = (p * below[:, -1])[:, None]
    chosen = (wanted >= below[:, 1:-1]).sum(-1, keepdim=True)
    left, right = heights.gather(-1, chosen), heights.gather(-1, chosen + 1)
    rest = (wanted - below.gather(-1, chosen)).clamp_min(0)
    root = (left.square() + 2 * (right - left) * rest).clamp_min(0).sqrt()
    along = (2 * rest / (left + root).clamp_min(torch.finfo(p.dtype).tiny)).clamp_max(1)
    return ((chosen + along) / areas.shape[-1])[:, 0]


def _split(parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return shift, scale and raw heights of conditionals, of parameters ``(..., 2 + knots)``."""
    shift = MAX_SHIFT * torch.tanh(parameters[..., 0] / MAX_SHIFT)
    scale = MIN_SCALE + (1 - MIN_SCALE) * torch.sigmoid(parameters[..., 1])
    return shift, scale, parameters[..., 2:]


def _log_logistic(x: Tensor) -> Tensor:
    """Return the log density of the standard logistic distribution."""
    return F.logsigmoid(x) + F.logsigmoid(-x)


class _PolygonLogProb(torch.autograd.Function):
    """Log density of a polygon on [0, 1], with its gradient in closed form."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, parameters: Tensor) -> Tensor:  # noqa: ANN401
        """Return log densities, shape of ``u (...,)``, for ``parameters (..., knots)``.

        A softmax of the parameters, plus a floor, makes the heights.
        """
        cells = parameters.shape[-1] - 1
        shares = F.softmax(parameters.float(), dim=-1)
        place = u.clamp(0, 1) * cells
        index = place.long().clamp_max(cells - 1)[..., None]
        along = place - index[..., 0]
        left = shares.gather(-1, index)[..., 0]
        right = shares.gather(-1, index + 1)[..., 0]
        ends = (shares[..., 0] + shares[..., -1]) / 2
        height = torch.lerp(left, right, along) + FLOOR
        area = 1 - ends + cells * FLOOR
        ctx.save_for_backward(shares, index, along, left, right, ends, height, area)
        ctx.dtype = parameters.dtype
        return (height / area).log() + math.log(cells)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        """Return the gradients with respect to ``u`` and ``parameters``."""
        shares, index, along, left, right, ends, height, area = ctx.saved_tensors
        by_height, by_area = grads[0] / height, 0.5 * grads[0] / area
        common = by_height * (height - FLOOR) + 2 * by_area * ends
        out = shares * -common[..., None]
        parts = torch.stack([by_height * (1 - along) * left, by_height * along * right], dim=-1)
        out.scatter_add_(-1, torch.cat([index, index + 1], dim=-1), parts)
        out[..., 0] += by_area * shares[..., 0]
        out[..., -1] += by_area * shares[..., -1]
        return by_height * (right - left) * (shares.shape[-1] - 1), out.to(ctx.dtype)
