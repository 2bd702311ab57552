"""Test statistics of all hunts in the same toys, as tables hold them.

Columns of a table of toys: ``n_background``, ``n_signal``; the number of compatible events of a
hunt at each threshold, such as ``eco_0.68``; the largest count of each set of windows, such as
``bump_11``; ``log_e_0``, ``log_e_1``, ..., from which likelihood ratios at any rate follow (see
:mod:`bumpflow.compatibility.likelihood_ratio`); and the maximum likelihood ratio at some rates,
such as ``lrmax_2``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Generator, Tensor

from bumpflow.compatibility.cleaning import clean
from bumpflow.compatibility.likelihood_ratio import (
    known_background,
    log_largest_likelihoods,
    log_likelihood_ratio,
    log_maximum_ratio,
    log_mean_polynomials,
    unknown_background,
)
from bumpflow.compatibility.toys import Cells, Toys, draw_cells, evaluate, plan_cells
from bumpflow.compatibility.windows import (
    fair_windows,
    largest_count,
    largest_moving_count,
    published_windows,
)

EPO, BUMP, FAIR, MOVING = "epo", "bump", "fair", "moving"
"""Hunts: closed-form EPO, windows of the mass as published, fair ones, and those that follow the
resolution."""
LR, LR_SHAPE, LR_MAX = "lr", "lrshape", "lrmax"
"""Likelihood ratios with known background, conditional on the number of events, and maximised."""
MOVING_HALF_WIDTH = 1.5
"""Half of the width of moving windows, in standard deviations of the measured mass."""
LOG_E = "log_e_"
DECIMALS = 4
"""To which mean likelihood ratios are rounded. Data sets of one event all have the same one, but
for rounding errors, which must not rank them."""


class Pool(NamedTuple):
    """Events that toys draw from, and what is known of each.

    Attributes:
        x: Features, shape ``(n, 10)``.
        log_ratio: Log ratios of posterior and prior, shape ``(n, n_grid)``.
        published: Published ones, shape ``(n, n_published)``; none if no network needs them.
        log10_mass: Decadic logarithms of measured masses [GeV], shape ``(n,)``.
        resolution: How well these are measured, shape ``(n,)``.
    """

    x: Tensor
    log_ratio: Tensor
    published: Tensor
    log10_mass: Tensor
    resolution: Tensor

    @property
    def mass_and_resolution(self) -> Tensor:
        """Measured masses with their resolutions, shape ``(n, 2)``."""
        return torch.stack([self.log10_mass, self.resolution], dim=1)


class Scorer(NamedTuple):
    """Scores of pairs by networks.

    Attributes:
        field: What of a :class:`Pool` they look at.
        scores: Function of that, ``(n_toys, n_events, ...)``, and of which events there are,
            ``(n_toys, n_events)``, to scores of all pairs, ``(n_toys, n_events, n_events)``.
    """

    field: str
    scores: Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class HuntSettings:
    """What hunts are tried with.

    Attributes:
        thresholds: Thresholds on compatibility.
        bins: Numbers of bins of the hunts in windows.
        max_rates: Background rates at which to maximise the likelihood ratio [events].
    """

    thresholds: Sequence[float]
    bins: Sequence[int]
    max_rates: Sequence[float]


def hunt_toys(
    cells: Cells,
    background: Pool,
    signal: Pool | None,
    *,
    weights: Tensor,
    networks: Mapping[str, Scorer],
    settings: HuntSettings,
    generator: Generator,
) -> pd.DataFrame:
    """Draw toys, and compute the statistics of all hunts.

    Args:
        cells: How many toys to draw with which numbers of events.
        background: Pool of background.
        signal: Pool of signal, if there is any.
        weights: Prior probabilities of the grid's points, shape ``(n_grid,)``.
        networks: What scores pairs, by hunt.
        settings: What hunts are tried with.
        generator: Source of random numbers.

    Returns:
        One row per toy, in the cells' order.
    """
    n_signal = 0 if signal is None else len(signal.x)
    toys = draw_cells(
        cells, background_pool=len(background.x), signal_pool=n_signal, generator=generator
    )
    table = try_hunts(
        toys, background, signal, weights=weights, networks=networks, settings=settings
    )
    table.insert(0, "n_background", cells.n_background[cells.cell])
    table.insert(1, "n_signal", cells.n_signal[cells.cell])
    return table


def try_hunts(
    toys: Toys,
    background: Pool,
    signal: Pool | None,
    *,
    weights: Tensor,
    networks: Mapping[str, Scorer],
    settings: HuntSettings,
) -> pd.DataFrame:
    """Compute the statistics of all hunts in toys, one row for each.

    Args:
        toys: Which events of the pools make up each toy.
        background: As for :func:`hunt_toys`.
        signal: Likewise.
        weights: Likewise.
        networks: Likewise.
        settings: Likewise.
    """
    columns: dict[str, Tensor] = {}
    for hunt, (field, scores) in networks.items():
        found = _evaluate(_cleaned(scores, settings.thresholds), toys, background, signal, field)
        columns |= _named(hunt, settings.thresholds, found)
    columns |= _likelihood_ratios(toys, background, signal, weights, settings.max_rates)
    columns |= _window_hunts(toys, background, signal, settings.bins)
    return pd.DataFrame({name: part.cpu().numpy() for name, part in columns.items()})


def _likelihood_ratios(
    toys: Toys, background: Pool, signal: Pool | None, weights: Tensor, rates: Sequence[float]
) -> dict[str, Tensor]:
    """Return maxima of likelihood ratios, and what their means follow from."""
    widest = int(toys.mask.sum(1).max())

    def statistics(log_ratio: Tensor, mask: Tensor) -> Tensor:
        """Return maxima at each background rate, and polynomials."""
        n_events = mask.sum(1)
        parts = []
        for rate in rates:
            strength = known_background(rate)
            largest = log_largest_likelihoods(log_ratio, strength.odds, mask=mask)
            parts.append(log_maximum_ratio(largest, n_events, strength)[:, None])
        parts.append(log_mean_polynomials(log_ratio, weights, mask=mask, n_max=widest))
        return torch.cat(parts, dim=1)

    found = _evaluate(statistics, toys, background, signal, "log_ratio").float()
    means = {f"{LOG_E}{k}": found[:, len(rates) + k] for k in range(widest + 1)}
    return _named(LR_MAX, rates, found) | means


def _window_hunts(
    toys: Toys, background: Pool, signal: Pool | None, bins: Sequence[int]
) -> dict[str, Tensor]:
    """Return the largest counts in windows of the measured mass."""
    columns: dict[str, Tensor] = {}
    for hunt, build in ((BUMP, published_windows), (FAIR, fair_windows)):
        windows = [build(n) for n in bins]

        def counts(log10_mass: Tensor, mask: Tensor) -> Tensor:
            """Return the largest count for each number of bins."""
            found = [largest_count(log10_mass, mask, one) for one in windows]  # noqa: B023
            return torch.stack(found, dim=1)

        found = _evaluate(counts, toys, background, signal, "log10_mass")
        columns |= _named(hunt, bins, found)

    def moving(measured: Tensor, mask: Tensor) -> Tensor:
        """Return the largest count in windows that follow the resolution."""
        return largest_moving_count(
            measured[..., 0], mask, measured[..., 1], half_width=MOVING_HALF_WIDTH
        )

    found = _evaluate(moving, toys, background, signal, "mass_and_resolution")
    return columns | {MOVING: found.to(torch.int16)}


def _evaluate(
    statistic: Callable[[Tensor, Tensor], Tensor],
    toys: Toys,
    background: Pool,
    signal: Pool | None,
    field: str,
) -> Tensor:
    """Compute a statistic of one field of the pools."""
    there = None if signal is None else getattr(signal, field)
    return evaluate(statistic, toys, getattr(background, field), there)


def _cleaned(
    scores: Callable[[Tensor, Tensor], Tensor], thresholds: Sequence[float]
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the statistic of a hunt that cleans toys by scores of pairs."""
    return lambda x, mask: clean(scores(x, mask), mask, thresholds=thresholds).statistic


