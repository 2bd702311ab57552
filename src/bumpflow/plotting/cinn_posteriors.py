"""Posteriors of mass and lifetime of sets of events, and how wide they are.

References:
    Morandini, Ferber, Kahlhoefer (2023), https://arxiv.org/abs/2308.01353
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Polygon
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray
from pandas import DataFrame

from bumpflow.compatibility.inference import LEVELS
from bumpflow.plotting.alp_posteriors import DARK, FEWEST, quantiles_by_mass
from bumpflow.plotting.corner import contour_levels
from bumpflow.plotting.names import (
    BENCHMARK_COLORS,
    BENCHMARK_MARKERS,
    PARAMETERS,
    ModelStyle,
    size_styles,
)
from bumpflow.plotting.scans import label_plainly
from bumpflow.reconstruction.diagnostics import prior_variances
from bumpflow.reconstruction.support import Support
from bumpflow.simulate.alps.settings import Prior

SHARES = tuple(sorted(LEVELS, reverse=True))
"""Shares of a posterior inside its contours, the outer one first."""
OUTSIDE_COLOR = "#eef0f4"
TRUTH: dict[str, Any] = {
    "marker": "*", "linestyle": "", "color": DARK, "markersize": 12, "markeredgecolor": "white",
}  # fmt: skip
RATE: dict[str, Any] = {"linestyle": ":", "linewidth": 1.6}
"""How numbers are drawn that use the rate of events."""
PUBLISHED_SIZE = 3
"""Events of a set in the slides; sets nearest to that are drawn in the prior's region."""
MARGIN = 0.12
"""Room around contours, as a share of what they span."""
N_LIFETIMES = (3, 12)
"""Least and largest number of bins of true lifetimes; many sets get more."""
MASS_RANGES = 3
"""Ranges of masses that are told apart, with as many sets in each."""


class Region(NamedTuple):
    """A posterior of both parameters on a grid.

    Attributes:
        log10_mass: Points, shape ``(n_masses, n_lifetimes)``.
        log10_lifetime: Points; they may depend on the mass.
        density: Density at these, of points of equal area.
    """

    log10_mass: NDArray
    log10_lifetime: NDArray
    density: NDArray

    @property
    def levels(self) -> NDArray:
        """Densities at the contours of :data:`SHARES`, rising."""
        return np.unique(contour_levels(self.density, SHARES))

    @property
    def limits(self) -> NDArray:
        """Range of each parameter in the outer contour, shape ``(2, 2)``."""
        inside = self.density >= self.levels[0]
        parts = (self.log10_mass[inside], self.log10_lifetime[inside])
        return np.array([[part.min(), part.max()] for part in parts])


def prior_corners(prior: Mapping[str, Any]) -> NDArray:
    """Return the corners of a prior's region, in order.

    Args:
        prior: Settings of :class:`bumpflow.simulate.alps.settings.Prior`.

    Returns:
        log10 of mass [GeV] and lifetime, c tau / m [m / GeV], shape ``(4, 2)``.
    """
    square = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    return Support.of(Prior(**prior)).to_theta(square).numpy()


def prior_widths(prior: Mapping[str, Any]) -> NDArray:
    """Return the prior's standard deviations of log10 of mass and lifetime, shape ``(2,)``."""
    return np.sqrt(prior_variances(Support.of(Prior(**prior))))


def region_of(table: DataFrame) -> Region:
    """Return a posterior as arrays.

    Args:
        table: ``log10_mass``, ``log10_lifetime`` and ``density`` on a grid, in any order; each mass
            has as many lifetimes.
    """
    ordered = table.sort_values(["log10_mass", "log10_lifetime"])
    shape = (ordered["log10_mass"].nunique(), -1)
    columns = ("log10_mass", "log10_lifetime", "density")
    return Region(*(ordered[name].to_numpy(float).reshape(shape) for name in columns))


def draw_region(ax: Axes, *, region: Region, color: str, linestyle: str = "-") -> None:
    """Draw the contours of a posterior, filled.

    Args:
        ax: Axes of mass [GeV] and lifetime [m / GeV].
        region: The posterior.
        color: Its colour.
        linestyle: How contours are drawn.
    """
    x, y, levels = 10**region.log10_mass, 10**region.log10_lifetime, region.levels
    faces = [to_rgba(color, alpha) for alpha in (0.12, 0.32)][-len(levels) :]
    ax.contourf(x, y, region.density, levels=[*levels, np.inf], colors=faces)
    ax.contour(
        x, y, region.density, levels=levels, colors=color, linewidths=1.1, linestyles=linestyle
    )


