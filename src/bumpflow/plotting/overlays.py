"""Distributions of many features: a reference and samples that imitate it, with ratios."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from bumpflow.plotting.histograms import Densities, divide
from bumpflow.plotting.names import FeatureStyle, ModelStyle

COLUMNS = 4
BAND_COLOR, BAND_ALPHA = "#8b90a0", 0.35


def panel_rows(n_features: int) -> int:
    """Return how many rows of panels a page needs, with room left for the legend."""
    return -(-(n_features + 1) // COLUMNS)


def panel_heights(n_features: int) -> list[float]:
    """Return the heights of a page's rows; one that holds the legend alone is low."""
    rows = panel_rows(n_features)
    return [1.0] * (rows - 1) + [1.0 if n_features % COLUMNS else 0.35]


def draw_overlay_page(
    figure: Figure,
    *,
    reference: Densities,
    samples: Mapping[str, Densities],
    features: Sequence[FeatureStyle],
    styles: Mapping[str, ModelStyle],
    log: bool,
) -> None:
    """Fill a figure with one panel per feature: densities above, sample over reference below.

    Args:
        figure: An empty figure without automatic layout.
        reference: Densities of the reference, drawn with its uncertainty as a band.
        samples: Densities of each sample, by name.
        features: How each feature is drawn.
        styles: How the samples are drawn, by name, and the reference under ``"mc"``.
        log: Whether densities are on a logarithmic axis.
    """
    grid = figure.add_gridspec(
        panel_rows(len(features)),
        COLUMNS,
        left=0.05,
        right=0.992,
        top=0.99,
        bottom=0.042,
        wspace=0.24,
        hspace=0.27,
        height_ratios=panel_heights(len(features)),
    )
    for index, feature in enumerate(features):
        cell = grid[index // COLUMNS, index % COLUMNS].subgridspec(
            2, 1, height_ratios=(1.9, 1), hspace=0.07
        )
        upper = figure.add_subplot(cell[0])
        lower = figure.add_subplot(cell[1], sharex=upper)
        one = {name: _pick(sample, index) for name, sample in samples.items()}
        draw_densities(upper, reference=_pick(reference, index), samples=one, styles=styles)
        draw_ratios(lower, reference=_pick(reference, index), samples=one, styles=styles)
        _finish_panel(upper, lower, feature, log=log, first=index % COLUMNS == 0)
    _add_legend(figure, grid, styles, list(samples), start=len(features))


def _pick(densities: Densities, index: int) -> Densities:
    """Return one feature's density."""
    return Densities(*(part[index] for part in densities))


def draw_densities(
    ax: Axes, *, reference: Densities, samples: Mapping[str, Densities], styles: Mapping
) -> None:
    """Draw one feature's densities: the reference as filled area with band, samples as lines.

    Args:
        ax: Axes to draw into.
        reference: Density of the reference, of shape ``(n_bins,)``.
        samples: Densities of the samples, by name.
        styles: How each is drawn.
    """
    ax.stairs(reference.values, reference.edges, fill=True, color="#e4e7ee")
    ax.stairs(reference.values, reference.edges, color=styles["mc"].color, linewidth=0.9)
    error = np.sqrt(reference.variances)
    _draw_band(ax, reference.edges, reference.values - error, reference.values + error)
    for name, sample in samples.items():
        ax.stairs(sample.values, sample.edges, color=styles[name].color, linewidth=1.1)


def draw_ratios(
    ax: Axes, *, reference: Densities, samples: Mapping[str, Densities], styles: Mapping
) -> None:
    """Draw sample over reference; bars are the sample's uncertainty, the band the reference's.

    Args:
        ax: Axes to draw into.
        reference: Density of the reference, of shape ``(n_bins,)``.
        samples: Densities of the samples, by name.
        styles: How each is drawn.
    """
    _, error = divide(reference.values, reference.variances, reference.values)
    _draw_band(ax, reference.edges, 1 - np.nan_to_num(error), 1 + np.nan_to_num(error))
    ax.axhline(1, color=styles["mc"].color, linewidth=0.8)
    width = np.diff(reference.edges)
    for index, (name, sample) in enumerate(samples.items()):
        ratio, error = divide(sample.values, sample.variances, reference.values)
        x = reference.edges[:-1] + width * (index + 1) / (len(samples) + 1)
        style = styles[name]
        fmt = style.marker if len(samples) == 1 else "none"
        ax.errorbar(
            x,
            ratio,
            error,
            fmt=fmt,
            ecolor=style.color,
            color=style.color,
            markersize=2.5,
            linewidth=0.8,
        )
        if len(samples) > 1:  # points of many samples would hide each other
            ax.stairs(ratio, sample.edges, color=style.color, linewidth=0.9, baseline=None)


def _draw_band(ax: Axes, edges: NDArray, low: NDArray, high: NDArray) -> None:
    """Shade the range between two step curves."""
    ax.fill_between(
        edges,
        np.r_[low, low[-1:]],
        np.r_[high, high[-1:]],
        step="post",
        color=BAND_COLOR,
        alpha=BAND_ALPHA,
        linewidth=0,
    )


def _finish_panel(
    upper: Axes, lower: Axes, feature: FeatureStyle, *, log: bool, first: bool
) -> None:
    """Set scales and labels of a feature's two panels."""
    upper.set_xlim(feature.low, feature.high)
    if log:
        upper.set_yscale("log")
        top = max(upper.dataLim.ymax, 1e-12)
        upper.set_ylim(top * 2e-5, top * 3)
    else:
        upper.set_ylim(0, upper.dataLim.ymax * 1.08)
    upper.tick_params(labelbottom=False)
    for ax in (upper, lower):
        ax.minorticks_off()  # two thirds of the time that a page of 36 panels takes
    lower.set_ylim(0.5, 1.5)
    lower.set_yticks([0.6, 1.0, 1.4])
    lower.set_xlabel(feature.label, labelpad=1)
    if first:
        upper.set_ylabel("density")
        lower.set_ylabel("ratio")


def _add_legend(
    figure: Figure, grid: GridSpec, styles: Mapping, names: Sequence[str], *, start: int
) -> None:
    """Put the legend into the cells that are left."""
    ax = figure.add_subplot(grid[start // COLUMNS, start % COLUMNS :])
    ax.set_axis_off()
    alone = len(names) == 1
    handles: list[Artist] = [
        Patch(facecolor="#e4e7ee", edgecolor=styles["mc"].color, label=styles["mc"].label),
        Patch(
            color=BAND_COLOR, alpha=BAND_ALPHA, linewidth=0, label="its statistical uncertainty"
        ),
    ]
    for name in names:
        style, marker = styles[name], styles[name].marker if alone else ""
        handles.append(Line2D([], [], color=style.color, marker=marker, label=style.label))
    ax.legend(handles=handles, loc="upper left", fontsize=10.5, borderpad=0)
