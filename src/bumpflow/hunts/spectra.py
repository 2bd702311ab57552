"""Histograms with a known background and, on request, a bump of known significance."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import pandas as pd
import torch
from torch import Tensor

from bumpflow.hunts.families import FAMILIES, PAPER, RANDOM, stretched

LOWEST = 1e-2
"""Smallest expected background of a bin."""
MAX_STEPS = 20


@dataclass(frozen=True)
class SpectraSettings:
    """What histograms to draw.

    Attributes:
        n_bins: Smallest and largest number of bins.
        counts: Range of the expected entries of the first and of the last bin.
        log_counts: Whether levels are drawn uniformly in their logarithm, not in themselves.
        families: Weight of each background family.
        stretch: Share of the paper's families that are cut at random and stretched.
        widths: Standard deviations of signals [bins].
        any_width: Whether widths between the smallest and the largest occur as well.
        significance: Smallest and largest requested significance; uniform.
        signal_share: Share of histograms with a signal.
        positions: Range of the signal's centre, as fractions of the histogram.
        on_centers: Whether signals sit at the centre of a bin.
        fluctuate_signal: Whether signals are Poisson distributed. If not, an expected signal is
            added to fluctuated background and its significance is that against the latter, as
            in the 2022 paper, whose signals are also sampled at the bins' centres.
    """

    n_bins: tuple[int, int]
    counts: tuple[float, float]
    log_counts: bool
    families: Mapping[str, float]
    stretch: float
    widths: tuple[float, ...]
    any_width: bool
    significance: tuple[float, float]
    signal_share: float
    positions: tuple[float, float]
    on_centers: bool
    fluctuate_signal: bool

    @classmethod
    def from_config(cls, block: Mapping[str, Any]) -> Self:
        """Return the settings of a block of the configuration."""
        pairs = ("n_bins", "counts", "widths", "significance", "positions")
        values: dict[str, Any] = {k: tuple(v) if k in pairs else v for k, v in block.items()}
        return cls(**values)


class Spectra(NamedTuple):
    """Histograms of equal length, and what they were made of.

    Attributes:
        observed: Counts, shape ``(n, n_bins)``.
        background: Expected background counts, same shape.
        width: Standard deviation of the signal [bins], shape ``(n,)``; 0 without one.
        position: Centre of the signal [bins from the lower end], shape ``(n,)``.
        significance: Requested significance, shape ``(n,)``; 0 without a signal.
        family: Index of the background's family in ``FAMILIES``, shape ``(n,)``.
    """

    observed: Tensor
    background: Tensor
    width: Tensor
    position: Tensor
    significance: Tensor
    family: Tensor


def draw_spectra(
    n: int,
    settings: SpectraSettings,
    *,
    n_bins: int,
    generator: torch.Generator,
    shapes: Tensor | None = None,
) -> Spectra:
    """Draw histograms.

    Args:
        n: How many.
        settings: What they are like.
        n_bins: Number of bins of all of them.
        generator: Source of randomness; its device is that of the result.
        shapes: Polynomials in the relative position whose exponentials are the backgrounds of
            the family ``simulated``, lowest power first, shape ``(n_shapes, n_powers)``; they
            keep their range and are scaled to a drawn first level.
    """
    background, family = draw_backgrounds(
        n, settings, n_bins=n_bins, generator=generator, shapes=shapes
    )
    observed = torch.poisson(background, generator=generator)
    width, position, significance = _draw_signals(n, settings, n_bins, generator)
    sampled = not settings.fluctuate_signal
    signal = gaussian_counts(position, width.clamp_min(0.1), n_bins=n_bins, sampled=sampled)
    if settings.fluctuate_signal:
        expected = signal * strength_for(significance, signal, background)[:, None]
        observed = observed + torch.poisson(expected, generator=generator)
    else:
        empty = observed == 0
        again = torch.poisson(background, generator=generator)
        observed = torch.where(empty, again, observed)
        against = observed.clamp_min(LOWEST)
        observed = observed + signal * strength_for(significance, signal, against)[:, None]
    return Spectra(observed, background, width, position, significance, family)


def draw_backgrounds(
    n: int,
    settings: SpectraSettings,
    *,
    n_bins: int,
    generator: torch.Generator,
    shapes: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Draw expected backgrounds, shape ``(n, n_bins)``, and their families, shape ``(n,)``."""
    device = generator.device
    first, last = _draw_levels(n, settings, generator)
    # Double precision: the part of a steep curve that is stretched may be almost flat.
    x = torch.arange(n_bins, device=device, dtype=torch.float64) + 0.5
    names = [name for name in FAMILIES if settings.families.get(name, 0) > 0]
    weights = torch.tensor([float(settings.families[name]) for name in names], device=device)
    chosen = torch.multinomial(weights, n, replacement=True, generator=generator)
    background = torch.empty(n, n_bins, device=device)
    for index, name in enumerate(names):
        rows = torch.nonzero(chosen == index)[:, 0]
        positions = x.expand(len(rows), -1)
        levels = first[rows].double(), last[rows].double()
        if name == "simulated":
            curves = _draw_simulated(positions, levels[0], shapes, generator)
        elif name in RANDOM:
            curves = RANDOM[name](positions, *levels, generator=generator)
        else:
            cut = _draw_cut(len(rows), settings.stretch, generator)
            curves = stretched(PAPER[name], positions, *levels, cut=cut)
        background[rows] = curves.to(background.dtype)
    places = torch.tensor([FAMILIES.index(name) for name in names], device=device)
    return background.clamp_min(LOWEST), places[chosen]


