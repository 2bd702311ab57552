"""The fitted signal of a resonance: its uncertainty by method, and profile likelihoods."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from pandas import DataFrame

from bumpflow.plotting.names import METHODS, SPARE_COLORS, STRATEGIES, ModelStyle

GREY = "#8b90a0"
MEMBER_COLOR = "#a9b0c0"
LEVELS = ((1.0, "68 %"), (4.0, "95 %"))
"""Rises of -2 ln L at which intervals end, to good precision."""
TOP = 9.0
"""Highest rise of -2 ln L that is drawn."""
MARKERS = "os^Dv"
UNBINNED = "statistical"
"""Method that is compared to other strategies, which have statistical uncertainties alone."""


def setup_styles(names: Sequence[str]) -> dict[str, ModelStyle]:
    """Return how set-ups of densities are drawn, the interpreted one first."""
    colors = ("#bd1f01", "#3f90da", *SPARE_COLORS[2:])
    return {
        name: ModelStyle(name, colors[index % len(colors)], MARKERS[index % len(MARKERS)])
        for index, name in enumerate(names)
    }


def uncertainty_rows(fits: DataFrame, strategies: DataFrame | None) -> dict[str, NDArray]:
    """Return uncertainties of each data set [events], by what they are of.

    Args:
        fits: Fits of one set-up: ``method`` and ``uncertainty``.
        strategies: Other strategies' ``strategy`` and ``uncertainty``; none for data.

    Returns:
        By strategy or method, of shape ``(n_datasets,)`` each. Keys of other strategies are
        theirs, those of fits of densities are the methods'.
    """
    found: dict[str, NDArray] = {}
    if strategies is not None:
        for name in STRATEGIES:
            rows = strategies.loc[strategies["strategy"] == name, "uncertainty"]
            found[name] = rows.to_numpy(float)
    for name in METHODS:
        found[name] = fits.loc[fits["method"] == name, "uncertainty"].to_numpy(float)
    return {name: values for name, values in found.items() if len(values)}


def draw_uncertainties_page(
    figure: Figure,
    *,
    fits: Mapping[str, DataFrame],
    strategies: DataFrame | None,
    n_signal: int | None,
) -> None:
    """Draw uncertainties of the signal: by strategy above, by method of densities below.

    Args:
        figure: An empty figure.
        fits: Fits by set-up of densities, the interpreted one first.
        strategies: Other strategies on the data sets of the first set-up; none for data.
        n_signal: Signal in each data set [events], which uncertainties are relative to, if known.
    """
    scale = 1.0 if n_signal is None else 1 / n_signal
    rows: dict[str, dict[str, NDArray]] = {}
    for name, table in fits.items():
        beside = None if rows else strategies
        rows[name] = {key: scale * x for key, x in uncertainty_rows(table, beside).items()}
    shown = [key for key in (*STRATEGIES, *METHODS) if any(key in part for part in rows.values())]
    above = [key for key in shown if key in STRATEGIES] + [UNBINNED]
    below = [key for key in shown if key not in STRATEGIES]
    groups = [below] if strategies is None else [above, below]
    styles = setup_styles(list(fits))
    axes = figure.subplots(
        len(groups), 1, sharex=True, squeeze=False, height_ratios=[len(group) for group in groups]
    )[:, 0]
    titles = ("Strategies, statistical uncertainty only", "Densities, by what else is uncertain")
    for ax, group, title in zip(axes, groups, titles[-len(groups) :], strict=True):
        draw_uncertainties(ax, rows=rows, names=group, styles=styles)
        ax.set_title(title)
    top = max(float(x.max()) for part in rows.values() for x in part.values())
    axes[0].set_xlim(0, 1.1 * top)
    relative = r"uncertainty of the signal $\sigma_s \, / \, s_{true}$"
    axes[-1].set_xlabel("uncertainty of the signal [events]" if n_signal is None else relative)
    handles = [
        Line2D([], [], color=style.color, marker=style.marker, linestyle="", label=style.label)
        for style in styles.values()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def draw_uncertainties(
    ax: Axes,
    *,
    rows: Mapping[str, Mapping[str, NDArray]],
    names: Sequence[str],
    styles: Mapping[str, ModelStyle],
) -> None:
    """Draw means over data sets with their standard deviations, and each data set open.

    Args:
        ax: Axes to draw into; ``names`` run downwards.
        rows: Uncertainties by set-up and name, shape ``(n_datasets,)``.
        names: Strategies and methods.
        styles: How set-ups are drawn.
    """
    for index, (setup, found) in enumerate(rows.items()):
        style, shift = styles[setup], 0.6 * ((index + 0.5) / len(rows) - 0.5)
        for place, name in enumerate(names):
            values = found.get(name, np.empty(0))
            if len(values) > 1:
                at = np.full(len(values), place + shift)
                ax.plot(values, at, "o", color=style.color, markerfacecolor="white", alpha=0.5)
            if len(values):
                spread = values.std(ddof=1) if len(values) > 1 else None
                ax.errorbar(
                    values.mean(), place + shift, xerr=spread, fmt=style.marker,
                    color=style.color, markersize=6, linewidth=1.4,
                )  # fmt: skip
    labels = [_row_label(name, names) for name in names]
    ax.set_yticks(range(len(names)), labels)
    ax.tick_params(axis="y", which="both", left=False, right=False)
    ax.set_ylim(len(names) - 0.5, -0.5)
    for place in range(1, len(names)):
        ax.axhline(place - 0.5, color="#e4e7ee", linewidth=0.8, zorder=0)


def _row_label(name: str, names: Sequence[str]) -> str:
    """Return a row's label; beside other strategies the fit of densities has its own."""
    if name in STRATEGIES:
        return STRATEGIES[name]
    return "densities, unbinned (ours)" if names[0] in STRATEGIES else METHODS[name].label


