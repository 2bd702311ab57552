"""Spectra and categories of a mixture of samples, stacked and counted by component."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from bumpflow.plotting.fits import draw_hatch
from bumpflow.plotting.histograms import Densities
from bumpflow.plotting.mixture import COUNTS
from bumpflow.plotting.names import FeatureStyle, ModelStyle

TOTAL = ModelStyle("all", "#1f2430", "")


def draw_spectrum(
    ax: Axes, *, components: Mapping[str, Densities], styles: Mapping[str, ModelStyle]
) -> None:
    """Stack the cross-sections of all components, with the statistical uncertainty of the sum.

    Args:
        ax: Axes to draw into.
        components: Differential cross-sections by component, from bottom to top.
        styles: How each component is drawn.
    """
    edges = next(iter(components.values())).edges
    below = np.zeros(len(edges) - 1)
    for name, one in components.items():
        above = below + one.values
        ax.stairs(above, edges, baseline=below, fill=True, color=styles[name].color, linewidth=0)
        below = above
    error = np.sqrt(sum(one.variances for one in components.values()))
    ax.stairs(below, edges, color=TOTAL.color, linewidth=0.9)
    draw_hatch(ax, edges, below - error, below + error)
    seen = below[below > 0] if np.any(below > 0) else np.ones(1)
    # Limits before scales: an empty spectrum has none of its own on a logarithmic axis.
    ax.set_ylim(seen.min() / 20, 8 * seen.max())
    ax.set_xlim(edges[0], edges[-1])
    ax.set_xscale("log")
    ax.set_yscale("log")


def order_components(spectra: Mapping[str, Mapping[str, Densities]]) -> list[str]:
    """Return components by their share of the first spectrum, the smallest first.

    Args:
        spectra: By observable, then component.
    """
    first = next(iter(spectra.values()))
    return sorted(first, key=lambda name: (first[name].values * np.diff(first[name].edges)).sum())


def draw_spectra_page(
    figure: Figure,
    *,
    spectra: Mapping[str, Mapping[str, Densities]],
    observables: Mapping[str, FeatureStyle],
    styles: Mapping[str, ModelStyle],
) -> None:
    """Draw a panel per observable.

    Args:
        figure: An empty figure.
        spectra: Differential cross-sections [fb / GeV] by observable, then component.
        observables: How each observable is called.
        styles: How each component is drawn.
    """
    order = order_components(spectra)
    axes = figure.subplots(-(-len(spectra) // 3), 3, squeeze=False)
    for ax, (name, components) in zip(axes.flat, spectra.items(), strict=False):
        draw_spectrum(ax, components={one: components[one] for one in order}, styles=styles)
        symbol = observables[name].symbol.strip("$")
        ax.set_xlabel(observables[name].label)
        ax.set_ylabel(rf"d$\sigma$ / d${symbol}$ [fb / GeV]")
    for ax in axes.flat[len(spectra) :]:
        ax.set_axis_off()
    handles: list[Artist] = [
        Patch(color=styles[name].color, label=styles[name].label) for name in reversed(order)
    ]
    hatch = Patch(facecolor="none", edgecolor="#6b7080", hatch="//////", linewidth=0)
    hatch.set_label("statistical uncertainty")
    figure.legend(handles=[*handles, hatch], loc="outside lower center", ncols=len(handles) + 1)


def cumulate(sizes: ArrayLike) -> tuple[NDArray, NDArray]:
    """Return sizes, the largest first, and how many categories are at least as large.

    Args:
        sizes: Size of each category, shape ``(n_categories,)``; those that are 0 are left out.
    """
    found = np.asarray(sizes, dtype=float)
    found = np.sort(found[found > 0])[::-1]
    return found, np.arange(1, len(found) + 1)


def draw_categories(
    ax: Axes, *, sizes: ArrayLike, errors: ArrayLike | None, style: ModelStyle
) -> None:
    """Draw the number of categories that hold at least so many events.

    Args:
        ax: Axes to draw into.
        sizes: Size of each category, shape ``(n_categories,)``.
        errors: Standard deviation of each size: draws what the number becomes where all sizes
            move by one of them, as a band.
        style: How they are drawn.
    """
    size, number = cumulate(sizes)
    if not len(size):
        return
    if errors is not None:
        grid = np.geomspace(size[-1], size[0], 200)
        values, spread = np.asarray(sizes, float), np.asarray(errors, float)
        low, high = ((grid[:, None] <= values + sign * spread).sum(axis=1) for sign in (-1, 1))
        ax.fill_between(grid, low, high, color="#8b90a0", alpha=0.35, linewidth=0)
    label = f"{style.label} ({len(size)})"
    # Sizes fall along the arrays: the i-th number holds down to the next smaller size.
    ax.step(size, number, where="post", color=style.color, label=label)


def draw_category_page(
    figure: Figure, *, table: pd.DataFrame, styles: Mapping[str, ModelStyle]
) -> None:
    """Draw numbers of categories against generated events and cross-section, by component.

    Args:
        figure: An empty figure.
        table: See :func:`bumpflow.plotting.mixture.sum_categories`.
        styles: How each component is drawn.
    """
    axes = figure.subplots(1, 2, sharey=True)
    sums = ["n_events", "weight_fb", "weight_squared"]
    whole = table.groupby(list(COUNTS), as_index=False)[sums].sum()
    parts = {name: table[table["sample"] == name] for name in styles}
    for ax, column, square in zip(
        axes, ("n_events", "weight_fb"), ("n_events", "weight_squared"), strict=True
    ):
        for name, rows in parts.items():
            draw_categories(ax, sizes=rows[column], errors=None, style=styles[name])
        draw_categories(ax, sizes=whole[column], errors=np.sqrt(whole[square]), style=TOTAL)
        ax.set_xscale("log")
        ax.set_yscale("log")
    axes[0].set_ylabel("categories with at least so many")
    axes[0].set_xlabel("generated events in the category")
    axes[1].set_xlabel("cross-section of the category [fb]")
    handles, labels = axes[1].get_legend_handles_labels()
    title = "component (number of its categories)"
    figure.legend(handles, labels, loc="outside right center", title=title, alignment="left")