def draw_n_bins(settings: SpectraSettings, *, generator: torch.Generator) -> int:
    """Return a number of bins, uniform over those of the settings."""
    low, high = settings.n_bins
    device = generator.device
    return int(torch.randint(low, high + 1, (), generator=generator, device=device))


def gaussian_counts(
    position: Tensor, width: Tensor, *, n_bins: int, sampled: bool = False
) -> Tensor:
    """Return the expected counts of one signal event that falls anywhere on the axis.

    Args:
        position: Its mean [bins from the lower end], shape ``(n,)``.
        width: Its standard deviation [bins], shape ``(n,)``.
        n_bins: Number of bins.
        sampled: Whether to take the density at the bins' centres for the integral over bins.

    Returns:
        Shape ``(n, n_bins)``.
    """
    edges = torch.arange(n_bins + 1, device=position.device, dtype=position.dtype)
    if sampled:
        pull = (edges[:-1] + 0.5 - position[:, None]) / width[:, None]
        return torch.exp(-0.5 * pull**2) / (width[:, None] * math.sqrt(2 * math.pi))
    below = torch.special.ndtr((edges - position[:, None]) / width[:, None])
    return below.diff(dim=1)


def strength_for(significance: Tensor, signal: Tensor, background: Tensor) -> Tensor:
    r"""Return how many signal events have a median significance, with the background known.

    It solves :math:`z^2 = 2 \sum_i [(b_i + \mu s_i) \ln(1 + \mu s_i / b_i) - \mu s_i]`, whose
    root grows with the strength, by Newton's method.

    Args:
        significance: z, shape ``(n,)``.
        signal: Expected counts per unit strength, shape ``(n, n_bins)``.
        background: Expected background counts, same shape, all positive.

    References:
        Cowan, Cranmer, Gross, Vitells (2011), equation 97, https://arxiv.org/abs/1007.1727
    """
    ratio = signal.double() / background
    mu = significance / torch.sqrt((signal * ratio).sum(1)).clamp_min(1e-30)
    nothing = significance <= 0
    for _ in range(MAX_STEPS):
        excess = mu[:, None] * ratio
        log = torch.log1p(excess)
        z = torch.sqrt((2 * background * ((1 + excess) * log - excess)).sum(1)).clamp_min(1e-12)
        step = (significance - z) * z / (signal * log).sum(1).clamp_min(1e-30)
        mu = (mu + step).clamp_min(0)
        if bool(((step.abs() <= 1e-6 * mu) | nothing).all()):
            break
    return mu.to(background.dtype)


def _draw_levels(
    n: int, settings: SpectraSettings, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return the expected entries of the first and of the last bin, shapes ``(n, 1)``."""
    low, high = settings.counts
    u = torch.rand(n, 2, generator=generator, device=generator.device)
    levels = low * (high / low) ** u if settings.log_counts else low + (high - low) * u
    # Equal levels would leave nothing to fall.
    last = levels.amin(1, keepdim=True)
    return torch.maximum(levels.amax(1, keepdim=True), 1.001 * last), last


def _draw_cut(n: int, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return where a part of a curve begins and ends, for a share of them not everything."""
    u = torch.rand(n, 3, generator=generator, device=generator.device)
    ends = u[:, :2].sort(1).values
    # At least a twentieth of the curve: less is a straight line, and loses precision.
    begin, end = ends[:, :1] * 0.95, ends[:, :1] * 0.95 + (ends[:, 1:] - ends[:, :1]) * 0.95 + 0.05
    whole = u[:, 2:] >= share
    return torch.where(whole, 0.0, begin), torch.where(whole, 1.0, end)


def _draw_simulated(
    x: Tensor, first: Tensor, shapes: Tensor | None, generator: torch.Generator
) -> Tensor:
    """Return backgrounds of simulated events, scaled to the first level."""
    if shapes is None or len(shapes) == 0:
        msg = "the family 'simulated' needs shapes of simulated events: give some, or weight 0"
        raise ValueError(msg)
    rows = torch.randint(len(shapes), (len(x),), generator=generator, device=x.device)
    t = x / x.shape[1]
    powers = torch.arange(shapes.shape[1], device=x.device)
    curve = (shapes.to(x)[rows, None] * t[:, :, None] ** powers).sum(2)
    return first * torch.exp(curve - curve[:, :1])


def _draw_signals(
    n: int, settings: SpectraSettings, n_bins: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Return widths, positions and significances of signals, shape ``(n,)`` each."""
    u = torch.rand(4, n, generator=generator, device=generator.device)
    widths = torch.tensor(settings.widths, device=u.device, dtype=u.dtype)
    width = widths[(u[0] * len(widths)).long()]
    if settings.any_width:
        free = torch.rand(2, n, generator=generator, device=u.device)
        between = widths.min() + (widths.max() - widths.min()) * free[0]
        width = torch.where(free[1] < 0.5, between, width)
    low, high = settings.positions
    position = n_bins * (low + (high - low) * u[1])
    if settings.on_centers:
        position = position.floor().clamp_max(n_bins - 1) + 0.5
    start, end = settings.significance
    significance = start + (end - start) * u[2]
    there = (u[3] < settings.signal_share).to(u.dtype)
    return width * there, position, significance * there


def shape_coefficients(table: pd.DataFrame, *, split: str) -> Tensor:
    """Return the shapes of simulated backgrounds of one split.

    Args:
        table: Polynomials ``c0`` to ``c3`` in the relative position, and ``split``.
        split: ``train`` or ``test``.

    Returns:
        Coefficients, lowest power first, shape ``(n_shapes, 4)``.
    """
    names = [f"c{power}" for power in range(4)]
    return torch.tensor(table.loc[table["split"] == split, names].to_numpy())
