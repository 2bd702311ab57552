"""Hunters side by side: the published task, and other methods on the same histograms."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, PercentFormatter
from numpy.typing import ArrayLike, NDArray
from pandas import DataFrame
from scipy.stats import norm

from bumpflow.evaluate.c2st import area_under_curve
from bumpflow.plotting.c2st import roc_curve
from bumpflow.plotting.hunt_numbers import SIGMA, shares_within
from bumpflow.plotting.hunt_tests import BEHIND, OFF_LABEL, difference, with_minus
from bumpflow.plotting.names import ModelStyle
from bumpflow.plotting.rates import format_duration

METHODS = {
    "true_plrt": ModelStyle("likelihood ratio, true background", "#1f2430", "o"),
    "network": ModelStyle("network, predicted $z$", "#3f90da", "s"),
    "evidence": ModelStyle("network, odds of a bump", "#832db6", "D"),
    "dijet": ModelStyle("fitted dijet function", "#f09000", "^"),
    "exppoly": ModelStyle("fitted exponential of polynomial", "#bd1f01", "v"),
    "pybumphunter": ModelStyle("pyBumpHunter, fitted background", "#2a8a6c", "P"),
    "pybumphunter_true": ModelStyle("pyBumpHunter, true background", "#a96b59", "X"),
}
"""Methods that search the same histograms."""
PAPER = "Volkovich et al. 2022"
PUBLISHED = {"bias": -0.02, "spread": 0.46, "auc": 0.865, "auc_true": 0.899}
"""Published numbers of https://arxiv.org/abs/2107.11573, for signals of 3 standard deviations."""
PUBLISHED_WITHIN = {0: 0.6179, 1: 0.9014, 2: 0.9196}
"""Share of largest bins that are found within so many bins."""
PUBLISHED_ROC = {
    "true_plrt": ((0.039, 0.049, 0.168), (0.579, 0.6, 0.8)),
    "network": ((0.057, 0.070, 0.246), (0.572, 0.6, 0.8)),
}
"""Published rates of false and of true positives."""
RATES = np.linspace(0, 1, 401)
GREY = "#717581"
LINEAR, TICKS = 6.0, (-30, -10, -3, -1, 0, 1, 3, 10, 30, 100)
"""Differences beyond the first are drawn on a logarithmic axis, with these ticks."""


def as_scores(values: ArrayLike) -> NDArray[np.float64]:
    """Return scores of which failed ones are below all others."""
    scores = np.asarray(values, dtype=np.float64)
    finite = scores[np.isfinite(scores)]
    return np.where(np.isnan(scores), (finite.min() if len(finite) else 0.0) - 1.0, scores)


def draw_curves(ax: Axes, *, scores: Mapping[str, NDArray], signal: Mapping[str, NDArray]) -> None:
    """Draw ROC curves with their areas in the legend.

    Args:
        ax: Axes to draw into.
        scores: Scores by method, shape ``(n,)``, the higher the more like signal.
        signal: Which histograms have signal, by method, shape ``(n,)``.
    """
    for name, values in scores.items():
        low, high = values[~signal[name]], values[signal[name]]
        if min(len(low), len(high)) < 2:
            continue
        area = area_under_curve(low, high)
        label = f"{METHODS[name].label}: {area.value:.3f} ± {area.uncertainty:.3f}"
        color = METHODS[name].color
        ax.plot(RATES, roc_curve(low, high, RATES), color=color, label=label)
    ax.plot([0, 1], [0, 1], color="#8b90a0", linewidth=0.8, linestyle="--")
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.set_xlabel("false positive rate")
    ax.set_ylabel("true positive rate")


def draw_difference(ax: Axes, *, off: NDArray, n_bins: int = 60) -> None:
    """Draw the distribution of the difference beside the published Gaussian.

    Args:
        ax: Axes to draw into.
        off: Predicted less true largest significance, shape ``(n,)``.
        n_bins: Number of bins.
    """
    reach = 5 * PUBLISHED["spread"]
    edges = np.linspace(-reach, reach, n_bins + 1)
    counts, _ = np.histogram(np.clip(off, -reach, reach), bins=edges)
    scale = 1 / (max(len(off), 1) * np.diff(edges))
    color, centers = METHODS["network"].color, (edges[1:] + edges[:-1]) / 2
    label = with_minus(f"this study: {off.mean():+.3f} ± {off.std():.3f}")
    ax.stairs(counts * scale, edges, fill=True, color=color, alpha=0.25)
    ax.stairs(counts * scale, edges, color=color, label=label)
    ax.errorbar(
        centers, counts * scale, np.sqrt(counts) * scale, fmt="none", ecolor=color, linewidth=0.8
    )
    x = np.linspace(-reach, reach, 301)
    bias, spread = PUBLISHED["bias"], PUBLISHED["spread"]
    published = norm.pdf(x, bias, spread)
    label = with_minus(f"Gaussian, published: {bias:+.2f} ± {spread:.2f}")
    ax.plot(x, published, color="#1f2430", linewidth=1, linestyle="--", label=label)
    ax.set_xlim(-reach, reach)
    ax.set_ylim(0, 1.32 * max(published.max(), (counts * scale).max()))
    ax.set_xlabel(OFF_LABEL)
    ax.set_ylabel(r"density [1 / $\sigma$]")
    ax.legend(loc="upper center", title="mean ± standard deviation")