def _named(hunt: str, settings: Sequence[float], found: Tensor) -> dict[str, Tensor]:
    """Return the columns of a hunt, one per setting; counts take two bytes each."""
    kept = found if found.is_floating_point() else found.to(torch.int16)
    return {column(hunt, setting): kept[:, i] for i, setting in enumerate(settings)}


def column(hunt: str, setting: float) -> str:
    """Return the name of a column: hunt, and its threshold, number of bins or rate."""
    return f"{hunt}_{setting:g}"


def toy_cells(
    points: Sequence[Sequence[float]],
    grid: Mapping[str, Sequence[float]],
    n_toys: Mapping[str, Mapping[str, int]],
    *,
    with_signal: bool,
) -> Cells:
    """Return how many toys to draw with which numbers of events.

    Args:
        points: Expected background and signal events, shape ``(n_points, 2)``.
        grid: Those of a map, ``mu_b`` and ``mu_s``.
        n_toys: For ``background`` and ``signal``, the toys to share out, ``n_toys``, and those in
            each cell on top, ``n_min``.
        with_signal: Whether there are signal events; if not, background alone is to account for
            as many events as both.
    """
    mu_b, mu_s = (
        np.array([*grid[name], *(point[i] for point in points)])
        for i, name in enumerate(("mu_b", "mu_s"))
    )
    chosen = n_toys["signal" if with_signal else "background"]
    total = np.array([*mu_b, mu_b.max() + mu_s.max()])
    rates = (mu_b, mu_s) if with_signal else (total,)
    return plan_cells(*rates, n_toys=chosen["n_toys"], n_min=chosen["n_min"])


def cells_of(table: pd.DataFrame) -> Cells:
    """Return the cells whose toys a table holds, in its order."""
    n_b, n_s = (table[name].to_numpy() for name in ("n_background", "n_signal"))
    first = np.flatnonzero(np.append(True, (np.diff(n_b) != 0) | (np.diff(n_s) != 0)))
    n_toys = np.diff(np.append(first, len(table)))
    return Cells(n_b[first].astype(np.int64), n_s[first].astype(np.int64), n_toys)


def statistic_of(
    table: pd.DataFrame, hunt: str, setting: float | None, *, mu_b: float
) -> np.ndarray:
    """Return a hunt's statistic in toys, shape ``(n_toys,)``.

    Args:
        table: Table of toys.
        hunt: Name of the hunt.
        setting: Its threshold or number of bins, if it has one.
        mu_b: Background rate that the likelihood ratio assumes [events].
    """
    if hunt == LR_MAX:
        return table[column(hunt, mu_b)].to_numpy()
    if hunt not in (LR, LR_SHAPE):
        return table[hunt if setting is None else column(hunt, setting)].to_numpy()
    names = [name for name in table.columns if name.startswith(LOG_E)]
    log_e = torch.from_numpy(np.array(table[names], dtype=np.float64))
    n_events = torch.from_numpy(np.array(table["n_background"] + table["n_signal"]))
    strength = known_background(mu_b) if hunt == LR else unknown_background()
    return log_likelihood_ratio(log_e, n_events, strength).numpy().round(DECIMALS)
