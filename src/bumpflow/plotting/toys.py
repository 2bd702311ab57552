"""What pseudo-experiments say about a fit: pulls and coverage."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from pandas import DataFrame

from bumpflow.plotting.names import ModelStyle

REACH = 4.0
"""Pulls are drawn up to here [standard deviations]; those beyond are put into the last bins."""
NOMINAL = {"coverage68": 0.682689, "coverage95": 0.954500}


def draw_toy_pulls(
    ax: Axes, *, pulls: NDArray, style: ModelStyle, text: str, n_bins: int = 32
) -> None:
    """Draw the density of the pull beside a unit Gaussian.

    Args:
        ax: Axes to draw into.
        pulls: Pulls of the toys, shape ``(n_toys,)``; NaN, of failed fits, is left out.
        style: How the arm is drawn.
        text: What to write into the panel.
        n_bins: Number of bins.
    """
    pulls = pulls[np.isfinite(pulls)]
    edges = np.linspace(-REACH, REACH, n_bins + 1)
    counts, _ = np.histogram(np.clip(pulls, -REACH, REACH), bins=edges)
    scale = 1 / (max(len(pulls), 1) * np.diff(edges))
    centers = (edges[1:] + edges[:-1]) / 2
    ax.stairs(counts * scale, edges, fill=True, color=style.color, alpha=0.2)
    ax.stairs(counts * scale, edges, color=style.color)
    ax.errorbar(
        centers, counts * scale, np.sqrt(counts) * scale, fmt="none", ecolor=style.color,
        linewidth=0.7,
    )  # fmt: skip
    x = np.linspace(-REACH, REACH, 201)
    ax.plot(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), color="#1f2430", linewidth=0.9)
    ax.text(0.05, 0.97, text, transform=ax.transAxes, va="top", fontsize=8)
    ax.set_xlim(-REACH, REACH)
    ax.set_xticks([-3, 0, 3])
    ax.set_title(style.label, fontsize=8.5)


def describe_toys(row: Mapping[Any, Any]) -> str:
    """Return mean and width of the pull with their uncertainties, and the number of toys.

    Args:
        row: Results of one arm.
    """
    lines = [
        f"{name}: {row[f'pull_{name}']:.2f} ± {row[f'pull_{name}_uncertainty']:.2f}"
        for name in ("mean", "width")
    ]
    failed = f", {row['n_failed']:.0f} failed" if row["n_failed"] else ""
    return "\n".join([*lines, f"{row['n_toys']:.0f} toys{failed}"])


def draw_coverage(
    ax: Axes, *, table: Mapping[str, Mapping[Any, Any]], styles: Mapping[str, ModelStyle]
) -> None:
    """Draw how often intervals hold the truth, of nominally 68 % (filled) and 95 % (open).

    Args:
        ax: Axes to draw into; arms run downwards.
        table: By arm: ``coverage68``, ``coverage95`` and their ``_uncertainty``.
        styles: How each arm is drawn.
    """
    for name, nominal in NOMINAL.items():
        ax.axvline(nominal, color="#8b90a0", linewidth=0.9, linestyle="--")
        for row, (arm, style) in enumerate(styles.items()):
            ax.errorbar(
                table[arm][name],
                row,
                xerr=table[arm][f"{name}_uncertainty"],
                fmt=style.marker,
                color=style.color,
                markerfacecolor=style.color if name == "coverage68" else "white",
                markersize=5.5,
                capsize=3,
            )
    ax.set_yticks(range(len(styles)), [style.label for style in styles.values()])
    ax.tick_params(axis="y", which="both", left=False, right=False)
    ax.set_ylim(len(styles) - 0.5, -0.5)
    ax.set_xlim(right=1.0)


def draw_toy_page(
    figure: Figure,
    *,
    pulls: Mapping[str, DataFrame],
    results: Mapping[str, DataFrame],
    styles: Mapping[str, ModelStyle],
) -> None:
    """Draw pulls, a panel per arm, and coverage: a row per observable.

    Args:
        figure: An empty figure.
        pulls: By observable, under the name that the axes give it: columns ``arm`` and ``pull``, a row per toy.
        results: By observable: a row per arm, see :func:`describe_toys` and
            :func:`draw_coverage`.
        styles: How each arm is drawn.
    """
    widths = (1,) * len(styles) + (1.35,)
    axes = figure.subplots(len(pulls), len(widths), width_ratios=widths, squeeze=False)
    for line, name in zip(axes, pulls, strict=True):
        table = {row["arm"]: row for row in results[name].to_dict("records")}
        for ax, (arm, style) in zip(line, styles.items(), strict=False):
            mine = pulls[name]["arm"] == arm
            draw_toy_pulls(
                ax,
                pulls=pulls[name].loc[mine, "pull"].to_numpy(float),
                style=style,
                text=describe_toys(table[arm]),
            )
            ax.set_xlabel(r"pull [$\sigma$]")
        top = 1.4 * max(ax.dataLim.ymax for ax in line[:-1])
        for ax in line[:-1]:
            ax.set_ylim(0, top)
            ax.tick_params(labelleft=ax is line[0])
        line[0].set_ylabel(f"{name}: density")
        draw_coverage(line[-1], table=table, styles=styles)
        line[-1].set_xlabel("coverage")
    figure.legend(handles=_handles(), loc="outside lower center", ncols=4)


def _handles() -> list[Line2D]:
    """Return the legend of the toys."""
    dark, grey = "#1f2430", "#8b90a0"
    return [
        Line2D([], [], color=dark, linewidth=0.9, label="unit Gaussian"),
        Line2D([], [], color=dark, marker="o", linestyle="", label="68 % intervals"),
        Line2D(
            [], [], color=dark, marker="o", linestyle="", markerfacecolor="white",
            label="95 % intervals",
        ),
        Line2D([], [], color=grey, linestyle="--", label="nominal coverage"),
    ]  # fmt: skip