def draw_distance(ax: Axes, *, distance: NDArray, farthest: int = 8) -> None:
    """Draw the share of histograms whose largest bin is found within a distance.

    Args:
        ax: Axes to draw into.
        distance: Distance between predicted and true largest bin [bins], shape ``(n,)``.
        farthest: Largest distance that is drawn.
    """
    steps = list(range(farthest + 1))
    shares, errors = shares_within(distance, steps)
    color = METHODS["network"].color
    ax.bar(steps, shares, width=0.8, color=color, alpha=0.3, linewidth=0)
    label = f"this study: {shares[0]:.1%} exact, {shares[1]:.1%} within 1"
    ax.errorbar(
        steps, shares, errors, fmt=METHODS["network"].marker, color=color, capsize=2,
        markersize=5, label=label.replace("%", " %"),
    )  # fmt: skip
    label = f"published: {PUBLISHED_WITHIN[0]:.1%} exact, {PUBLISHED_WITHIN[1]:.1%} within 1"
    ax.plot(
        list(PUBLISHED_WITHIN), list(PUBLISHED_WITHIN.values()), "D", color="#1f2430",
        markerfacecolor="white", markersize=6, label=label.replace("%", " %"),
    )  # fmt: skip
    ax.set_ylim(0, 1.2)
    ax.set_xlim(-0.6, farthest + 0.6)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    ax.set_yticks([tick for tick in ax.get_yticks() if tick < 1.01])
    ax.tick_params(axis="x", which="minor", bottom=False, top=False)
    ax.set_xticks(steps)
    ax.set_xlabel("distance of the largest bin [bins], at most")
    ax.set_ylabel("share of histograms with signal")
    ax.legend(loc="upper center")


def draw_paper_page(figure: Figure, *, table: DataFrame) -> None:
    """Draw the task of the first publication: difference, distance and separation.

    Args:
        figure: An empty figure.
        table: One row per histogram: ``width`` (0 without signal), ``z_true``, ``z_predicted``,
            ``evidence``, ``bin_true`` and ``bin_predicted``.

    References:
        Volkovich, De Vito Halevy, Bressler (2022), https://arxiv.org/abs/2107.11573
    """
    left, middle, right = figure.subplots(1, 3)
    signal = table["width"].to_numpy() > 0
    found = table[signal]
    draw_difference(left, off=difference(found))
    distance = np.abs((found["bin_predicted"] - found["bin_true"]).to_numpy())
    draw_distance(middle, distance=distance)
    columns = {"true_plrt": "z_true", "network": "z_predicted", "evidence": "evidence"}
    scores = {name: as_scores(table[column]) for name, column in columns.items()}
    draw_curves(right, scores=scores, signal=dict.fromkeys(scores, signal))
    for name, (false, true) in PUBLISHED_ROC.items():
        area = PUBLISHED["auc_true" if name == "true_plrt" else "auc"]
        kind = "likelihood ratio" if name == "true_plrt" else "network"
        right.plot(
            false, true, METHODS[name].marker, color=METHODS[name].color, markersize=6,
            markerfacecolor="white", label=f"published, {kind}: {area:.3f}",
        )  # fmt: skip
    right.legend(loc="lower right", fontsize=8, title="area under the curve", handlelength=1.2)
    left.set_title(r"Signals of 3 $\sigma$: predicted less true")
    middle.set_title("Where the bump is found")
    right.set_title("Signal against background")


def draw_separation(ax: Axes, *, table: DataFrame, methods: Sequence[str]) -> None:
    """Draw the ROC curve of each method; histograms in which it failed count as background.

    Args:
        ax: Axes to draw into.
        table: See :func:`draw_comparison_page`.
        methods: Names of the methods.
    """
    parts = {name: table[table["method"] == name] for name in methods}
    scores = {name: as_scores(part["z_max"]) for name, part in parts.items()}
    signal = {name: part["signal"].to_numpy(bool) for name, part in parts.items()}
    draw_curves(ax, scores=scores, signal=signal)
    ax.legend(loc="lower right", fontsize=8, title="area under the curve", handlelength=1.2)
    ax.set_title("Signal against background")


