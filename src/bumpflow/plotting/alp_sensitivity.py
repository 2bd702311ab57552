"""What hunts reach at many rates and thresholds, with one resolution.

References:
    Chathirathas et al. (2024), https://arxiv.org/abs/2407.20329, figures 4, 5, 11 and 12
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pandas import DataFrame

from bumpflow.compatibility.hunting import BUMP, EPO, LR
from bumpflow.compatibility.settings import ECO
from bumpflow.plotting.alp_posteriors import DARK
from bumpflow.plotting.names import HUNTS, ModelStyle
from bumpflow.report.numbers import MINUS

MAPPED = (BUMP, ECO, EPO, LR)
"""Hunts whose significances are drawn against both rates."""
GAINING = (ECO, EPO, LR)
"""Hunts that are compared with the bump hunt."""
Z = r"mean significance $\langle Z \rangle$, two-sided [$\sigma$]"


def map_of(maps: DataFrame, benchmark: str, hunt: str) -> tuple[DataFrame, float]:
    """Return mean significances of a hunt, ``mu_s`` by ``mu_b``, and their largest error.

    Args:
        maps: See :func:`bumpflow.compatibility.performance.map_table`.
        benchmark: The signal.
        hunt: The hunt.
    """
    rows = maps[(maps["benchmark"] == benchmark) & (maps["hunt"] == hunt)]
    return rows.pivot(index="mu_s", columns="mu_b", values="z"), float(rows["z_error"].max())


def draw_map(ax: Axes, *, table: DataFrame, norm: Normalize, cmap: str, sign: str = "") -> Artist:
    """Draw numbers against both rates, written into cells.

    Args:
        ax: Axes to draw into.
        table: Numbers, ``mu_s`` by ``mu_b``.
        norm: Range of colours.
        cmap: Name of the colours.
        sign: How signs are written: ``"+"`` for those of all numbers.

    Returns:
        The map, for a colour bar.
    """
    values = table.to_numpy(float)
    drawn = ax.pcolormesh(values, norm=norm, cmap=cmap)
    for (i, j), value in np.ndenumerate(values):
        red, green, blue, _ = mpl.colormaps[cmap](norm(value))
        color = "white" if 0.3 * red + 0.6 * green + 0.1 * blue < 0.55 else DARK
        text = f"{np.round(value, 2) + 0.0:{sign}.2f}".replace("-", MINUS)
        ax.text(j + 0.5, i + 0.5, text, ha="center", va="center", color=color, fontsize=8)
    ax.set_xticks(np.arange(values.shape[1]) + 0.5, [f"{rate:g}" for rate in table.columns])
    ax.set_yticks(np.arange(values.shape[0]) + 0.5, [f"{rate:g}" for rate in table.index])
    ax.tick_params(which="both", length=0)
    return drawn


def draw_sensitivity_page(
    figure: Figure, *, maps: DataFrame, benchmarks: Mapping[str, ModelStyle]
) -> None:
    """Draw mean significances against both rates, a row per signal and a column per hunt.

    Args:
        figure: An empty figure.
        maps: See :func:`bumpflow.compatibility.performance.map_table`.
        benchmarks: How signals are drawn.
    """
    hunts = [name for name in MAPPED if name in set(maps["hunt"])]
    found = {(name, hunt): map_of(maps, name, hunt) for name in benchmarks for hunt in hunts}
    norm = Normalize(0, max(table.to_numpy().max() for table, _ in found.values()))
    _draw_maps(figure, found, norm=norm, cmap="viridis", benchmarks=benchmarks, label=Z)


def gain_of(maps: DataFrame, benchmark: str, hunt: str) -> tuple[DataFrame, float]:
    """Return what a hunt gains over the bump hunt, and the largest error if both are independent.

    Args:
        maps: See :func:`bumpflow.compatibility.performance.map_table`.
        benchmark: The signal.
        hunt: The hunt.
    """
    (table, error), (other, other_error) = (map_of(maps, benchmark, one) for one in (hunt, BUMP))
    return table - other, float(np.hypot(error, other_error))


def draw_gain_page(
    figure: Figure, *, maps: DataFrame, benchmarks: Mapping[str, ModelStyle]
) -> None:
    """Draw what hunts gain over the bump hunt, a row per signal and a column per hunt.

    Args:
        figure: An empty figure.
        maps: See :func:`bumpflow.compatibility.performance.map_table`.
        benchmarks: How signals are drawn.
    """
    hunts = [name for name in GAINING if name in set(maps["hunt"])]
    found = {(name, hunt): gain_of(maps, name, hunt) for name in benchmarks for hunt in hunts}
    reach = max(0.1, *(np.abs(table.to_numpy()).max() for table, _ in found.values()))
    label = r"$\langle Z \rangle$ less that of the bump hunt [$\sigma$]"
    norm = TwoSlopeNorm(0, -reach, reach)
    _draw_maps(figure, found, norm=norm, cmap="RdBu", benchmarks=benchmarks, label=label, sign="+")


def _draw_maps(
    figure: Figure,
    found: Mapping[tuple[str, str], tuple[DataFrame, float]],
    *,
    norm: Normalize,
    cmap: str,
    benchmarks: Mapping[str, ModelStyle],
    label: str,
    sign: str = "",
) -> None:
    """Draw a row per signal and a column per hunt, with one range of colours."""
    hunts = list(dict.fromkeys(hunt for _, hunt in found))
    axes = figure.subplots(len(benchmarks), len(hunts), squeeze=False, sharex=True, sharey=True)
    for line, (name, style) in zip(axes, benchmarks.items(), strict=True):
        for ax, hunt in zip(line, hunts, strict=True):
            table, error = found[name, hunt]
            drawn = draw_map(ax, table=table, norm=norm, cmap=cmap, sign=sign)
            ax.set_title(f"{HUNTS[hunt].label}, {style.label}\n", fontsize=10)
            ax.set_title(f"errors ≤ {error:.2f}", loc="right", fontsize=8, fontweight="normal")
        line[0].set_ylabel(r"expected signal $\mu_s$ [events]")
    for ax in axes[-1]:
        ax.set_xlabel(r"expected background $\mu_b$ [events]")
    figure.colorbar(cast("Any", drawn), ax=axes, label=label, pad=0.01, aspect=40)


def shown_rates(thresholds: DataFrame) -> tuple[list[float], float]:
    """Return the background rates of the first signal rate, and that.

    Args:
        thresholds: See :func:`bumpflow.compatibility.performance.threshold_table`.
    """
    mu_s = float(thresholds["mu_s"].iloc[0])
    return [
        float(rate) for rate in thresholds.loc[thresholds["mu_s"] == mu_s, "mu_b"].unique()
    ], mu_s


def draw_thresholds_page(
    figure: Figure,
    *,
    thresholds: DataFrame,
    benchmarks: Mapping[str, ModelStyle],
    chosen: float,
) -> None:
    """Draw mean significances against the threshold, a row per rate and a column per signal.

    Rates are those of :func:`shown_rates`. Dotted lines are the level that is reached if the data
    choose the threshold.

    Args:
        figure: An empty figure.
        thresholds: See :func:`bumpflow.compatibility.performance.threshold_table`.
        benchmarks: How signals are drawn.
        chosen: Threshold of all other figures.
    """
    rates, mu_s = shown_rates(thresholds)
    mine = thresholds[thresholds["mu_s"] == mu_s]
    hunts = [name for name in HUNTS if name in set(mine["hunt"])]
    axes = figure.subplots(len(rates), len(benchmarks), squeeze=False, sharex=True, sharey="row")
    for line, mu_b in zip(axes, rates, strict=True):
        for ax, (name, style) in zip(line, benchmarks.items(), strict=True):
            here = mine[(mine["mu_b"] == mu_b) & (mine["benchmark"] == name)]
            draw_thresholds(ax, table=here, hunts=hunts, chosen=chosen)
            ax.set_title(f"{style.label}: {mu_b:g} background, {mu_s:g} signal")
        line[0].set_ylabel(r"$\langle Z \rangle$, two-sided [$\sigma$]")
        line[0].set_ylim(bottom=0)
    for ax in axes[-1]:
        ax.set_xlabel("threshold on the mean compatibility")
    handles = [
        *(
            Line2D([], [], color=HUNTS[n].color, marker=HUNTS[n].marker, label=HUNTS[n].label)
            for n in hunts
        ),
        Line2D([], [], color=DARK, linestyle=":", label="threshold left to the data"),
        Line2D(
            [],
            [],
            color=DARK,
            linewidth=0.9,
            linestyle="--",
            label=f"threshold in use, {chosen:g}",
        ),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def draw_thresholds(ax: Axes, *, table: DataFrame, hunts: Sequence[str], chosen: float) -> None:
    """Draw mean significances of hunts against their threshold.

    Args:
        ax: Axes to draw into.
        table: ``hunt``, ``setting``, ``z`` and ``z_error`` of one signal and rate.
        hunts: Hunts to draw.
        chosen: Threshold to mark.
    """
    ax.axvline(chosen, color=DARK, linewidth=0.9, linestyle="--")
    for hunt in hunts:
        style, rows = HUNTS[hunt], table[table["hunt"] == hunt]
        fixed, free = rows[rows["setting"].notna()], rows[rows["setting"].isna()]
        ax.errorbar(
            fixed["setting"],
            fixed["z"],
            fixed["z_error"],
            fmt=f"{style.marker}-",
            color=style.color,
        )
        for _, row in free.iterrows():
            low, high = row["z"] - row["z_error"], row["z"] + row["z_error"]
            ax.axhspan(low, high, color=style.color, alpha=0.12, linewidth=0)
            ax.axhline(row["z"], color=style.color, linestyle=":")
    ax.set_xlim(0, 1)


def draw_purity_page(
    figure: Figure,
    *,
    purities: DataFrame,
    benchmarks: Mapping[str, ModelStyle],
    chosen: float,
) -> None:
    """Draw how hunts tell signal among a fixed number of events, a row per hunt.

    Args:
        figure: An empty figure.
        purities: See :func:`bumpflow.compatibility.performance.purity_table`.
        benchmarks: How signals are drawn.
        chosen: Threshold of all other figures.
    """
    if purities.empty:
        figure.text(0.5, 0.5, "no toys have this number of events", ha="center")
        return
    hunts = [name for name in HUNTS if name in set(purities["hunt"])]
    numbers = sorted(purities["n_signal"].unique())
    colors = mpl.colormaps["viridis_r"](np.linspace(0.08, 1, len(numbers)))
    axes = figure.subplots(len(hunts), len(benchmarks), squeeze=False, sharex=True, sharey=True)
    for line, hunt in zip(axes, hunts, strict=True):
        for ax, (name, style) in zip(line, benchmarks.items(), strict=True):
            here = purities[(purities["hunt"] == hunt) & (purities["benchmark"] == name)]
            ax.axvline(chosen, color=DARK, linewidth=0.9, linestyle="--")
            for n, color in zip(numbers, colors, strict=True):
                rows = here[here["n_signal"] == n]
                ax.errorbar(
                    rows["setting"],
                    rows["minus_log_p"],
                    rows["minus_log_p_error"],
                    fmt="o-",
                    color=color,
                )
            ax.set_title(f"{HUNTS[hunt].label}, {style.label}")
        line[0].set_ylabel(r"$\langle -\ln p \rangle$ of no signal")
    for ax in axes[-1]:
        ax.set_xlabel("threshold on the mean compatibility")
    axes[0, 0].set_xlim(0, 1)
    axes[0, 0].set_ylim(bottom=0)
    n_events = max(numbers)
    handles = [
        *(
            Line2D([], [], color=color, marker="o", label=f"{n} of {n_events} events are signal")
            for n, color in zip(numbers, colors, strict=True)
        ),
        Line2D(
            [],
            [],
            color=DARK,
            linewidth=0.9,
            linestyle="--",
            label=f"threshold in use, {chosen:g}",
        ),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
