"""Hunts as a whole: ranking of spectra, global p-values, examples, and training of networks."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike, NDArray
from pandas import DataFrame
from scipy.stats import binom, kstest

from bumpflow.plotting.hunt_methods import PUBLISHED, PUBLISHED_WITHIN
from bumpflow.plotting.hunt_numbers import is_limit, p_value_of, poisson_errors
from bumpflow.plotting.hunt_scan import (
    DATA,
    DECADES,
    GREY,
    NETWORK,
    PROFILED,
    density_label,
    draw_counts,
    draw_significance,
    edges_of,
    global_p_text,
    mark_bump,
    plain_text,
    scan_handles,
    variable_label,
)
from bumpflow.plotting.names import SPARE_COLORS, ModelStyle
from bumpflow.plotting.training import limit_to_descent, mark_best

GROUPS = {
    "in_family": ModelStyle("families of the training", "#3f90da", "o"),
    "held_out": ModelStyle("families held out", "#bd1f01", "s"),
}
"""Backgrounds behind global p-values."""
KNOWN = ModelStyle("background known", "#1f2430", "o")
LEVELS = ((0.95, "#e4e7ee"), (0.68, "#c3c9d6"))
"""Probability and colour of the bands that chance alone fills."""
TOP_COLUMNS = 3
"""Spectra side by side."""
MEASURES = {
    "spread": (r"spread [$\sigma$]", PUBLISHED["spread"]),
    "exact_bin": ("largest bin exact", PUBLISHED_WITHIN[0]),
    "auc": ("area under ROC curve", PUBLISHED["auc"]),
}
"""Measures of a learning curve, with the published numbers."""


def uniform_bands(p: NDArray, n: int, probability: float) -> tuple[NDArray, NDArray]:
    """Return the range of the share of ``n`` uniform numbers that are below each value.

    Args:
        p: Where the cumulative distribution is taken, shape ``(n_points,)``.
        n: Number of p-values.
        probability: Content of the central interval at each point.
    """
    tail = (1 - probability) / 2
    low, high = (binom.ppf(level, n, p) / n for level in (tail, 1 - tail))
    return low, high


def draw_cumulative(ax: Axes, *, p: ArrayLike, style: ModelStyle, label: str) -> None:
    """Draw the share of p-values up to each value as steps.

    Args:
        ax: Axes to draw into.
        p: p-values, shape ``(n,)``.
        style: How they are drawn.
        label: Text of the legend.
    """
    values = np.sort(np.asarray(p, dtype=float))
    share = np.arange(1, len(values) + 1) / len(values)
    x, y = np.r_[values[:1], values, 1.0], np.r_[0.0, share, 1.0]
    ax.step(x, y, where="post", color=style.color, label=label)


def draw_expectation(ax: Axes, *, n: int, low: float) -> None:
    """Draw the uniform expectation with what chance does to it.

    Args:
        ax: Axes to draw into.
        n: Number of p-values.
        low: Smallest p-value of the axis.
    """
    p = np.unique(np.r_[np.geomspace(low, 1, 200), np.linspace(low, 1, 200)])
    for probability, color in LEVELS:
        ax.fill_between(p, *uniform_bands(p, n, probability), color=color, linewidth=0)
    ax.plot(p, p, color=DATA.color, linewidth=0.8, linestyle="--")


def draw_ranked(ax: Axes, table: DataFrame) -> None:
    """Draw the global p-values of spectra by name, the smallest on top.

    Args:
        ax: Axes to draw into; small p-values are on the right.
        table: A row per spectrum, in their order.
    """
    floor = 0.3 * min(float(np.min(_bounded(table))), float(p_value_of(3.0)))
    ax.set_xscale("log")
    ax.set_xlim(1.6, floor)
    records: list[Any] = table.to_dict("records")
    for row, one in enumerate(records):
        p, bound = max(one["p_global"], 1 / max(one["n_toys"], 1)), is_limit(one)
        filled = NETWORK.color if one["covered"] else "white"
        error = [[min(one["p_global_error"], 0.9 * p)], [one["p_global_error"]]]
        ax.errorbar(
            p, row, xerr=None if bound else error, fmt="o", color=NETWORK.color, markersize=6,
            markerfacecolor=filled, capsize=2,
        )  # fmt: skip
        if bound:
            ax.annotate(
                "", (p, row), (24, 0), textcoords="offset points",
                arrowprops={"arrowstyle": "<-", "color": NETWORK.color},
            )  # fmt: skip
        unit = plain_text(str(one["unit"]))
        text = f"$z$ = {one['z_max']:.1f} at {one['low']:.4g} to {one['high']:.4g} {unit}"
        ax.text(
            1.02, row, text.rstrip(), transform=ax.get_yaxis_transform(), va="center", fontsize=8.5
        )
    levels = [z for z in range(1, 9) if p_value_of(z) > floor]
    for z in levels:
        ax.axvline(float(p_value_of(z)), color=GREY, linewidth=0.7, linestyle=":", zorder=0)
    top = ax.secondary_xaxis("top")
    top.set_xticks([float(p_value_of(z)) for z in levels], [f"{z}$\\sigma$" for z in levels])
    top.tick_params(which="minor", top=False)
    ax.tick_params(axis="y", which="both", left=False, right=False)
    ax.tick_params(axis="x", which="both", top=False)
    ax.set_yticks(range(len(table)), [plain_text(str(name)) for name in table["histogram"]])
    ax.set_ylim(max(len(table), 4) - 0.4, -0.6)
    ax.set_xlabel(r"global p-value")


def _bounded(table: DataFrame) -> NDArray[np.float64]:
    """Return p-values, in place of zero the bound that the number of toys sets."""
    least = 1 / table["n_toys"].clip(lower=1)
    return np.maximum(table["p_global"].to_numpy(float), least.to_numpy(float))


def draw_ranking_page(figure: Figure, *, table: DataFrame, n_shown: int) -> None:
    """Draw the spectra with the smallest global p-values by name, and all as a distribution.

    Args:
        figure: An empty figure.
        table: Summary of the scan, a row per spectrum.
        n_shown: Number of spectra that are named at most.
    """
    ranked = table.sort_values(["p_global", "z_global"], ascending=[True, False], kind="stable")
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    draw_ranked(left, ranked.head(n_shown))
    p, n = _bounded(table), len(table)
    low = 0.5 * min(float(p.min()), 0.3 / n)
    draw_expectation(right, n=n, low=low)
    draw_cumulative(right, p=p, style=NETWORK, label="")
    right.set(xscale="log", yscale="log", xlim=(low, 1), ylim=(0.3 / n, 1.5))
    right.set_xlabel("global p-value")
    right.set_ylabel("share of spectra up to here")
    right.set_title(f"All {n} spectra")
    shown = min(n_shown, n)
    left.set_title(f"Smallest {shown} of {n}" if shown < n else f"All {n} spectra")
    handles = [
        Line2D([], [], color=NETWORK.color, marker="o", linestyle="", label="covered by training"),
        Line2D(
            [], [], color=NETWORK.color, marker="o", linestyle="", markerfacecolor="white",
            label="not covered",
        ),
        Line2D([], [], color=NETWORK.color, label="all spectra"),
        Line2D([], [], color=DATA.color, linewidth=0.8, linestyle="--", label="no signal anywhere"),
        *(Patch(color=c, label=f"{100 * level:.0f} % of chance") for level, c in LEVELS[::-1]),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def draw_top_page(figure: Figure, *, bins: DataFrame, table: DataFrame) -> None:
    """Draw the spectra in which a bump is least likely to be chance, side by side.

    Args:
        figure: An empty figure.
        bins: A row per bin of each spectrum, see :func:`~.hunt_scan.draw_scan_page`, and
            ``histogram``.
        table: Summary of the spectra to draw, a row each, in their order.
    """
    n_columns = min(len(table), TOP_COLUMNS)
    grid = figure.add_gridspec(-(-len(table) // n_columns), n_columns)
    spectra = {str(name): rows.sort_values("bin") for name, rows in bins.groupby("histogram")}
    found: list[Any] = table.to_dict("records")
    for place, one in enumerate(found):
        rows = spectra[one["histogram"]]
        edges, unit = edges_of(rows), str(one["unit"])
        part = grid[place].subgridspec(2, 1, height_ratios=(2, 1))
        upper = figure.add_subplot(part[0])
        lower = figure.add_subplot(part[1], sharex=upper)
        observed, background = (rows[name].to_numpy(float) for name in ("observed", "background"))
        draw_counts(upper, edges=edges, observed=observed, background=background)
        draw_significance(lower, edges=edges, rows=rows)
        mark_bump((upper, lower), edges=edges, bin_=one["bin"], width=one["width"])
        upper.set_xlim(edges[0], edges[-1])
        upper.set_title(
            f"{one['rank']}. {plain_text(str(one['histogram']))}: {global_p_text(one)}"
        )
        upper.set_ylabel(density_label(edges, unit))
        upper.tick_params(labelbottom=False)
        lower.set_ylabel(r"$z$ [$\sigma$]")
        lower.set_xlabel(variable_label(str(one["variable"]), unit))
        figure.align_ylabels([upper, lower])
    handles = scan_handles()
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def draw_global_page(figure: Figure, *, table: DataFrame) -> None:
    """Draw cumulative global p-values of background-only histograms against the uniform ones.

    Args:
        figure: An empty figure.
        table: One row per histogram: ``group`` and ``p_global``.
    """
    grid = figure.add_gridspec(2, 2, height_ratios=(2.2, 1))
    upper = figure.add_subplot(grid[0, 0])
    lower, tail = figure.add_subplot(grid[1, 0], sharex=upper), figure.add_subplot(grid[:, 1])
    values = table["p_global"].to_numpy(float)
    parts = {name: values[(table["group"] == name).to_numpy()] for name in GROUPS}
    groups = {name: part for name, part in parts.items() if len(part)}
    n, x = min(map(len, groups.values())), np.linspace(0, 1, 301)
    low = 0.5 / n
    draw_expectation(tail, n=n, low=low)
    for probability, color in LEVELS:
        below, above = uniform_bands(x, n, probability)
        lower.fill_between(x, below - x, above - x, color=color, linewidth=0)
    upper.plot(x, x, color=DATA.color, linewidth=0.8, linestyle="--")
    lower.axhline(0, color=DATA.color, linewidth=0.8, linestyle="--")
    for name, p in groups.items():
        label = f"{GROUPS[name].label} ({len(p)}): KS p = {kstest(p, 'uniform').pvalue:.2g}"
        for ax in (upper, tail):
            draw_cumulative(ax, p=p, style=GROUPS[name], label=label)
        values = np.sort(p)
        share = np.searchsorted(values, x, side="right") / len(p)
        lower.step(x, share - x, where="post", color=GROUPS[name].color)
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="share of histograms", title="All p-values")
    upper.legend(loc="upper left")
    upper.tick_params(labelbottom=False)
    lower.set(xlabel="global p-value", ylabel="share \u2212 expectation")
    tail.set(xscale="log", yscale="log", xlim=(low, 1), ylim=(low, 1))
    tail.set(xlabel="global p-value", ylabel="share of histograms", title="Small p-values")
    bands = [Patch(color=c, label=f"{100 * level:.0f} % of chance") for level, c in LEVELS[::-1]]
    tail.legend(handles=bands, loc="upper left")


def draw_examples_page(figure: Figure, *, table: DataFrame) -> None:
    """Draw spectra with a known truth, and what is found in them: a column per example.

    Args:
        figure: An empty figure.
        table: One row per example and bin: ``example``, ``title``, ``bin``, ``observed``,
            ``background`` and ``signal`` (expected counts), ``z_known``, ``z_profiled`` and
            ``z_predicted``.
    """
    examples = [rows.sort_values("bin") for _, rows in table.groupby("example")]
    axes = figure.subplots(2, len(examples), sharex="col", height_ratios=(1.5, 1), squeeze=False)
    found = table[["z_known", "z_predicted"]].to_numpy(float)
    bottom, top = min(0.0, float(np.nanmin(found))), max(3.3, float(np.nanmax(found)))
    for (upper, lower), rows in zip(axes.T, examples, strict=True):
        draw_example(upper, lower, rows)
        # A function that does not fit would hide all else.
        lower.set_ylim(bottom - 0.1 * (top - bottom), top + 0.15 * (top - bottom))
    axes[0, 0].set_ylabel("events / bin")
    axes[1, 0].set_ylabel(r"local $z$ [$\sigma$]")
    handles = [
        Line2D([], [], color=DATA.color, marker="o", linestyle="", label="drawn counts"),
        Line2D([], [], color=KNOWN.color, linewidth=1, label="true background"),
        Patch(color="#2a8a6c", alpha=0.55, linewidth=0, label="signal"),
        Line2D([], [], color=KNOWN.color, linestyle="--", label=f"$z$, {KNOWN.label}"),
        Line2D([], [], color=PROFILED.color, label=f"$z$, {PROFILED.label}"),
        Line2D([], [], color=NETWORK.color, linewidth=1.8, label=f"$z$, {NETWORK.label}"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def draw_example(upper: Axes, lower: Axes, rows: DataFrame) -> None:
    """Draw one example.

    Args:
        upper: Axes of the counts.
        lower: Axes of the significances.
        rows: A row per bin, in order, see :func:`draw_examples_page`.
    """
    bins = rows["bin"].to_numpy(float)
    edges = np.append(bins - 0.5, bins[-1] + 0.5)
    observed, background, signal = (
        rows[name].to_numpy(float) for name in ("observed", "background", "signal")
    )
    upper.stairs(
        background + signal, edges, baseline=background, fill=True, color="#2a8a6c", alpha=0.55
    )
    upper.stairs(background, edges, color=KNOWN.color, linewidth=1, baseline=None)
    upper.errorbar(
        bins, observed, poisson_errors(observed), fmt="o", color=DATA.color, linewidth=0.7,
        markersize=2.2,
    )  # fmt: skip
    seen, most = background[background > 0], float(np.max(observed + np.sqrt(observed)))
    if most > DECADES * seen.min():
        upper.set_ylim(0.3 * seen.min(), 3 * most)
        upper.set_yscale("log")
    else:
        upper.set_ylim(0, 1.15 * most)
    inside = bins[signal > 0.1 * signal.max()] if signal.max() > 0 else bins[:0]
    for ax in (upper, lower):
        if len(inside):
            ends = inside[0] - 0.5, inside[-1] + 0.5
            ax.axvspan(*ends, color="#2a8a6c", alpha=0.12, linewidth=0, zorder=0)
    upper.set_title(plain_text(str(rows["title"].iloc[0])))
    upper.set_xlim(edges[0], edges[-1])
    lower.axhline(0, color=GREY, linewidth=0.8)
    lower.plot(bins, rows["z_profiled"], color=PROFILED.color, linewidth=1.1)
    lower.plot(bins, rows["z_predicted"], color=NETWORK.color, linewidth=1.8)
    lower.plot(bins, rows["z_known"], color=KNOWN.color, linewidth=1.1, linestyle="--")
    lower.set_xlabel("bin")


def hunter_styles(names: Sequence[str]) -> dict[str, ModelStyle]:
    """Return how networks of one figure are drawn, each in a colour and marker of its own."""
    pairs = zip(cycle(SPARE_COLORS), cycle("osD^vPX"))
    return {name: ModelStyle(name, *pair) for name, pair in zip(names, pairs, strict=False)}


def draw_training_page(
    figure: Figure, *, histories: Mapping[str, DataFrame], learning: DataFrame
) -> None:
    """Draw the losses of networks, and how much the number of training histograms matters.

    Args:
        figure: An empty figure.
        histories: By network: ``histograms`` seen, ``train_loss`` and ``validation_loss``.
        learning: One row per training: ``hunter``, ``histograms``, and :data:`MEASURES`.
    """
    styles = hunter_styles(list(dict.fromkeys([*histories, *learning["hunter"]])))
    n_rows = len(MEASURES)
    grid = figure.add_gridspec(n_rows, 2, width_ratios=(1.5, 1))
    if histories:
        _draw_losses(figure.add_subplot(grid[:, 0]), histories, styles)
        panels = [figure.add_subplot(grid[row, 1]) for row in range(n_rows)]
    else:  # networks that come with the program
        panels = [figure.add_subplot(grid[row, :]) for row in range(n_rows)]
    for ax, (name, (label, published)) in zip(panels, MEASURES.items(), strict=True):
        for hunter, rows in learning.sort_values("histograms").groupby("hunter"):
            style = styles[str(hunter)]
            ax.plot(
                rows["histograms"], rows[name], f"-{style.marker}", color=style.color, markersize=5
            )
        ax.axhline(published, color=GREY, linewidth=1, linestyle="--")
        ax.set_xscale("log")
        ax.set_ylabel(label)
        ax.margins(y=0.15)
        ax.tick_params(which="both", labelbottom=ax is panels[-1])
    panels[1].yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    panels[0].set_title("Published task, by size of the training")
    panels[-1].set_xlabel("histograms seen in training")
    figure.align_ylabels(panels)
    handles = [
        *(
            Line2D([], [], color=s.color, marker=s.marker, label=plain_text(s.label))
            for s in styles.values()
        ),
        Line2D([], [], color=DATA.color, label="validation"),
        Line2D([], [], color=DATA.color, linestyle=":", label="training"),
        Line2D([], [], color=GREY, linestyle="--", label="published in 2022"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _draw_losses(
    ax: Axes, histories: Mapping[str, DataFrame], styles: Mapping[str, ModelStyle]
) -> None:
    """Draw the losses of all networks against the number of histograms that they have seen."""
    curves = []
    for name, history in histories.items():
        seen, train, validation = (
            history[column].to_numpy(float)
            for column in ("histograms", "train_loss", "validation_loss")
        )
        ax.plot(seen, train, color=styles[name].color, linestyle=":", linewidth=1)
        ax.plot(seen, validation, color=styles[name].color)
        mark_best(ax, seen, validation, styles[name])
        curves += [train, validation]
    limit_to_descent(ax, curves)
    ax.set_xlabel("histograms seen")
    ax.set_ylabel("loss per histogram")
    ax.set_title("Losses")