def _interval(fits: DataFrame, method: str) -> str:
    """Return a method's signal with its interval, or nothing if it was not fitted."""
    rows: list[Any] = fits[fits["method"] == method].to_dict("records")
    if not rows:
        return ""
    best, low, high = (rows[0][key] for key in ("signal", "low", "high"))
    return rf": $s = {best:.0f}\,_{{-{best - low:.0f}}}^{{+{high - best:.0f}}}$"


def draw_curves_page(
    figure: Figure,
    *,
    curves: DataFrame,
    fits: DataFrame,
    methods: Sequence[str],
    n_signal: int | None,
    with_members: bool,
) -> None:
    """Draw profile likelihoods of one data set.

    Args:
        figure: An empty figure.
        curves: ``method``, ``signal`` [events] and ``rise`` of -2 ln L.
        fits: Fits of the same data set.
        methods: Methods to draw; those without a curve are left out.
        n_signal: True signal [events], if known.
        with_members: Whether to draw the curves of single bootstraps.
    """
    ax = figure.subplots()
    handles = []
    members = sorted({name for name in curves["method"] if str(name).startswith("member")})
    if with_members and members:
        for name in members:
            part = curves[curves["method"] == name]
            ax.plot(part["signal"], part["rise"], color=MEMBER_COLOR, linewidth=1)
        text = f"each of {len(members)} bootstraps, above its own minimum"
        handles.append(Line2D([], [], color=MEMBER_COLOR, linewidth=1, label=text))
    for name in methods:
        part, style = curves[curves["method"] == name], METHODS[name]
        if len(part):
            dash: Literal["--", "-"] = "--" if name == "statistical" else "-"
            ax.plot(part["signal"], part["rise"], dash, color=style.color, linewidth=1.8)
            label = style.label + _interval(fits, name)
            handles.append(Line2D([], [], color=style.color, linestyle=dash, label=label))
    limit_curves(ax, curves[curves["method"].isin(methods)])
    if n_signal is not None:
        ax.axvline(n_signal, color=GREY, linewidth=1.1, linestyle=":")
        text = f"true signal: {n_signal}"
        handles.append(Line2D([], [], color=GREY, linewidth=1.1, linestyle=":", label=text))
    ax.set(xlabel="signal $s$ [events]", ylabel=r"rise of $-2 \, \ln L$")
    figure.legend(handles=handles, loc="outside right center", fontsize=10)


def limit_curves(ax: Axes, curves: DataFrame) -> None:
    """Draw levels of intervals, and limit axes to where curves are low.

    Args:
        ax: Axes with curves.
        curves: ``signal`` and ``rise`` of what is drawn.
    """
    low = curves[curves["rise"] <= TOP]
    ax.set_xlim(float(low["signal"].min()), float(low["signal"].max()))
    ax.set_ylim(0, TOP)
    for level, text in LEVELS:
        ax.axhline(level, color=GREY, linewidth=0.9, linestyle="--", zorder=0)
        ax.annotate(
            text, (0.98, level), (0, 2), xycoords=("axes fraction", "data"),
            textcoords="offset points", ha="right", va="bottom", fontsize=8.5, color="#6b7080",
        )  # fmt: skip
