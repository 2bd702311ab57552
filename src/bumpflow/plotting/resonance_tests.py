"""Tests of a resonance: scan of its mass, intervals by toys, and coverage with a known truth."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray
from pandas import DataFrame
from scipy.stats import chi2

from bumpflow.plotting.hunt_numbers import binomial_errors
from bumpflow.plotting.hunt_scan import (
    GREY,
    MARK_COLOR,
    PALE,
    WARNING_COLOR,
    draw_toys,
    format_power,
)
from bumpflow.plotting.names import METHODS, FeatureStyle
from bumpflow.stats.toys import ONE_SIGMA, Toys, summarise_toys

DATA_COLOR = "#1f2430"
TOY_COLOR = "#3f90da"
TOY_BINS = 20
ENVELOPE = "envelope"
PANELS = {
    "coverage68": ("coverage of 68 % intervals", ONE_SIGMA),
    "coverage95": ("coverage of 95 % intervals", 0.95),
    "pull_mean": (r"mean of the pull [$\sigma$]", 0.0),
    "pull_width": (r"width of the pull [$\sigma$]", 1.0),
}
"""What is drawn of toys, with labels and nominal values."""


def draw_scan_page(
    figure: Figure,
    *,
    scan: DataFrame,
    toys: NDArray,
    tests: Mapping[str, Any],
    style: FeatureStyle,
) -> None:
    """Draw local significance against mass, and the largest ones of toys without signal.

    Args:
        figure: An empty figure.
        scan: ``mass`` [GeV] and ``z``.
        toys: Largest local significance of each toy, shape ``(n_toys,)``.
        tests: Record of the tests: ``scan`` has ``mass_gev``, ``z``, ``global_p``,
            ``global_p_error`` and ``global_z``.
        style: How the mass is drawn.
    """
    left, right = figure.subplots(1, 2, width_ratios=(1.4, 1))
    found = tests["scan"]
    left.plot(scan["mass"], scan["z"], "o-", color=DATA_COLOR)
    left.plot(found["mass_gev"], found["z"], "o", color=WARNING_COLOR, markersize=8, zorder=3)
    top = max(3.3, 1.18 * float(scan["z"].max()))
    for level in (1, 3, 5):
        left.axhline(level, color=GREY, linewidth=0.7, linestyle=":", zorder=0)
    left.set_ylim(0, top)
    left.set(xlabel=style.label, ylabel=r"local $z$ [$\sigma$]")
    left.set_title(rf"Largest $z$ = {found['z']:.2f} $\sigma$ at {found['mass_gev']:g} GeV")
    draw_toys(right, toys=toys, observed=found["z"], n_bins=TOY_BINS)
    right.set_title(describe_global(found, len(toys)))
    n_failed = np.count_nonzero(~np.isfinite(toys))
    failed = f", {n_failed} of which failed" if n_failed else ""
    handles = [
        Line2D([], [], color=DATA_COLOR, marker="o", label="data"),
        Patch(facecolor=PALE, edgecolor=GREY, label=f"{len(toys)} toys without signal{failed}"),
        Line2D([], [], color=WARNING_COLOR, linewidth=1.6, label="largest $z$ in data"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def describe_global(found: Mapping[str, float], n_toys: int) -> str:
    """Return the global p-value and significance, or bounds where no toy reached the data.

    Args:
        found: ``global_p``, in which the data count as a toy, ``global_p_error`` and ``global_z``.
        n_toys: Number of toys.
    """
    p, z = found["global_p"], found["global_z"]
    if p * (n_toys + 1) < 1.5:
        return rf"$p_{{global}}$ ≤ {format_power(p)}, $z_{{global}}$ ≥ {z:.2f} $\sigma$"
    shown = format_power(p, error=found["global_p_error"])
    return rf"$p_{{global}}$ = {shown}, $z_{{global}}$ = {z:.2f} $\sigma$"


def draw_belt_page(
    figure: Figure, *, belt: DataFrame, tests: Mapping[str, Any], n_toys: int
) -> None:
    """Draw which signals toys accept: statistic and critical values, and p-values below.

    Args:
        figure: An empty figure.
        belt: ``signal`` [events], ``statistic`` of the data, ``critical`` value and ``p``.
        tests: Record of the tests: ``belt`` has ``low``, ``high`` and ``confidence``, and
            ``signal`` the likelihood's interval.
        n_toys: Toys at each signal.
    """
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1.6, 1))
    accepted, fitted = tests["belt"], tests["signal"]
    s = belt["signal"].to_numpy(float)
    asymptotic = float(chi2.ppf(accepted["confidence"], df=1))
    for ax in (upper, lower):
        ax.axvspan(accepted["low"], accepted["high"], color=MARK_COLOR, alpha=0.14, linewidth=0)
    upper.axhline(asymptotic, color=GREY, linewidth=1, linestyle="--")
    upper.plot(s, belt["critical"], "s-", color=TOY_COLOR)
    upper.plot(s, belt["statistic"], "o-", color=DATA_COLOR)
    top = max(4 * asymptotic, 1.5 * float(belt["critical"].max()))
    upper.set_ylim(0, top)
    upper.errorbar(
        fitted["signal"], 0.93 * top,
        xerr=[[fitted["signal"] - fitted["low"]], [fitted["high"] - fitted["signal"]]],
        fmt="D", color=WARNING_COLOR, linewidth=1.4, capsize=3,
    )  # fmt: skip
    p = belt["p"].to_numpy(float)
    lower.errorbar(s, p, np.sqrt(p * (1 - p) / n_toys), fmt="o-", color=DATA_COLOR, linewidth=1)
    lower.axhline(1 - accepted["confidence"], color=TOY_COLOR, linewidth=1.3)
    lower.set(ylim=(0, 1.05), xlabel="signal $s$ [events]", ylabel="p-value")
    upper.set_ylabel(r"rise of $-2 \, \ln L$ from the best $s \geq 0$")
    upper.set_xlim(s[0], s[-1])
    percent = f"{100 * accepted['confidence']:.3g} %"
    interval = f"{accepted['low']:.0f} to {accepted['high']:.0f} events"
    handles = [
        Line2D([], [], color=DATA_COLOR, marker="o", label="data"),
        Line2D([], [], color=TOY_COLOR, marker="s", label=f"{percent} of {n_toys} toys lie below"),
        Line2D([], [], color=GREY, linestyle="--", label="the same, asymptotically"),
        Patch(color=MARK_COLOR, alpha=0.2, linewidth=0, label=f"accepted: {interval}"),
        Line2D(
            [], [], color=WARNING_COLOR, marker="D", linestyle="",
            label="best signal, interval of the likelihood",
        ),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside right center")


def coverage_table(toys: DataFrame) -> DataFrame:
    """Return coverage and pulls by true signal and method, with errors.

    Toys of one training share its densities, so errors come from the spread between trainings;
    they are NaN if there is but one.

    Args:
        toys: ``signal``, ``method``, ``pull``, ``distance``, ``uncertainty`` and ``replica``.

    Returns:
        Rows with ``signal``, ``method``, ``n_toys`` and each of :data:`PANELS` with its ``_error``. Of the
        envelope there is the coverage of 68 % intervals alone, as it has no other. Where fewer
        than 2 fits converged there is no row.
    """
    rows = []
    good = toys[toys[["pull", "distance"]].notna().all(axis=1)]
    for (signal, method), part in good.groupby(["signal", "method"], sort=True):
        if len(part) < 2:
            continue
        columns = (part[name].to_numpy(float) for name in ("pull", "distance", "uncertainty"))
        found = summarise_toys(Toys(*columns), groups=part["replica"].to_numpy())
        row: dict[str, Any] = {"signal": signal, "method": method, "n_toys": found.n_toys}
        for name in PANELS if method != ENVELOPE else ("coverage68",):
            measured = getattr(found, name)
            row |= {name: measured.value, f"{name}_error": measured.uncertainty}
        rows.append(row)
    return pd.DataFrame(rows)


def draw_coverage_page(figure: Figure, *, toys: DataFrame) -> None:
    """Draw coverage of intervals, and mean and width of pulls, against the true signal.

    Args:
        figure: An empty figure.
        toys: Fits of data sets with a known truth, see :func:`coverage_table`.
    """
    table = coverage_table(toys)
    axes = figure.subplots(2, 2, sharex=True)
    n_toys = table.groupby("method")["n_toys"].median()
    methods = [name for name in METHODS if name in n_toys]
    for ax, (quantity, (label, nominal)) in zip(axes.flat, PANELS.items(), strict=True):
        draw_against_signal(ax, table, quantity, methods)
        ax.axhline(nominal, color=GREY, linewidth=1, linestyle="--", zorder=0)
        ax.set_ylabel(label)
        if quantity.startswith("coverage"):
            ax.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
            ax.set_ylim(top=min(ax.get_ylim()[1], 1.02))
    for ax in axes[1]:
        ax.set_xlabel("true signal [events]")
    handles = [
        Line2D(
            [], [], color=METHODS[name].color, marker=METHODS[name].marker, linestyle="",
            label=f"{METHODS[name].label}: {n_toys[name]:.0f} data sets",
        )
        for name in methods
    ]  # fmt: skip
    nominal_line = Line2D([], [], color=GREY, linestyle="--", label="nominal")
    figure.legend(handles=[*handles, nominal_line], loc="outside lower center", ncols=3)


def draw_against_signal(ax: Axes, table: DataFrame, quantity: str, methods: list[str]) -> None:
    """Draw one quantity of each method, markers of one true signal beside each other.

    Args:
        ax: Axes to draw into.
        table: See :func:`coverage_table`.
        quantity: Key of :data:`PANELS`.
        methods: Methods in order.
    """
    signals = np.unique(table["signal"].to_numpy(float))
    step = float(np.diff(signals).min()) if len(signals) > 1 else 1.0
    for index, name in enumerate(methods):
        rows = table[(table["method"] == name) & table[quantity].notna()]
        x = rows["signal"].to_numpy(float) + 0.55 * step * ((index + 0.5) / len(methods) - 0.5)
        value, error = (rows[key].to_numpy(float) for key in (quantity, f"{quantity}_error"))
        bars = np.tile(np.nan_to_num(error), (2, 1))
        if quantity.startswith("coverage"):  # all or none are held: trainings have no spread
            n = rows["n_toys"].to_numpy(float)
            bars = np.where(error == 0, binomial_errors(value * n, n), bars)
        style = METHODS[name]
        ax.errorbar(
            x, value, bars, fmt=style.marker, color=style.color, markersize=5,
            linewidth=1.2,
        )  # fmt: skip
    ax.set_xticks(signals)
    ax.tick_params(axis="x", which="minor", bottom=False, top=False)
    ax.set_xlim(signals[0] - 0.5 * step, signals[-1] + 0.5 * step)
    ax.margins(y=0.12)
