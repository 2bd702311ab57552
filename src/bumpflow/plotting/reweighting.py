"""Reweighting of generated events: is the classifier calibrated, and does it help?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pandas import DataFrame

from bumpflow.plotting.names import ARMS, ModelStyle
from bumpflow.plotting.scans import label_plainly

STAGES = {
    "raw": ModelStyle("as trained", "#f09000", "s"),
    "calibrated": ModelStyle("calibrated", "#2a8a6c", "o"),
}


def draw_calibration(ax: Axes, table: DataFrame) -> None:
    """Draw the share of generated events against what the classifier predicts.

    Args:
        ax: Axes to draw into.
        table: Columns ``stage``, ``predicted``, ``observed`` and ``uncertainty``.
    """
    ax.axline((0.5, 0.5), slope=1, color="#8b90a0", linewidth=0.9, linestyle="--")
    for stage, style in STAGES.items():
        rows = table[table["stage"] == stage].sort_values("predicted")
        ax.errorbar(
            rows["predicted"],
            rows["observed"],
            rows["uncertainty"],
            fmt=f"-{style.marker}",
            color=style.color,
            linewidth=1,
            markersize=4,
            label=style.label,
        )
    ax.set_xlabel("predicted probability of being generated")
    ax.set_ylabel("share of generated events")
    ax.legend(loc="upper left")


def draw_weights(ax: Axes, *, weights: NDArray, clip: float, n_bins: int = 60) -> None:
    """Draw the distribution of the weights and where they are clipped.

    Args:
        ax: Axes to draw into.
        weights: Weights of generated events, shape ``(n_events,)``, all positive.
        clip: Largest weight allowed; the smallest is its inverse.
        n_bins: Number of bins, of equal width in the logarithm.
    """
    reach = 1.15 * max(clip, float(weights.max()), 1 / float(weights.min()))
    edges = np.geomspace(1 / reach, reach, n_bins + 1)
    counts, _ = np.histogram(weights, bins=edges)
    color = ARMS["reweighted"].color
    ax.stairs(counts, edges, fill=True, color=color, alpha=0.25)
    ax.stairs(counts, edges, color=color)
    ax.axvline(1, color="#8b90a0", linewidth=0.9, linestyle="--")
    for place, label in ((1 / clip, None), (clip, f"clip: 1/{clip:g} and {clip:g}")):
        ax.axvline(place, color="#bd1f01", linewidth=1.1, linestyle=":", label=label)
    ax.set(xscale="log", yscale="log", xlim=edges[[0, -1]], ylim=(0.5, 8 * counts.max()))
    label_plainly(ax.xaxis)
    ax.set_xlabel("weight of a generated event")
    ax.set_ylabel("events / bin")
    ax.legend(loc="upper left")


def draw_areas(ax: Axes, *, before: Mapping[str, float], after: Mapping[str, float]) -> None:
    """Draw the AUC of generated against Monte Carlo events, before and after reweighting.

    Args:
        ax: Axes to draw into.
        before: ``value`` and ``uncertainty`` of the AUC without weights.
        after: The same with weights.
    """
    ax.axhline(0.5, color="#8b90a0", linewidth=0.9, linestyle="--")
    for column, (area, arm) in enumerate(((before, "surrogate"), (after, "reweighted"))):
        style = ARMS[arm]
        ax.errorbar(
            column, area["value"], area["uncertainty"], fmt=style.marker, color=style.color,
            markersize=7, capsize=4,
        )  # fmt: skip
        ax.annotate(
            f"{area['value']:.4f}\n± {area['uncertainty']:.4f}", (column, area["value"]), (10, 0),
            textcoords="offset points", va="center", fontsize=9, color=style.color,
        )  # fmt: skip
    ax.set_xticks([0, 1], ["before", "after"])
    ax.tick_params(axis="x", which="both", bottom=False, top=False)
    ax.set_xlim(-0.5, 1.8)
    ax.margins(y=0.2)
    ax.set_ylabel("AUC, generated against Monte Carlo")


def draw_reweighting_page(
    figure: Figure, *, calibration: DataFrame, weights: NDArray, record: Mapping[str, Any]
) -> None:
    """Draw calibration, weights and AUC side by side.

    Args:
        figure: An empty figure.
        calibration: See :func:`draw_calibration`.
        weights: Weights of generated events, shape ``(n_events,)``.
        record: ``clip``, ``effective_fraction``, ``auc_before`` and ``auc_after``.
    """
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.2, 1.2, 0.9))
    draw_calibration(left, calibration)
    draw_weights(middle, weights=weights, clip=record["clip"])
    draw_areas(right, before=record["auc_before"], after=record["auc_after"])
    left.set_title("calibration")
    middle.set_title(f"weights: {record['effective_fraction']:.1%} effective events")
    right.set_title("another classifier's verdict")
