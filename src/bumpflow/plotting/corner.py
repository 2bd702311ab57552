"""One- and two-dimensional projections of real and generated events."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from bumpflow.plotting.histograms import Densities, measure_densities
from bumpflow.plotting.names import FeatureStyle, ModelStyle

CONTENTS = (0.9, 0.5)
"""Shares of the events inside the contours that are drawn."""


def pair_counts(x: NDArray, ranges: NDArray, n_bins: int) -> NDArray:
    """Count events in the plane of every pair of features.

    Args:
        x: Events, shape ``(n_events, n_features)``.
        ranges: Lower and upper edge of each feature, shape ``(n_features, 2)``.
        n_bins: Bins along each feature.

    Returns:
        Counts, shape ``(n_features, n_features, n_bins, n_bins)``; the first feature's bins come
        first.
    """
    n_features = len(ranges)
    low, high = ranges[:, 0], ranges[:, 1]
    scaled = (np.asarray(x, dtype=np.float64) - low) / (high - low)
    inside = (scaled >= 0) & (scaled <= 1)
    bins = np.minimum((np.where(inside, scaled, 0) * n_bins).astype(np.int64), n_bins - 1)
    counts = np.zeros((n_features, n_features, n_bins, n_bins))
    for i in range(n_features):
        for j in range(i + 1):
            both = inside[:, i] & inside[:, j]
            flat = np.bincount(bins[both, i] * n_bins + bins[both, j], minlength=n_bins**2)
            counts[i, j] = flat.reshape(n_bins, n_bins)
            counts[j, i] = counts[i, j].T
    return counts


def contour_levels(density: NDArray, contents: Sequence[float] = CONTENTS) -> NDArray:
    """Return the densities whose contours hold given shares of the total, ascending.

    Args:
        density: Non-negative values on a grid.
        contents: Shares between 0 and 1, descending.

    References:
        Hyndman (1996), https://doi.org/10.1080/00031305.1996.10474359
    """
    ordered = np.sort(density, axis=None)[::-1]
    share = np.cumsum(ordered) / ordered.sum()
    return ordered[np.minimum(np.searchsorted(share, contents), len(ordered) - 1)]


def draw_corner(
    figure: Figure,
    *,
    samples: Sequence[NDArray],
    styles: Sequence[ModelStyle],
    features: Sequence[FeatureStyle],
    n_bins: int = 40,
) -> None:
    """Draw a readable corner plot of a few features: densities, and contours of every pair.

    Args:
        figure: An empty figure without automatic layout.
        samples: Real and generated events, shape ``(n_events, n_features)`` each.
        styles: How they are drawn.
        features: How each feature is drawn.
        n_bins: Bins along each feature.
    """
    size = len(features)
    ranges = np.array([[feature.low, feature.high] for feature in features])
    grid = figure.add_gridspec(
        size, size, left=0.07, right=0.99, top=0.99, bottom=0.07, wspace=0.06, hspace=0.06
    )
    axes = {(i, j): figure.add_subplot(grid[i, j]) for i in range(size) for j in range(i + 1)}
    for x, style in zip(samples, styles, strict=True):
        densities = measure_densities(x, ranges, n_bins)
        counts = pair_counts(x, ranges, n_bins)
        for (i, j), ax in axes.items():
            if i == j:
                _draw_steps(ax, Densities(*(part[i] for part in densities)), style)
            else:
                draw_contours(
                    ax,
                    counts[i, j],
                    densities.edges[j],
                    densities.edges[i],
                    style=style,
                    filled=style is styles[0],
                )
    for (i, j), ax in axes.items():
        _label_corner(ax, features, i, j)
    handles = [
        axes[0, 0].plot([], [], color=style.color, label=style.label)[0] for style in styles
    ]
    note = f"contours hold {CONTENTS[1]:.0%} and {CONTENTS[0]:.0%} of the events"
    figure.legend(
        handles=handles,
        title=note,
        loc="upper right",
        fontsize=12,
        bbox_to_anchor=(0.97, 0.97),
        alignment="left",
    )


def draw_contours(
    ax: Axes,
    counts: NDArray,
    x_edges: NDArray,
    y_edges: NDArray,
    *,
    style: ModelStyle,
    filled: bool,
) -> None:
    """Draw the smoothed contours of a histogram of two features.

    Args:
        ax: Axes to draw into.
        counts: Events per bin, shape ``(n_y, n_x)``.
        x_edges: Edges along the horizontal axis, shape ``(n_x + 1,)``.
        y_edges: Edges along the vertical axis, shape ``(n_y + 1,)``.
        style: How the sample is drawn.
        filled: Whether to fill the contours in grey, to tell the reference apart.
    """
    if not counts.any():
        return
    smooth = gaussian_filter(counts, 1.2)
    levels = np.unique(contour_levels(smooth))
    centers = [(edges[1:] + edges[:-1]) / 2 for edges in (x_edges, y_edges)]
    if filled:
        ax.contourf(*centers, smooth, levels=[*levels, np.inf], colors=["#e4e7ee", "#bcc1ce"])
    ax.contour(*centers, smooth, levels=levels, colors=style.color, linewidths=1.1)


def _draw_steps(ax: Axes, densities: Densities, style: ModelStyle) -> None:
    """Draw a density with its uncertainty as a band."""
    values, edges, error = densities.values, densities.edges, np.sqrt(densities.variances)
    low, high = np.maximum(values - error, 0), values + error
    ax.stairs(values, edges, color=style.color)
    ax.fill_between(
        edges,
        np.r_[low, low[-1:]],
        np.r_[high, high[-1:]],
        step="post",
        color=style.color,
        alpha=0.25,
        linewidth=0,
    )


def _label_corner(ax: Axes, features: Sequence[FeatureStyle], i: int, j: int) -> None:
    """Label a panel if it is on the rim, and keep its range."""
    ax.set_xlim(features[j].low, features[j].high)
    ax.minorticks_off()
    ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], prune="both"))
    ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], prune="both"))
    if i == j:
        ax.set_ylim(bottom=0)
        ax.set_yticks([])
    else:
        ax.set_ylim(features[i].low, features[i].high)
    if i == len(features) - 1:
        ax.set_xlabel(features[j].label)
    else:
        ax.tick_params(labelbottom=False)
    if j == 0 and i > 0:
        ax.set_ylabel(features[i].label)
    else:
        ax.tick_params(labelleft=False)


def draw_pair_matrix(
    ax: Axes,
    *,
    real: NDArray,
    generated: NDArray,
    features: Sequence[FeatureStyle],
    styles: Sequence[ModelStyle],
    n_bins: int = 36,
) -> None:
    """Draw all pairs of many features as one image: real below the diagonal, generated above.

    A pair's two tiles mirror each other if the samples agree. Densities are shown by their
    square root, relative to the highest of each tile.

    Args:
        ax: Axes to draw into.
        real: Monte Carlo events, shape ``(n_events, n_features)``.
        generated: Generated events, shape ``(n_events, n_features)``.
        features: How each feature is drawn.
        styles: How real and generated events are drawn, on the diagonal.
        n_bins: Bins along each feature.
    """
    ranges = np.array([[feature.low, feature.high] for feature in features])
    size = len(features)
    below, above = (pair_counts(x, ranges, n_bins) for x in (real, generated))
    lower = np.tril(np.ones((size, size), dtype=bool), -1)[..., None, None]
    tiles = np.sqrt(np.where(lower, below, above))
    tiles /= np.maximum(tiles.max(axis=(2, 3), keepdims=True), 1e-12)
    tiles[np.arange(size), np.arange(size)] = 0
    tiles[tiles == 0] = np.nan  # white
    image = tiles[:, :, ::-1, :].transpose(0, 2, 1, 3).reshape(size * n_bins, size * n_bins)
    ax.imshow(image, extent=(0, size, size, 0), interpolation="nearest", aspect="equal")
    for x, style in zip((real, generated), styles, strict=True):
        _draw_diagonal(ax, measure_densities(x, ranges, n_bins).values, style)
    ax.set_xticks(np.arange(size) + 0.5, [feature.symbol for feature in features])
    ax.set_yticks(np.arange(size) + 0.5, [feature.symbol for feature in features])
    ax.set_title(f"below the diagonal: {styles[0].label}; above: {styles[1].label}")
    ax.tick_params(which="both", length=0)
    ax.minorticks_off()
    for edge in range(1, size):
        ax.axhline(edge, color="#9aa0ae", linewidth=0.5)
        ax.axvline(edge, color="#9aa0ae", linewidth=0.5)


def _draw_diagonal(ax: Axes, values: NDArray, style: ModelStyle) -> None:
    """Draw each feature's density into its tile on the diagonal."""
    for tile, density in enumerate(values):
        height = 0.9 * density / max(density.max(), 1e-12)
        edges = tile + np.linspace(0, 1, len(density) + 1)
        ax.stairs(tile + 1 - height, edges, baseline=None, color=style.color, linewidth=0.9)
