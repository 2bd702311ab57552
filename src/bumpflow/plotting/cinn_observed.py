"""Posteriors of a user's sets of events."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray
from pandas import DataFrame
from scipy.ndimage import gaussian_filter

from bumpflow.plotting.alp_events import describe_mass
from bumpflow.plotting.alp_posteriors import DARK
from bumpflow.plotting.cinn_posteriors import (
    MARGIN,
    OUTSIDE_COLOR,
    Region,
    draw_prior,
    draw_region,
    finish_plane,
    joint_limits,
    label_logarithm,
    prior_corners,
)
from bumpflow.plotting.names import PARAMETERS, SPARE_COLORS
from bumpflow.reconstruction.support import Support
from bumpflow.simulate.alps.settings import Prior

MOST_SETS = len(SPARE_COLORS)
"""Sets of a user's events that one figure shows."""
N_BINS = 40
SMOOTHING = 1.8
"""Width of the smoothing of histograms [bin]."""
COLUMNS = ("log10_mass", "log10_lifetime")
LINES: dict[bool, dict[str, Any]] = {False: {"linestyle": "-"}, True: {"linestyle": "--"}}
"""How posteriors are drawn, whether or not they are outside of the training."""


def region_of_draws(draws: DataFrame, support: Support) -> Region:
    """Return the smoothed histogram of draws from a posterior, which ends where the prior does.

    Args:
        draws: ``log10_mass`` and ``log10_lifetime``, one row per draw.
        support: The prior's region.
    """
    theta = torch.from_numpy(draws[list(COLUMNS)].to_numpy(np.float64, copy=True))
    unit = support.to_unit(theta).numpy()
    low, high = np.quantile(unit, [0.001, 0.999], axis=0)
    room = MARGIN * np.maximum(high - low, 1e-3)
    low, high = np.clip(low - room, 0, 1), np.clip(high + room, 0, 1)
    first, second = np.linspace(low, high, N_BINS + 1).T
    counts = np.histogram2d(unit[:, 0], unit[:, 1], bins=[first, second])[0]
    centres = (torch.from_numpy((edges[1:] + edges[:-1]) / 2) for edges in (first, second))
    grid = support.to_theta(torch.stack(torch.meshgrid(*centres, indexing="ij"), dim=-1)).numpy()
    return Region(grid[..., 0], grid[..., 1], gaussian_filter(counts, SMOOTHING))


def marginal_of(values: NDArray) -> tuple[NDArray, NDArray]:
    """Return the smoothed density of draws of one parameter, relative to its highest value.

    Args:
        values: Draws, shape ``(n,)``.

    Returns:
        Places and values, zero at the first and last one.
    """
    counts, edges = np.histogram(values, 2 * N_BINS)
    smooth = gaussian_filter(counts.astype(float), SMOOTHING)
    places = np.concatenate([edges[:1], (edges[1:] + edges[:-1]) / 2, edges[-1:]])
    return places, np.concatenate([[0.0], smooth / smooth.max(), [0.0]])


def describe_set(row: Mapping[str, Any]) -> str:
    """Return the name of a set, its number of events, and its mass with the 68 % interval.

    Args:
        row: See :func:`bumpflow.reconstruction.observed.summarise_draws`.
    """
    ends = {"mass": "median", "low68": "low68", "high68": "high68"}
    mass = {f"{name}_gev": 10 ** row[f"log10_mass_{end}"] for name, end in ends.items()}
    n = row["n_events"]
    text = f"set {row['set']}: {n} event{'s' if n > 1 else ''}, {describe_mass(mass)}"
    return f"{text}, outside of the training" if row["outside"] else text


def draw_observed_page(
    figure: Figure,
    *,
    draws: DataFrame,
    sets: Sequence[Mapping[str, Any]],
    prior: Mapping[str, Any],
) -> None:
    """Draw posteriors of mass and lifetime of sets, joint and marginal ones.

    Args:
        figure: An empty figure.
        draws: ``set``, ``log10_mass`` and ``log10_lifetime``, one row per draw.
        sets: A row per set, see :func:`bumpflow.reconstruction.observed.summarise_draws`; the first
            :data:`MOST_SETS` are drawn.
        prior: Settings of :class:`bumpflow.simulate.alps.settings.Prior`.
    """
    (above, corner), (plane, beside) = figure.subplots(
        2, 2, width_ratios=(2.4, 1), height_ratios=(1, 2.4), sharex="col", sharey="row"
    )
    corner.remove()
    shown = sets[:MOST_SETS]
    groups = dict(list(draws.groupby("set")))
    support = Support.of(Prior(**prior))
    regions = [region_of_draws(groups[row["set"]], support) for row in shown]
    limits = joint_limits(regions)
    draw_prior(plane, prior_corners(prior))
    for row, region, color in zip(shown, regions, SPARE_COLORS, strict=False):
        look = LINES[bool(row["outside"])]
        draw_region(plane, region=region, color=color, **look)
        mine = groups[row["set"]]
        for ax, column in zip((above, beside), COLUMNS, strict=True):
            place, density = marginal_of(mine[column].to_numpy())
            line = (10**place, density) if ax is above else (density, 10**place)
            ax.plot(*line, color=color, **look)
    finish_plane(plane, limits)
    _finish_marginals(above, beside)
    plane.set(xlabel=PARAMETERS["mass"].label, ylabel=PARAMETERS["lifetime"].label)
    figure.legend(handles=_handles(sets), loc="outside lower center", ncols=2)


def _finish_marginals(above: Axes, beside: Axes) -> None:
    """Let densities of one parameter begin at zero, without numbers."""
    above.set(ylim=(0, 1.1), yticks=[], ylabel="density")
    beside.set(xlim=(0, 1.1), xticks=[], xlabel="density")
    for axis in (above.xaxis, beside.yaxis):
        label_logarithm(axis)


def _handles(sets: Sequence[Mapping[str, Any]]) -> list[Artist]:
    """Return the legend, with what posteriors say of the mass."""
    handles: list[Artist] = [
        Line2D(
            [], [], color=color, label=describe_set(row), **LINES[bool(row["outside"])]
        )
        for row, color in zip(sets, SPARE_COLORS, strict=False)
    ]  # fmt: skip
    left_out = len(sets) - len(handles)
    if left_out > 0:
        handles.append(Line2D([], [], linestyle="", label=f"{left_out} more are not drawn"))
    handles.append(Patch(color=DARK, alpha=0.3, linewidth=0, label="68 and 95 % of the posterior"))
    handles.append(Patch(facecolor=OUTSIDE_COLOR, label="outside of the prior"))
    return handles
