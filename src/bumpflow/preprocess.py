"""Scale features to be nearly normal, invertibly, with the Jacobian that a density needs."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

KNOTS = 32
FEWEST_KNOTS = 3
EDGE = 1e-3


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
            ValueError: If a feature takes too few values to be ranked.
        """
        n, features = x.shape
        knots = self.x_knots.shape[1]
        tail = torch.tensor(1 - min(0.5, 5 / n), dtype=torch.float64)
        top = _normal_quantile(tail).clamp_min(1).item()
        z = torch.linspace(-top, top, knots, dtype=torch.float64)
        ordered = x.double().sort(dim=0).values.T.contiguous()
        positions = _normal_cdf(z) * n - 0.5
        x_knots = _interpolate_rows(ordered, positions.clamp(0, n - 1))
        for feature in range(features):
            distinct, last = _distinct(x_knots[feature])
            if len(distinct) < FEWEST_KNOTS:
                msg = (
                    f"feature {feature} takes too few values to be ranked:"
                    " leave it out of `features`, or use it as context"
                )
                raise ValueError(msg)
            self._set_feature(feature, distinct, z[last])
        self.slopes.copy_(_monotone_slopes(self.x_knots, self.z_knots))
        return self

    def _set_feature(self, feature: int, x: Tensor, z: Tensor) -> None:
        """Store a feature's knots; where values repeat there are fewer, so fill up evenly."""
        knots = self.x_knots.shape[1]
        where = torch.linspace(0, len(x) - 1, knots, dtype=torch.float64)[None]
        self.x_knots[feature] = _interpolate_rows(x[None], where[0])[0]
        self.z_knots[feature] = _interpolate_rows(z[None], where[0])[0]

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
            ValueError: If a feature is constant.
        """
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


Scaler = GaussRank | LogitStandardise
SCALERS: dict[str, Callable[[int], Scaler]] = {
    "gaussrank": GaussRank,
    "logit": LogitStandardise,
}


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