def draw_prior(ax: Axes, corners: NDArray) -> None:
    """Shade what is outside of the prior.

    Args:
        ax: Axes of mass [GeV] and lifetime [m / GeV].
        corners: log10 of mass and lifetime of the prior's corners, in order, shape ``(4, 2)``.
    """
    ax.set_facecolor(OUTSIDE_COLOR)
    ax.add_patch(Polygon(10**corners, closed=True, facecolor="white", edgecolor="none", zorder=0))


def finish_plane(ax: Axes, limits: NDArray) -> None:
    """Show a part of the plane of mass and lifetime, on logarithmic axes.

    Args:
        ax: Axes of mass [GeV] and lifetime [m / GeV].
        limits: Range of log10 of each, shape ``(2, 2)``.
    """
    room = MARGIN * np.maximum(limits[:, 1] - limits[:, 0], 1e-2)
    (left, right), (low, high) = 10 ** (limits + np.outer(room, [-1, 1]))
    ax.set(xscale="log", yscale="log", xlim=(left, right), ylim=(low, high))
    for axis in (ax.xaxis, ax.yaxis):
        label_logarithm(axis)


def label_logarithm(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers, whether it spans little or much."""
    low, high = axis.get_view_interval()
    if high > 60 * low:
        axis.set_major_locator(LogLocator())
    elif high > 4 * low:
        label_plainly(axis)
    else:
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def joint_limits(regions: Sequence[Region]) -> NDArray:
    """Return the range of each parameter in the outer contours of posteriors, shape ``(2, 2)``."""
    limits = np.array([region.limits for region in regions])
    return np.stack([limits[..., 0].min(0), limits[..., 1].max(0)], axis=1)


def draw_posteriors_page(
    figure: Figure,
    *,
    examples: DataFrame,
    corners: NDArray,
    benchmarks: Mapping[str, ModelStyle],
) -> None:
    """Draw examples of posteriors: all in the prior's region, and those of each benchmark.

    Args:
        figure: An empty figure.
        examples: ``benchmark``, ``n_events``, ``log10_mass``, ``log10_lifetime`` and ``density`` on
            a grid, and the truth, ``true_log10_mass`` and ``true_log10_lifetime``.
        corners: log10 of mass and lifetime of the prior's corners, in order, shape ``(4, 2)``.
        benchmarks: How signals are drawn.
    """
    first, *axes = figure.subplots(1, 1 + len(benchmarks), squeeze=False)[0]
    sizes = size_styles(examples["n_events"].unique().tolist())
    shown = min(sizes, key=lambda n: abs(n - PUBLISHED_SIZE))
    for ax, (name, style) in zip(axes, benchmarks.items(), strict=True):
        mine = examples[examples["benchmark"] == name]
        regions = {n: region_of(mine[mine["n_events"] == n]) for n in sizes}
        draw_prior(ax, corners)
        for n, region in regions.items():
            draw_region(ax, region=region, color=sizes[n].color)
        draw_region(first, region=regions[shown], color=style.color)
        truth = 10 ** mine[["true_log10_mass", "true_log10_lifetime"]].iloc[0].to_numpy(float)
        for one in (ax, first):
            one.plot(*truth, **TRUTH)
        finish_plane(ax, joint_limits(list(regions.values())))
        ax.set_title(style.label)
    draw_prior(first, corners)
    finish_plane(first, np.stack([corners.min(0), corners.max(0)], axis=1))
    first.set_title(f"All, {sizes[shown].label}")
    _label_plane([first, *axes])
    handles = [
        *(Patch(color=s.color, alpha=0.5, linewidth=0, label=s.label) for s in sizes.values()),
        Line2D([], [], label="truth", **TRUTH),
        Patch(facecolor=OUTSIDE_COLOR, label="outside of the prior"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _label_plane(axes: Sequence[Axes]) -> None:
    for ax in axes:
        ax.set_xlabel(PARAMETERS["mass"].label)
    axes[0].set_ylabel(PARAMETERS["lifetime"].label)


def draw_roles(
    ax: Axes, *, table: DataFrame, parameter: str, ranges: Mapping[str, ModelStyle]
) -> None:
    """Draw how wide posteriors of a parameter are against the true lifetime.

    Args:
        ax: Axes to draw into.
        table: ``range`` of the mass, ``log10_lifetime``, the true one, and standard deviations
            such as ``sigma_mass``; with the rate of events, such as ``sigma_lifetime_rate``, if
            there are any.
        parameter: Name of the parameter, ``mass`` or ``lifetime``.
        ranges: How ranges of masses are drawn.
    """
    lifetimes = table["log10_lifetime"].to_numpy(float)
    n_bins = int(np.clip(len(table) / (2 * MASS_RANGES * FEWEST), *N_LIFETIMES))
    edges = np.linspace(lifetimes.min(), lifetimes.max(), n_bins + 1)
    known = f"sigma_{parameter}_rate"
    for name, style in ranges.items():
        rows = table[table["range"] == name]
        if len(rows) < FEWEST:
            continue
        place = rows["log10_lifetime"].to_numpy()
        found = quantiles_by_mass(place, rows[f"sigma_{parameter}"].to_numpy(), edges)
        ax.fill_between(
            found["mass"], found["low"], found["high"], color=style.color, alpha=0.15, linewidth=0
        )
        ax.plot(found["mass"], found["median"], f"{style.marker}-", color=style.color)
        if known in rows:
            found = quantiles_by_mass(place, rows[known].to_numpy(), edges)
            ax.plot(found["mass"], found["median"], color=style.color, **RATE)
    ax.set(xscale="log", xlim=10 ** edges[[0, -1]])
    label_logarithm(ax.xaxis)


def mass_ranges(roles: DataFrame) -> tuple[DataFrame, dict[str, ModelStyle]]:
    """Return a table with the ``range`` of each true mass, and how ranges are drawn.

    Args:
        roles: ``log10_mass``, the true one, among others.
    """
    masses = roles["log10_mass"].to_numpy(float)
    inner = np.quantile(masses, np.linspace(0, 1, MASS_RANGES + 1)[1:-1])
    ends = 10 ** np.array([masses.min(), *inner, masses.max()])
    labels = [f"$m_a$ = {low:.2g} to {high:.2g} GeV" for low, high in pairwise(ends)]
    looks = zip(labels, BENCHMARK_COLORS, BENCHMARK_MARKERS, strict=False)
    styles = {str(index): ModelStyle(*look) for index, look in enumerate(looks)}
    place = np.searchsorted(inner, masses, side="right")
    return roles.assign(range=place.astype(str)), styles


def draw_roles_page(figure: Figure, *, roles: DataFrame, prior: NDArray) -> None:
    """Draw how wide posteriors of mass and lifetime are against the true lifetime.

    Args:
        figure: An empty figure.
        roles: One row per set: ``log10_mass`` and ``log10_lifetime``, the true ones, ``n_events``,
            ``sigma_mass``, ``sigma_lifetime`` and ``sigma_lifetime_rate``.
        prior: Standard deviations of the prior of both parameters.
    """
    table, ranges = mass_ranges(roles)
    sizes = size_styles(roles["n_events"].unique().tolist())
    axes = figure.subplots(len(PARAMETERS), len(sizes), squeeze=False, sharex=True, sharey="row")
    for line, (name, parameter), limit in zip(axes, PARAMETERS.items(), prior, strict=True):
        for ax, (n, style) in zip(line, sizes.items(), strict=True):
            ax.axhline(limit, color=DARK, linewidth=0.9, linestyle="--")
            rows = table[table["n_events"] == n]
            draw_roles(ax, table=rows, parameter=name, ranges=ranges)
            ax.set_title(f"{name.capitalize()}, {style.label}")
        line[0].set_ylabel(parameter.width)
    axes[0, 0].set_yscale("log")
    label_logarithm(axes[0, 0].yaxis)
    axes[1, 0].set_ylim(bottom=0)
    for ax in axes[-1]:
        ax.set_xlabel(PARAMETERS["lifetime"].label)
    handles = [
        *(Line2D([], [], color=s.color, marker=s.marker, label=s.label) for s in ranges.values()),
        Patch(color=DARK, alpha=0.2, linewidth=0, label="68 % of sets"),
        Line2D([], [], color=DARK, label="median with the rate of events", **RATE),
        Line2D([], [], color=DARK, linewidth=0.9, linestyle="--", label="prior"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
