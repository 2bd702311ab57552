"""Scale features to be normal or uniform, invertibly, with the Jacobian that a density needs."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

KNOTS = 32
FEWEST_KNOTS = 3
EDGE = 1e-3
TAIL_EVENTS = 20


class GaussRank(nn.Module):
    r"""Map each feature to a standard normal by its ranks among the training events.

    The map :math:`z = \Phi^{-1}(F(x)) = \sqrt 2\,\mathrm{erf}^{-1}(2F(x) - 1)` is known at
    knots, equally spaced in :math:`z`, from the quantiles of the training events; between
    them it is a monotone rational quadratic spline, beyond them it goes on straight. It is
    smooth, strictly increasing, and has an exact inverse.

    References:
        Beasley et al. (2009), https://doi.org/10.1007/s10519-009-9281-0;
        Gregory, Delbourgo (1982), https://doi.org/10.1093/imanum/2.2.123
    """

    kind = "gaussrank"
    x_knots: Tensor
    z_knots: Tensor
    slopes: Tensor

    def __init__(self, features: int, knots: int = KNOTS) -> None:
        """Make room for ``knots`` knots per feature; :meth:`fit` or a state fills it."""
        super().__init__()
        start = torch.linspace(-1, 1, knots, dtype=torch.float64).repeat(features, 1)
        self.register_buffer("x_knots", start)
        self.register_buffer("z_knots", start.clone())
        self.register_buffer("slopes", torch.ones_like(start))

    def fit(self, x: Tensor) -> "GaussRank":
        """Learn the knots from training events, shape ``(n, features)``.

        Raises:
            ValueError: If a feature takes too few values to be ranked, or is not finite.
        """
        n, knots = len(x), self.x_knots.shape[1]
        tail = torch.tensor(1 - min(0.5, 5 / n), dtype=torch.float64)
        top = _normal_quantile(tail).clamp_min(1).item()
        z = torch.linspace(-top, top, knots, dtype=torch.float64)
        x_knots, z_knots = _quantile_knots(_ordered(x), _normal_cdf(z), z)
        self.x_knots.copy_(x_knots)
        self.z_knots.copy_(z_knots)
        self.slopes.copy_(_monotone_slopes(self.x_knots, self.z_knots))
        return self

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return scaled features, and the log of the Jacobian :math:`|dz/dx|`.

        Args:
            x: Features in physical units, shape ``(n, features)``.

        Returns:
            ``z (n, features)`` and the log Jacobian, ``(n,)``, in double precision.
        """
        z, slope = _spline(x.double(), self.x_knots, self.z_knots, self.slopes)
        return z, slope.log().sum(-1)

    def inverse(self, z: Tensor) -> Tensor:
        """Return features in physical units of ``z (n, features)``."""
        return _spline_inverse(z.double(), self.x_knots, self.z_knots, self.slopes)


