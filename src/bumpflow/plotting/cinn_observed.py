"""Posteriors of a user's sets of events."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
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
)
from bumpflow.plotting.names import PARAMETERS, SPARE_COLORS

MOST_SETS = len(SPARE_COLORS)
"""Sets of a user's events that one figure shows."""
N_BINS = 40
SMOOTHING = 1.8
"""Width of the smoothing of histograms [bin]."""
COLUMNS = {"mass": "log10_mass", "lifetime": "log10_lifetime"}
LINES: dict[bool, dict[str, Any]] = {False: {"linestyle": "-"}, True: {"linestyle": "--"}}
"""How posteriors are drawn, whether or not they are outside of the training."""


def region_of_draws(draws: DataFrame) -> Region:
    """Return the smoothed histogram of draws from a posterior.

    Args:
        draws: ``log10_mass`` and ``log10_lifetime``, one row per draw.
    """
    x = draws[list(COLUMNS.values())].to_numpy(float)
    low, high = np.quantile(x, [0.001, 0.999], axis=0)
    room = MARGIN * np.maximum(high - low, 1e-3)
    first, second = np.linspace(low - room, high + room, N_BINS + 1).T
    counts = np.histogram2d(x[:, 0], x[:, 1], bins=[first, second])[0]
    centres = ((edges[1:] + edges[:-1]) / 2 for edges in (first, second))
    log10_mass, log10_lifetime = np.meshgrid(*centres, indexing="ij")
    return Region(log10_mass, log10_lifetime, gaussian_filter(counts, SMOOTHING))


def marginal_of(values: NDArray, limits: NDArray) -> tuple[NDArray, NDArray]:
    """Return the smoothed density of draws of one parameter, relative to its highest value.

    Args:
        values: Draws, shape ``(n,)``.
        limits: Range of the histogram.

    Returns:
        Centres of bins and values, shape ``(2 * N_BINS,)`` each.
    """
    counts, edges = np.histogram(values, np.linspace(limits[0], limits[1], 2 * N_BINS + 1))
    smooth = gaussian_filter(counts.astype(float), SMOOTHING)
    return (edges[1:] + edges[:-1]) / 2, smooth / max(smooth.max(), 1e-12)


def describe_set(row: Mapping[str, Any]) -> str:
    """Return the name of a set, its number of events, and its mass with the 68 % interval.

    Args:
        row: See :func:`bumpflow.reconstruction.observed.summarise_draws`.
    """
    ends = {"mass": "median", "low68": "low68", "high68": "high68"}
    mass = {f"{name}_gev": 10 ** row[f"log10_mass_{end}"] for name, end in ends.items()}
    n = row["n_events"]
    text = f"{row['set']}: {n} event{'s' if n > 1 else ''}, {describe_mass(mass)}"
    return f"{text}, outside of the training" if row["outside"] else text


def draw_observed_page(
    figure: Figure, *, draws: DataFrame, sets: Sequence[Mapping[str, Any]], corners: NDArray
) -> None:
    """Draw posteriors of mass and lifetime of sets, joint and marginal ones.

    Args:
        figure: An empty figure.
        draws: ``set``, ``log10_mass`` and ``log10_lifetime``, one row per draw.
        sets: A row per set, see :func:`bumpflow.reconstruction.observed.summarise_draws`; the first
            :data:`MOST_SETS` are drawn.
        corners: log10 of mass and lifetime of the prior's corners, in order, shape ``(4, 2)``.
    """
    (above, corner), (plane, beside) = figure.subplots(
        2, 2, width_ratios=(2.4, 1), height_ratios=(1, 2.4), sharex="col", sharey="row"
    )
    corner.remove()
    shown = sets[:MOST_SETS]
    groups = dict(list(draws.groupby("set")))
    regions = [region_of_draws(groups[row["set"]]) for row in shown]
    limits = joint_limits(regions)
    draw_prior(plane, corners)
    for row, region, color in zip(shown, regions, SPARE_COLORS, strict=False):
        look = LINES[bool(row["outside"])]
        draw_region(plane, region=region, color=color, **look)
        mine = groups[row["set"]]
        for ax, column, ends in zip((above, beside), COLUMNS.values(), limits, strict=True):
            room = MARGIN * np.ptp(ends) * np.array([-1, 1])
            place, density = marginal_of(mine[column].to_numpy(), ends + room)
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