def draw_spreads(ax: Axes, *, table: DataFrame, methods: Sequence[str]) -> None:
    """Draw median, 68 and 95 % ranges of found less true significance of histograms with signal.

    Args:
        ax: Axes to draw into; methods run downwards.
        table: See :func:`draw_comparison_page`.
        methods: Names of the methods; the odds of a bump are no significance and get no range.
    """
    ax.axvline(0, color="#8b90a0", linewidth=0.9, linestyle="--")
    lowest = highest = 0.0
    for row, name in enumerate(methods):
        mine = table[(table["method"] == name) & table["signal"].astype(bool)]
        off = (mine["z_max"] - mine["z_true"]).dropna().to_numpy(float)
        if name == "evidence" or not len(off):
            text = "not a $z$" if name == "evidence" else "no result"
            ax.text(0, row, text, ha="center", va="center", fontsize=8, color=GREY, bbox=BEHIND)
            continue
        style = METHODS[name]
        low, inner, middle, outer, high = np.quantile(off, [0.025, SIGMA[0], 0.5, SIGMA[1], 0.975])
        lowest, highest = min(lowest, float(low)), max(highest, float(high))
        ax.plot([low, high], [row, row], color=style.color, linewidth=1)
        ax.plot([inner, outer], [row, row], color=style.color, linewidth=4, alpha=0.45)
        ax.plot(middle, row, style.marker, color=style.color, markersize=6)
        text = with_minus(f"{round(off.mean(), 2) + 0.0:+.2f} ± {off.std():.2f}")
        ax.text(middle, row - 0.2, text, ha="center", va="bottom", fontsize=8, bbox=BEHIND)
    ax.set_xlabel(r"$z_{found} - z_{true}$ [$\sigma$]")
    ax.set_title("Mean ± s.d. with signal")
    ax.margins(x=0.12)
    if max(-lowest, highest) > LINEAR:  # a function that does not fit gives any significance
        ax.set_xscale("symlog", linthresh=1.0, linscale=1.0)
        ticks = [tick for tick in TICKS if 1.3 * lowest <= tick <= 1.3 * highest]
        ax.set_xticks(ticks, [with_minus(str(tick)) for tick in ticks])
        ax.xaxis.set_minor_locator(NullLocator())


def draw_seconds(ax: Axes, *, table: DataFrame, methods: Sequence[str]) -> None:
    """Draw the mean time per histogram of each method.

    Args:
        ax: Axes to draw into; methods run downwards.
        table: See :func:`draw_comparison_page`.
        methods: Names of the methods.
    """
    times = table.groupby("method")["seconds"].mean()
    shown = times[times > 0]
    ax.set_xscale("log")
    if len(shown):
        ax.set_xlim(shown.min() / 5, shown.max() * 25)
    for row, name in enumerate(methods):
        time = float(times.get(name, np.nan))
        if time > 0:
            ax.plot(time, row, METHODS[name].marker, color=METHODS[name].color, markersize=7)
            ax.annotate(
                format_duration(time), (time, row), (8, 0), textcoords="offset points",
                va="center", fontsize=9,
            )  # fmt: skip
    ax.xaxis.set_major_locator(LogLocator(numticks=6))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("time per histogram [s]")
    ax.set_title("Time")
    ax.grid(axis="x")


def method_label(name: str, table: DataFrame) -> str:
    """Return a method's label, with the number of histograms that it failed in."""
    failed = int(table.loc[table["method"] == name, "z_max"].isna().sum())
    label = METHODS[name].label.replace(", ", ",\n").replace(" exponential", "\nexponential")
    return f"{label}\n({failed} failed)" if failed else label


def draw_comparison_page(figure: Figure, *, table: DataFrame) -> None:
    """Draw separation, spread and time of all methods on the same histograms.

    Args:
        figure: An empty figure.
        table: One row per histogram and method: ``signal``, ``method``, ``z_max`` (NaN where the
            method failed), ``z_true`` and ``seconds``.
    """
    methods = [name for name in METHODS if (table["method"] == name).any()]
    roc, spread, seconds = figure.subplots(1, 3, width_ratios=(1.5, 1.1, 0.9))
    draw_separation(roc, table=table, methods=methods)
    draw_spreads(spread, table=table, methods=methods)
    draw_seconds(seconds, table=table, methods=methods)
    for ax in (spread, seconds):
        ax.set_ylim(len(methods) - 0.5, -0.7)
        ax.tick_params(axis="y", which="both", left=False, right=False)
        ax.set_yticks(range(len(methods)), [])
    spread.set_yticks(range(len(methods)), [method_label(name, table) for name in methods])
