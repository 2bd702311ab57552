"""Predicted against true significance: response, bias, spread and coverage."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, cast

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray
from pandas import DataFrame

from bumpflow.plotting.hunt_numbers import SIGMA, cell_edges, measure_cells
from bumpflow.plotting.names import ModelStyle
from bumpflow.plotting.scans import label_plainly
from bumpflow.report.numbers import MINUS

SIGNAL = ModelStyle("with signal", "#3f90da", "o")
BACKGROUND = ModelStyle("background only", "#717581", "s")
DARK = "#1f2430"
BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.8}
"""Box behind text that lines pass."""
OFF_LABEL = r"$z_{predicted} - z_{true}$ [$\sigma$]"
BANDS = (("95 %", (0.025, 0.975), ":"), ("68 %", SIGMA, "--"))
"""Central intervals that are drawn as lines."""
FEWEST_IN_BAND = 40
TARGETS = {"coverage68": (0.68, 0.03), "coverage95": (0.95, 0.02)}
"""Coverage of the intervals, and how far from it is good enough."""


class Quantity(NamedTuple):
    """What cells are made of: a value per histogram, its label, and whether its axis is log."""

    label: str
    of: Callable[[DataFrame], NDArray]
    log: bool = False


QUANTITIES = (
    Quantity("number of bins", lambda t: t["n_bins"].to_numpy(float)),
    Quantity("signal width, s.d. [bins]", lambda t: t["width"].to_numpy(float)),
    Quantity(
        "background, first bin / last bin",
        lambda t: (t["counts_first"] / t["counts_last"].clip(lower=1e-9)).to_numpy(float),
        log=True,
    ),
)


def difference(table: DataFrame) -> NDArray[np.float64]:
    """Return predicted less true largest significance of each histogram."""
    return (table["z_predicted"] - table["z_true"]).to_numpy(np.float64)


def quantile_bands(
    truth: NDArray, off: NDArray, *, levels: Sequence[float], step: float
) -> tuple[NDArray, NDArray]:
    """Return quantiles of the difference in slices of the true significance.

    Args:
        truth: True significances, shape ``(n,)``.
        off: Differences, shape ``(n,)``.
        levels: Quantiles, shape ``(n_levels,)``.
        step: Width of a slice; those of few histograms are left out.

    Returns:
        Mean true significance of each slice, shape ``(n_slices,)``, and the quantiles, shape
        ``(n_levels, n_slices)``.
    """
    index = np.floor(truth / step).astype(int)
    slices = [index == k for k in np.unique(index) if (index == k).sum() >= FEWEST_IN_BAND]
    centers = np.array([truth[inside].mean() for inside in slices])
    found = [np.quantile(off[inside], levels) for inside in slices]
    return centers, np.array(found).reshape(len(slices), len(levels)).T


def draw_response(ax: Axes, *, truth: NDArray, off: NDArray, reach: float) -> Artist:
    """Draw the density of the difference against the true significance, with bands.

    Args:
        ax: Axes to draw into.
        truth: True significances, shape ``(n,)``.
        off: Differences, shape ``(n,)``.
        reach: The vertical axis goes so far up and down.

    Returns:
        The density, for a colour bar.
    """
    top = float(np.quantile(truth, 0.999)) + 0.25
    edges = np.linspace(0, top, 81), np.linspace(-reach, reach, 81)
    counts = np.histogram2d(truth, off, bins=edges)[0].T
    shown = np.ma.masked_equal(counts, 0)
    drawn = ax.pcolormesh(
        *edges, shown, cmap="Greys", norm=LogNorm(0.3, max(counts.max(), 1)), rasterized=True
    )
    levels = [0.5, *(level for _, pair, _ in BANDS for level in pair)]
    centers, found = quantile_bands(truth, off, levels=levels, step=top / 20)
    styles = ["-", *(style for _, _, style in BANDS for _ in range(2))]
    for curve, style in zip(found, styles, strict=True):
        ax.plot(centers, curve, color="white", linewidth=2.6)
        ax.plot(centers, curve, color=SIGNAL.color, linestyle=style, linewidth=1.5)
    ax.axhline(0, color="#bd1f01", linewidth=0.8)
    ax.set(xlim=(0, top), ylim=(-reach, reach))
    return drawn


def draw_sideways(ax: Axes, *, off: NDArray, reach: float, n_bins: int = 60) -> None:
    """Draw the distribution of the difference of background-only histograms, lying on its side.

    Args:
        ax: Axes to draw into.
        off: Differences, shape ``(n,)``.
        reach: The vertical axis goes so far up and down.
        n_bins: Number of bins.
    """
    edges = np.linspace(-reach, reach, n_bins + 1)
    counts, _ = np.histogram(np.clip(off, -reach, reach), bins=edges)
    density = counts / (max(len(off), 1) * np.diff(edges))
    style: dict[str, Any] = {"orientation": "horizontal", "color": BACKGROUND.color}
    ax.stairs(density, edges, fill=True, alpha=0.3, **style)
    ax.stairs(density, edges, **style)
    ax.axhline(0, color="#bd1f01", linewidth=0.8)
    ax.set_xlim(0, 1.5 * max(density.max(), 1e-9))
    ax.set_ylim(-reach, reach)


def describe_difference(off: NDArray) -> str:
    """Return mean and standard deviation of the difference, and the number of histograms."""
    error = off.std() / np.sqrt(len(off))
    mean = with_minus(f"{off.mean():+.3f}")
    return f"mean {mean} ± {error:.3f}\ns.d. {off.std():.3f}\n{len(off)} histograms"


def with_minus(number: str) -> str:
    """Return a number with a typographic minus sign."""
    return number.replace("-", MINUS)


def draw_response_page(figure: Figure, *, table: DataFrame) -> None:
    """Draw how predicted significances follow the true ones, background-only histograms apart.

    Args:
        figure: An empty figure.
        table: One row per histogram: ``width`` (0 without signal), ``z_true``, ``z_predicted``.

    References:
        Shkuri (2024), thesis at the Weizmann Institute, figure 9
    """
    off, signal = difference(table), table["width"].to_numpy() > 0
    truth = table["z_true"].to_numpy(float)
    reach = max(1.0, 1.3 * float(np.quantile(np.abs(off), 0.995)))
    ratios = (2.7, 1) if not signal.all() else (1,)
    left, *right = figure.subplots(
        1, len(ratios), sharey=True, width_ratios=ratios, squeeze=False
    )[0]
    if signal.any():
        drawn = draw_response(left, truth=truth[signal], off=off[signal], reach=reach)
        figure.colorbar(cast("Any", drawn), ax=left, label="histograms / cell", pad=0.01)
        _write(left, describe_difference(off[signal]), y=0.97, va="top")
    for ax in right:
        draw_sideways(ax, off=off[~signal], reach=reach)
        _write(ax, describe_difference(off[~signal]), y=0.97, va="top")
        ax.set(xlabel=r"density [1 / $\sigma$]", title="Background only")
    near = signal & (np.abs(truth - 5) < 0.5)
    if near.sum() >= FEWEST_IN_BAND:
        within = [np.mean(np.abs(off[near]) < step) for step in (1, 2)]
        text = f"true 5 $\\sigma$: {within[0]:.0%} within 1 $\\sigma$, {within[1]:.0%} within 2"
        _write(left, text.replace("%", " %"), y=0.03, va="bottom")
    left.set(xlabel=r"$z_{true}$ [$\sigma$]", ylabel=OFF_LABEL, title="With signal")
    lines: list[tuple[str, Any]] = [
        ("median", "-"),
        *((f"{name} of histograms", style) for name, _, style in BANDS[::-1]),
    ]
    handles = [
        Line2D([], [], color=SIGNAL.color, linestyle=style, label=name) for name, style in lines
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _write(ax: Axes, text: str, *, y: float, va: Literal["top", "bottom"]) -> None:
    """Write text to the right of a panel, over what is drawn there."""
    ax.text(0.97, y, text, transform=ax.transAxes, ha="right", va=va, bbox=BEHIND)


def collect_cells(
    table: DataFrame, quantity: Quantity, *, n_cells: int
) -> list[tuple[ModelStyle, DataFrame]]:
    """Return what cells of a quantity hold, apart for histograms with and without signal.

    Kinds of histograms that there are none of are left out.

    Args:
        table: One row per histogram.
        quantity: What cells are made of.
        n_cells: Most cells.
    """
    found = []
    for style, part in _by_kind(table):
        values = quantity.of(part)
        edges = cell_edges(values, n_cells=n_cells)
        found.append((style, measure_cells(part, values, edges=edges)))
    return found


def _by_kind(table: DataFrame) -> list[tuple[ModelStyle, DataFrame]]:
    """Return the histograms with and those without signal, where there are any."""
    signal = table["width"] > 0
    kinds = ((SIGNAL, table[signal]), (BACKGROUND, table[~signal]))
    return [(style, part) for style, part in kinds if len(part)]


def _shift(x: NDArray, step: float, *, log: bool) -> NDArray:
    """Return abscissae, moved by some steps, so that error bars do not overlap."""
    if log:
        return np.asarray(x * 1.08**step)
    return np.asarray(x + 0.015 * step * max(np.ptp(x), 1.0))


def _finish_columns(axes: NDArray) -> None:
    """Label the columns of cells, and use a logarithmic axis where the quantity asks for one."""
    for column, quantity in zip(axes.T, QUANTITIES, strict=True):
        column[-1].set_xlabel(quantity.label)
        if quantity.log:
            column[-1].set_xscale("log")
        for ax in column:
            ax.margins(x=0.06)
        if quantity.log:
            label_plainly(column[-1].xaxis)


def draw_cells_page(figure: Figure, *, table: DataFrame, n_cells: int) -> None:
    """Draw bias (above) and spread (below) in cells of three quantities.

    Args:
        figure: An empty figure.
        table: One row per histogram: ``n_bins``, ``width``, ``counts_first``, ``counts_last``,
            ``z_true``, ``z_predicted`` and its quantiles.
        n_cells: Most cells per quantity.
    """
    axes = figure.subplots(2, len(QUANTITIES), sharex="col", sharey="row")
    for column, quantity in zip(axes.T, QUANTITIES, strict=True):
        for index, (style, cells) in enumerate(collect_cells(table, quantity, n_cells=n_cells)):
            if cells.empty:
                continue
            x, log = cells["center"].to_numpy(float), quantity.log
            points = {"color": style.color, "fmt": style.marker, "capsize": 2, "markersize": 5}
            for ax, name, step, fill in (
                (column[0], "bias", index - 0.5, style.color),
                (column[1], "spread", index - 0.9, style.color),
                (column[1], "spread68", index - 0.1, "white"),
            ):
                ax.errorbar(
                    _shift(x, step, log=log),
                    cells[name],
                    cells[f"{name}_error"],
                    markerfacecolor=fill,
                    **points,
                )
        column[0].axhline(0, color=DARK, linewidth=0.8)
    low, high = axes[0, 0].get_ylim()
    reach = max(0.1, 1.15 * max(-low, high))
    axes[0, 0].set_ylim(-reach, reach)
    axes[1, 0].set_ylim(0, 1.15 * max(ax.dataLim.ymax for ax in axes[1]))
    axes[0, 0].set_ylabel(f"mean of {OFF_LABEL}")
    axes[1, 0].set_ylabel(r"spread [$\sigma$]")
    _finish_columns(axes)
    handles = [
        *_kind_handles(table),
        Line2D([], [], color=DARK, marker="o", linestyle="", label="standard deviation"),
        Line2D(
            [], [], color=DARK, marker="o", linestyle="", markerfacecolor="white",
            label="half the range from 16 to 84 %",
        ),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def draw_coverage_page(figure: Figure, *, table: DataFrame, n_cells: int) -> None:
    """Draw how often predicted intervals hold the truth, in cells of three quantities.

    Args:
        figure: An empty figure.
        table: As for :func:`draw_cells_page`.
        n_cells: Most cells per quantity.
    """
    axes = figure.subplots(2, len(QUANTITIES), sharex="col", sharey="row")
    for row, (name, (target, reach)) in zip(axes, TARGETS.items(), strict=True):
        for ax, quantity in zip(row, QUANTITIES, strict=True):
            ax.axhspan(target - reach, target + reach, color="#2a8a6c", alpha=0.18, linewidth=0)
            ax.axhline(target, color="#2a8a6c", linewidth=0.9, linestyle="--")
            for index, (style, cells) in enumerate(
                collect_cells(table, quantity, n_cells=n_cells)
            ):
                if cells.empty:
                    continue
                ax.errorbar(
                    _shift(cells["center"].to_numpy(float), index - 0.5, log=quantity.log),
                    cells[name],
                    [cells[f"{name}_low"], cells[f"{name}_high"]],
                    fmt=style.marker,
                    color=style.color,
                    capsize=2,
                    markersize=5,
                )
        row[0].set_ylabel(f"coverage of {target:.0%} intervals".replace("%", " %"))
        row[0].yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
        low, high = row[0].get_ylim()
        row[0].set_ylim(min(low, target - 2 * reach), min(1.0, max(high, target + 2 * reach)))
    _finish_columns(axes)
    band = Patch(color="#2a8a6c", alpha=0.18, linewidth=0, label="target: 68 ± 3 %, 95 ± 2 %")
    handles = [*_kind_handles(table), band]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _kind_handles(table: DataFrame) -> list[Artist]:
    """Return the legend of histograms with and without signal."""
    return [
        Line2D([], [], color=one.color, marker=one.marker, linestyle="", label=one.label)
        for one, _ in _by_kind(table)
    ]
