"""How far posteriors of sets of events can be trusted.

References:
    Talts et al. (2018), https://arxiv.org/abs/1804.06788;
    Lemos et al. (2023), https://arxiv.org/abs/2302.03026
"""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from pandas import DataFrame

from bumpflow.compatibility.coverage import coverage_table, measure_uniformity
from bumpflow.plotting.alp_posteriors import BAND, DARK, draw_coverage
from bumpflow.plotting.names import PARAMETERS, ModelStyle, size_styles
from bumpflow.plotting.scans import label_plainly

PROMISED = 0.02
"""How far expected coverage may be from what it should be."""


def draw_rank_histogram(ax: Axes, *, table: DataFrame, style: ModelStyle) -> None:
    """Draw a histogram of ranks relative to what is expected, with its band.

    Args:
        ax: Axes to draw into.
        table: ``low``, ``high``, ``observed``, ``band_low`` and ``band_high`` of each bin.
        style: How sets of this size are drawn.
    """
    rows = table.sort_values("low")
    observed = rows["observed"].to_numpy(float)
    expected = observed.mean()
    edges = np.append(rows["low"], rows["high"].iloc[-1])
    low, high = (rows[f"band_{end}"].to_numpy(float) / expected for end in ("low", "high"))
    ax.stairs(high, edges, baseline=low, fill=True, color=BAND)
    ax.axhline(1, color=DARK, linewidth=0.8, linestyle="--")
    ax.stairs(observed / expected, edges, baseline=None, color=style.color, linewidth=1.4)
    ax.set_xlim(edges[0], edges[-1])


def density_curves(diagnosis: DataFrame) -> DataFrame:
    """Return coverage of the regions of highest density by size of sets.

    Args:
        diagnosis: ``n_events``, ``parameter`` and ``level``, the probability of the smallest region
            that holds the truth of both parameters.
    """
    once = diagnosis[diagnosis["parameter"] == next(iter(PARAMETERS))]
    return coverage_table(once, ["n_events"])


def width_table(diagnosis: DataFrame, parameter: str) -> DataFrame:
    """Return mean standard deviations of posteriors of a parameter by size of sets.

    Args:
        diagnosis: ``n_events``, ``parameter`` and ``std``.
        parameter: The parameter.

    Returns:
        Columns ``n_events``, ``width`` and ``error``, its standard error.
    """
    groups = diagnosis[diagnosis["parameter"] == parameter].groupby("n_events")["std"]
    return DataFrame({"width": groups.mean(), "error": groups.sem()}).reset_index()


def draw_calibration_page(
    figure: Figure, *, ranks: DataFrame, tarp: DataFrame, diagnosis: DataFrame
) -> None:
    """Draw ranks of the truth by parameter and size of sets, expected coverage, and widths.

    Args:
        figure: An empty figure.
        ranks: Rank histograms: ``n_events``, ``parameter`` and the columns of
            :func:`draw_rank_histogram`.
        tarp: ``n_events``, ``expected``, ``empirical`` and its ``uncertainty``.
        diagnosis: One row per set and ``parameter``: ``n_events``, ``pit``, ``std`` and ``level``.
    """
    sizes = size_styles(ranks["n_events"].unique().tolist())
    above, below = cast("Any", figure.subfigures(2, 1, height_ratios=(1.6, 1)))
    axes = above.subplots(len(PARAMETERS), len(sizes), squeeze=False, sharex=True, sharey=True)
    p = rank_p_values(diagnosis)
    for line, name in zip(axes, PARAMETERS, strict=True):
        for ax, (n, style) in zip(line, sizes.items(), strict=True):
            rows = ranks[(ranks["parameter"] == name) & (ranks["n_events"] == n)]
            draw_rank_histogram(ax, table=rows, style=style)
            ax.set_title(f"{name.capitalize()}, {style.label}", color=style.color)
            ax.set_title(f"p = {p[name, n]:.2g}", loc="right", fontsize=9, fontweight="normal")
        line[0].set_ylabel("sets / expected")
    for ax in axes[-1]:
        ax.set_xlabel("rank of the truth")
    reach = 1.15 * max(abs(value - 1) for ax in axes.flat for value in ax.dataLim.intervaly)
    axes[0, 0].set_ylim(max(0, 1 - reach), 1 + reach)
    first, second, *others = below.subplots(1, 2 + len(PARAMETERS))
    curves = {
        first: tarp.rename(columns={"uncertainty": "error"}),
        second: density_curves(diagnosis),
    }
    for ax, table in curves.items():
        ax.axhspan(-PROMISED, PROMISED, color=BAND)
        draw_coverage(ax, curves=table, by="n_events", styles=cast("Any", sizes))
        reach = max(1.5 * PROMISED, 1.1 * np.abs(ax.dataLim.intervaly).max())
        ax.set_ylim(-reach, reach)
    first.set_title("Regions around random points")
    second.set_title("Regions of highest density")
    for ax, (name, parameter) in zip(others, PARAMETERS.items(), strict=True):
        draw_widths(ax, table=width_table(diagnosis, name), sizes=sizes)
        ax.set_title(f"Width of posteriors: {name}")
        ax.set_ylabel(parameter.width)
    handles = [
        *(Line2D([], [], color=s.color, marker=s.marker, label=s.label) for s in sizes.values()),
        Patch(color=BAND, label="95 % of bins, if posteriors are right; coverage within 2 %"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def rank_p_values(diagnosis: DataFrame) -> dict[tuple[str, int], float]:
    """Return p-values of uniform ranks (chi-square), by parameter and size of sets."""
    groups = diagnosis.groupby(["parameter", "n_events"])["pit"]
    found = groups.agg(lambda pit: measure_uniformity(pit.to_numpy()).p_chi2).reset_index()
    return {(name, int(n)): float(p) for name, n, p in found.itertuples(index=False)}


def draw_widths(ax: Axes, *, table: DataFrame, sizes: Mapping[int, ModelStyle]) -> None:
    """Draw how posteriors sharpen with the number of events, and one over its root from the first.

    Args:
        ax: Axes to draw into.
        table: ``n_events``, ``width`` and its ``error``.
        sizes: How sets are drawn.
    """
    n, width, error = (table[name].to_numpy(float) for name in ("n_events", "width", "error"))
    line = np.linspace(n[0], n[-1], 100)
    ax.plot(line, width[0] * np.sqrt(n[0] / line), color=DARK, linewidth=0.8, linestyle="--")
    for x, y, u in zip(n, width, error, strict=True):
        style = sizes[int(x)]
        ax.errorbar(x, y, u, fmt=style.marker, color=style.color, markersize=5)
    ax.set(xscale="log", yscale="log", xlabel="events of a set")
    ax.set_xticks(n, [f"{x:g}" for x in n])
    ax.tick_params(axis="x", which="minor", bottom=False, top=False, labelbottom=False)
    label_plainly(ax.yaxis)
