r"""Systematic variations of feature densities, interpolated with their normalisation kept.

A systematic's parameter :math:`\nu` is 0 for the nominal and 1 or -1 for the varied densities, whose
ratios to the nominal one are :math:`r_\pm(x | m)`. Interpolations give the relative change
:math:`\delta(\nu)` of a density. Those of several systematics add up. As each has mean 0 over the
nominal density, the sum is normalised at any values of the parameters.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Scheme = Literal["quadratic", "piecewise"]


@dataclass(frozen=True)
class Interpolation:
    r"""How a feature density depends on the parameters of systematics.

    Attributes:
        scheme: ``quadratic``: :math:`\delta = \frac{r_+ - r_-}{2}\nu + \frac{r_+ + r_- - 2}{2}\nu^2`,
            which has mean 0 by itself; ``piecewise``: equation 3.4 of the paper,
            :math:`r_\pm^{|\nu|}` beyond :math:`|\nu| = 1` and a polynomial of sixth order between,
            divided by its mean over the nominal density, see :class:`Norms`.
        norms: Means of the piecewise weights; needed by that scheme.

    References:
        https://arxiv.org/abs/2506.06438, sections 3.2 and 4.4;
        https://cds.cern.ch/record/1456844 (HistFactory, the polynomial)
    """

    scheme: Scheme = "quadratic"
    norms: "Norms | None" = None

    def change(self, up: Tensor, down: Tensor, nu: Tensor) -> tuple[Tensor, Tensor]:
        """Return the relative changes of densities, and their slopes.

        Args:
            up: Ratios :math:`r_+`, shape ``(n_sets, n, n_components, n_systematics)``.
            down: Ratios :math:`r_-`, same shape.
            nu: Parameters, shape ``(n_sets, n_systematics)``.

        Returns:
            Changes, ``(n_sets, n, n_components)``, and their derivatives in the parameters, shape
            of ``up``.
        """
        at = nu[:, None, None]
        if self.scheme == "quadratic":
            linear, square = (up - down) / 2, (up + down) / 2 - 1
            return (linear * at + square * at**2).sum(-1), linear + 2 * square * at
        if self.norms is None:
            msg = "piecewise interpolation needs the means of its weights: pass `norms`"
            raise ValueError(msg)
        weight, slope = piecewise_weight(up, down, at)
        norm, norm_slope = (part[:, None] for part in self.norms.at(nu))
        ratio = weight / norm
        return (ratio - 1).sum(-1), slope / norm - ratio * norm_slope / norm


def piecewise_weight(up: Tensor, down: Tensor, nu: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return the weights of equation 3.4 and their slopes, shape of ``up``.

    The polynomial's six coefficients make weight, slope and bend continuous at
    :math:`\nu = \pm 1`.

    Args:
        up: Ratios :math:`r_+`, positive.
        down: Ratios :math:`r_-`, positive.
        nu: Parameters, of a shape that broadcasts to that of ``up``.
    """
    log_up, log_down = up.log(), down.log()
    slope_up, slope_down = up * log_up, -down * log_down
    bend_up, bend_down = up * log_up**2, down * log_down**2
    # Even and odd parts of value - 1, slope and bend at 1 determine even and odd coefficients.
    even, odd = (up + down) / 2 - 1, (up - down) / 2
    even_slope, odd_slope = (slope_up - slope_down) / 2, (slope_up + slope_down) / 2
    even_bend, odd_bend = (bend_up + bend_down) / 2, (bend_up - bend_down) / 2
    c1 = (15 * odd - 7 * odd_slope + odd_bend) / 8
    c3 = (-10 * odd + 10 * odd_slope - 2 * odd_bend) / 8
    c5 = (3 * odd - 3 * odd_slope + odd_bend) / 8
    c2 = (24 * even - 9 * even_slope + even_bend) / 8
    c4 = (-24 * even + 14 * even_slope - 2 * even_bend) / 8
    c6 = (8 * even - 5 * even_slope + even_bend) / 8
    inside = nu.clamp(-1, 1)
    weight = torch.ones_like(up)
    slope = torch.zeros_like(up)
    for power, coefficient in enumerate((c1, c2, c3, c4, c5, c6), start=1):
        weight = weight + coefficient * inside**power
        slope = slope + power * coefficient * inside ** (power - 1)
    log_ratio = torch.where(nu > 0, log_up, -log_down)
    beyond = torch.exp(nu * log_ratio)
    outside = nu.abs() > 1
    return torch.where(outside, beyond, weight), torch.where(outside, beyond * log_ratio, slope)


@dataclass(frozen=True)
class Norms:
    """Means of piecewise weights over the nominal densities, known on a grid.

    Between the grid's points they are cubic, with the right slopes.

    Attributes:
        nu: Parameters, equally spaced, shape ``(n_grid,)``.
        mean: Means of the weights, shape ``(n_grid, n_components, n_systematics)``.
        slope: Means of the weights' slopes, same shape.
    """

    nu: Tensor
    mean: Tensor
    slope: Tensor

    @classmethod
    def from_events(
        cls, up: Tensor, down: Tensor, *, reach: float = 8.0, n_grid: int = 161
    ) -> "Norms":
        """Average over events drawn from the nominal densities.

        Args:
            up: Ratios of such events, shape ``(n, n_components, n_systematics)``, of which
                those of each component are of events drawn from that component.
            down: Likewise.
            reach: Largest size of a parameter.
            n_grid: Number of the grid's points.
        """
        nu = torch.linspace(-reach, reach, n_grid, dtype=up.dtype, device=up.device)
        pairs = [piecewise_weight(up, down, value) for value in nu]
        mean, slope = (
            torch.stack([part.mean(0) for part in parts]) for parts in zip(*pairs, strict=True)
        )
        return cls(nu, mean, slope)

    def at(self, nu: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and their slopes at parameters ``(n_sets, n_systematics)``.

        Returns:
            Two tensors of shape ``(n_sets, n_components, n_systematics)``.
        """
        step = self.nu[1] - self.nu[0]
        place = ((nu - self.nu[0]) / step).nan_to_num().clamp(0, len(self.nu) - 1)
        index = place.floor().long().clamp_max(len(self.nu) - 2)
        t = (place - index).unsqueeze(1)
        system = torch.arange(nu.shape[-1], device=nu.device)
        y0, y1 = (self.mean[i, :, system].movedim(-1, 1) for i in (index, index + 1))
        d0, d1 = (step * self.slope[i, :, system].movedim(-1, 1) for i in (index, index + 1))
        a, c = 2 * (y0 - y1) + d0 + d1, 3 * (y1 - y0) - 2 * d0 - d1
        value = y0 + t * (d0 + t * (c + t * a))
        return value, (d0 + t * (2 * c + 3 * t * a)) / step