class LogitStandardise(nn.Module):
    r"""Map each feature's training range to the real line by a logit, then standardise.

    :math:`u = \epsilon + (1 - 2\epsilon)(x - x_{min})/(x_{max} - x_{min})`,
    :math:`z = (\ln\frac{u}{1-u} - \mu)/\sigma`. Outside the training range the map goes on
    straight, so that every event has a finite image.
    """

    kind = "logit"
    low: Tensor
    high: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        for name, value in {"low": 0.0, "high": 1.0, "mean": 0.0, "std": 1.0}.items():
            self.register_buffer(name, torch.full((features,), value, dtype=torch.float64))

    def fit(self, x: Tensor) -> "LogitStandardise":
        """Learn range, mean and deviation from training events, shape ``(n, features)``.

        Raises:
            ValueError: If a feature is constant, or not finite.
        """
        _check_finite(x)
        x = x.double()
        self.low.copy_(x.amin(0))
        self.high.copy_(x.amax(0))
        if (self.low == self.high).any():
            constant = (self.low == self.high).nonzero()[:, 0].tolist()
            msg = f"features {constant} are constant: leave them out of `features`"
            raise ValueError(msg)
        self.mean.zero_()
        self.std.fill_(1.0)
        z, _ = self._logit(x)
        self.mean.copy_(z.mean(0))
        self.std.copy_(z.std(0))
        return self

    def _logit(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logit, straight outside the range, and its slope in ``x``."""
        width = (1 - 2 * EDGE) / (self.high - self.low)
        u = EDGE + (x - self.low) * width
        inside = u.clamp(EDGE, 1 - EDGE)
        slope = 1 / (inside * (1 - inside))
        return torch.logit(inside) + (u - inside) * slope, slope * width

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return scaled features and the log Jacobian, as :meth:`GaussRank.forward` does."""
        z, slope = self._logit(x.double())
        return (z - self.mean) / self.std, (slope / self.std).log().sum(-1)

    def inverse(self, z: Tensor) -> Tensor:
        """Return features in physical units of ``z (n, features)``."""
        logit = z.double() * self.std + self.mean
        edge = torch.logit(torch.tensor(1 - EDGE, dtype=torch.float64)).item()
        inside = logit.clamp(-edge, edge)
        u = torch.sigmoid(inside) + (logit - inside) * EDGE * (1 - EDGE)
        return self.low + (u - EDGE) * (self.high - self.low) / (1 - 2 * EDGE)


class Rank(nn.Module):
    r"""Map each feature to (0, 1) by its ranks among the training events.

    The map :math:`u = F(x)` is known at knots from the quantiles of the training events, denser
    towards both ends. Between them it is a monotone rational quadratic spline. Beyond the first
    and the last knot, :math:`x_0` and :math:`x_1`, which leave a share :math:`\epsilon` of the
    events (the 20 most extreme ones, or more where values repeat) outside, it goes on as
    :math:`\epsilon\,e^{(x - x_0)/\tau}` and :math:`1 - \epsilon\,e^{-(x - x_1)/\tau}`, with
    :math:`\tau` the mean excess of the events there: tiny at a hard edge. Value and slope are
    continuous, every event has an image, and the inverse is exact.

    References:
        Gregory, Delbourgo (1982), https://doi.org/10.1093/imanum/2.2.123
    """

    kind = "rank"
    x_knots: Tensor
    u_knots: Tensor
    slopes: Tensor

    def __init__(self, features: int, knots: int = KNOTS) -> None:
        """Make room for ``knots`` knots per feature; :meth:`fit` or a state fills it."""
        super().__init__()
        start = torch.linspace(0, 1, knots + 2, dtype=torch.float64)[1:-1].repeat(features, 1)
        self.register_buffer("x_knots", start)
        self.register_buffer("u_knots", start.clone())
        self.register_buffer("slopes", torch.ones_like(start))

    def fit(self, x: Tensor) -> "Rank":
        """Learn the knots from training events, shape ``(n, features)``.

        Raises:
            ValueError: If a feature takes too few values to be ranked, is not finite, or has
                so many equal values at an end that there is no tail.
        """
        n, knots = len(x), self.x_knots.shape[1]
        share = torch.tensor(1 - min(0.25, TAIL_EVENTS / n), dtype=torch.float64)
        top = _normal_quantile(share).item()
        u = _normal_cdf(torch.linspace(-top, top, knots, dtype=torch.float64))
        ordered = _ordered(x)
        x_knots, u_knots = _quantile_knots(ordered, u, u)
        low, high = x_knots[:, :1], x_knots[:, -1:]
        excess = [_mean_excess(ordered - high), _mean_excess(low - ordered)]
        for feature, tails in enumerate(zip(*excess, strict=True)):
            if min(tails) <= 0:
                msg = (
                    f"feature {feature} has many equal values at one end of its range, where it"
                    " cannot have a density: leave it out of `features`, or use it as context"
                )
                raise ValueError(msg)
        self.x_knots.copy_(x_knots)
        self.u_knots.copy_(u_knots)
        slopes = _monotone_slopes(x_knots, u_knots)
        slopes[:, -1] = (1 - u_knots[:, -1]) / excess[0]
        slopes[:, 0] = u_knots[:, 0] / excess[1]
        self.slopes.copy_(slopes)
        return self

    def _beyond(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return how far ``x`` lies below and above all knots, in units of the tails' scales."""
        low_rate = self.slopes[:, 0] / self.u_knots[:, 0]
        high_rate = self.slopes[:, -1] / (1 - self.u_knots[:, -1])
        below = (self.x_knots[:, 0] - x).clamp_min(0) * low_rate
        return below, (x - self.x_knots[:, -1]).clamp_min(0) * high_rate

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return scaled features and the log Jacobian, as :meth:`GaussRank.forward` does."""
        x = x.double()
        below, above = self._beyond(x)
        inner = x.clamp(self.x_knots[:, 0], self.x_knots[:, -1])
        u, slope = _spline(inner, self.x_knots, self.u_knots, self.slopes)
        u = u * torch.exp(-below)
        u = u - (1 - u) * torch.expm1(-above)
        return u, (slope.log() - below - above).sum(-1)

    def inverse(self, z: Tensor) -> Tensor:
        """Return features in physical units of ``z (n, features)``; infinite ones of 0 and 1."""
        u = z.double()
        low, high = self.u_knots[:, 0], self.u_knots[:, -1]
        x = _spline_inverse(u.clamp(low, high), self.x_knots, self.u_knots, self.slopes)
        x = x + (u / low).clamp_max(1).log() * low / self.slopes[:, 0]
        return x - ((1 - u) / (1 - high)).clamp_max(1).log() * (1 - high) / self.slopes[:, -1]


Scaler = GaussRank | LogitStandardise | Rank
SCALERS: dict[str, Callable[[int], Scaler]] = {
    "gaussrank": GaussRank,
    "logit": LogitStandardise,
    "rank": Rank,
}
UNIT_SCALER = "rank"


def _check_finite(x: Tensor) -> None:
    """Raise if a feature of training events, shape ``(n, features)``, is not finite."""
    broken = (~x.isfinite().all(dim=0)).nonzero()[:, 0].tolist()
    if broken:
        msg = f"features {broken} hold values that are not finite: leave out those events"
        raise ValueError(msg)


def _ordered(x: Tensor) -> Tensor:
    """Return each feature's values in ascending order, shape ``(features, n)``."""
    _check_finite(x)
    return x.double().sort(dim=0).values.T.contiguous()


def _quantile_knots(ordered: Tensor, shares: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the knots of each feature: its quantiles, and the ``y`` that belong to them.

    Where values repeat there are fewer knots, which others between them fill up evenly.

    Args:
        ordered: Features in ascending order, shape ``(features, n)``.
        shares: Share of the events below each knot, shape ``(knots,)``.
        y: Images of the knots, shape ``(knots,)``.

    Raises:
        ValueError: If a feature takes too few values to be ranked.
    """
    n, knots = ordered.shape[1], len(y)
    x_knots = _interpolate_rows(ordered, (shares * n - 0.5).clamp(0, n - 1))
    y_knots = y.repeat(len(x_knots), 1)
    for feature in range(len(x_knots)):
        distinct, last = _distinct(x_knots[feature])
        if len(distinct) < FEWEST_KNOTS:
            msg = (
                f"feature {feature} takes too few values to be ranked:"
                " leave it out of `features`, or use it as context"
            )
            raise ValueError(msg)
        where = torch.linspace(0, len(distinct) - 1, knots, dtype=torch.float64)
        x_knots[feature] = _interpolate_rows(distinct[None], where)[0]
        y_knots[feature] = _interpolate_rows(y[last][None], where)[0]
    return x_knots, y_knots


def _mean_excess(excess: Tensor) -> Tensor:
    """Return each row's mean over its values that are not negative; one at least is."""
    tail = excess >= 0
    return torch.where(tail, excess, 0.0).sum(1) / tail.sum(1)


def _normal_cdf(z: Tensor) -> Tensor:
    return torch.special.ndtr(z)


def _normal_quantile(p: Tensor) -> Tensor:
    return torch.special.ndtri(p)


def _interpolate_rows(rows: Tensor, positions: Tensor) -> Tensor:
    """Return each row's values at fractional indices, shape ``(n_rows, n_positions)``."""
    low = positions.floor().long().clamp_max(rows.shape[1] - 2)
    return torch.lerp(rows[:, low], rows[:, low + 1], (positions - low).expand(len(rows), -1))


def _distinct(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distinct values of an ascending row, and the middle index of each."""
    values, counts = torch.unique_consecutive(x, return_counts=True)
    return values, counts.cumsum(0) - 1 - counts // 2


def _monotone_slopes(x: Tensor, y: Tensor) -> Tensor:
    """Return slopes at knots, positive, by the weighted harmonic means of their chords."""
    width, chord = x.diff(dim=1), y.diff(dim=1) / x.diff(dim=1)
    left, right = 2 * width[:, 1:] + width[:, :-1], width[:, 1:] + 2 * width[:, :-1]
    inner = (left + right) / (left / chord[:, :-1] + right / chord[:, 1:])
    return torch.cat([chord[:, :1], inner, chord[:, -1:]], dim=1)


def _segments(value: Tensor, knots: Tensor) -> Tensor:
    """Return the segment of knots that holds each value, shape of ``value (n, features)``."""
    index = torch.searchsorted(knots, value.T.contiguous(), right=True) - 1
    return index.clamp(0, knots.shape[1] - 2).T


def _corners(
    index: Tensor, x_knots: Tensor, y_knots: Tensor, slopes: Tensor
) -> tuple[Tensor, ...]:
    """Return start, width, start, height and both slopes of each value's segment."""
    feature = torch.arange(len(x_knots), device=index.device).expand_as(index)
    x0, x1 = x_knots[feature, index], x_knots[feature, index + 1]
    y0, y1 = y_knots[feature, index], y_knots[feature, index + 1]
    return x0, x1 - x0, y0, y1 - y0, slopes[feature, index], slopes[feature, index + 1]


def _spline(x: Tensor, x_knots: Tensor, y_knots: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
    """Return a rational quadratic spline and its derivative, straight beyond its knots."""
    x0, w, y0, h, d0, d1 = _corners(_segments(x, x_knots), x_knots, y_knots, slopes)
    t = (x - x0) / w
    below, above = (-t).clamp_min(0), (t - 1).clamp_min(0)
    t = t.clamp(0, 1)
    s, u = h / w, t * (1 - t)
    denominator = s + (d0 + d1 - 2 * s) * u
    y = y0 + h * (s * t**2 + d0 * u) / denominator + w * (d1 * above - d0 * below)
    slope = s**2 * (d1 * t**2 + 2 * s * u + d0 * (1 - t) ** 2) / denominator**2
    return y, slope


def _spline_inverse(y: Tensor, x_knots: Tensor, y_knots: Tensor, slopes: Tensor) -> Tensor:
    """Return the inverse of :func:`_spline`."""
    x0, w, y0, h, d0, d1 = _corners(_segments(y, y_knots), x_knots, y_knots, slopes)
    rise = y - y0
    below, above = (-rise).clamp_min(0), (rise - h).clamp_min(0)
    rise = rise.clamp_min(0).minimum(h)
    s = h / w
    bend = rise * (d0 + d1 - 2 * s)
    a, b, c = h * (s - d0) + bend, h * d0 - bend, -s * rise
    t = 2 * c / (-b - torch.sqrt((b**2 - 4 * a * c).clamp_min(0)))
    return x0 + t * w + above / d1 - below / d0
