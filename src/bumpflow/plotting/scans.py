"""Results of many fits against luminosity and against the number of generated events.

Tables hold one row per fit, with columns ``scan``, ``arm``, ``systematic`` (relative),
``luminosity_fb`` [fb^-1], ``n_generated`` and the results. Numbers of a failed fit are NaN: points
are left out and lines have a gap.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray
from pandas import DataFrame

from bumpflow.plotting.names import ModelStyle

TOLERATED_SPURIOUS = 0.2
"""Spurious signal that is commonly tolerated, in statistical uncertainties of the signal."""
BANDS = ((2, "#eaecf1"), (1, "#cdd2de"))
"""Expected limits within so many standard deviations, and the colour of the band."""


class ScanStyle(NamedTuple):
    """Column and label of what a scan varies."""

    column: str
    label: str


SCANS = {
    "luminosity": ScanStyle("luminosity_fb", r"luminosity [fb$^{-1}$]"),
    "generated": ScanStyle("n_generated", "number of generated events"),
}


def pick_arm(table: DataFrame, arm: str, *, scan: str, systematic: float) -> DataFrame:
    """Return one arm's rows of a scan, by the value of what is varied; failed ones are NaN.

    Args:
        table: All fits of an observable.
        arm: Name of the background template; a single row of it stands for every value, as
            Monte Carlo does not depend on the number of generated events.
        scan: ``"luminosity"`` or ``"generated"``.
        systematic: Relative uncertainty of the background in each bin.

    Raises:
        ValueError: If the arm has no fit there.
    """
    here = table[(table["scan"] == scan) & np.isclose(table["systematic"], systematic)]
    rows = here[here["arm"] == arm].set_index(SCANS[scan].column)
    if rows.empty:
        msg = f"no fits of arm {arm!r} in scan {scan!r} at systematic {systematic:g}"
        raise ValueError(msg)
    values = np.sort(here[SCANS[scan].column].unique())
    if len(rows) == 1:
        rows = rows.loc[rows.index.repeat(len(values))].set_axis(values)
    rows = rows.reindex(values)
    numbers = rows.select_dtypes("number").columns
    rows[numbers] = rows[numbers].where(rows["status"] == "converged")
    return rows


def dodge(x: NDArray, index: int, n: int) -> NDArray:
    """Return abscissae on a logarithmic axis, shifted so that ``n`` arms do not overlap.

    Args:
        x: Values, shape ``(n_points,)``, rising.
        index: Which arm.
        n: Number of arms.
    """
    step = (x[-1] / x[0]) ** (1 / max(1, len(x) - 1)) if len(x) > 1 else 1.1
    return x * step ** (0.6 * ((index + 0.5) / n - 0.5))


def draw_strength(
    ax: Axes, *, rows: Mapping[str, DataFrame], styles: Mapping[str, ModelStyle]
) -> None:
    """Draw fitted signal strengths with the uncertainty of the fit and the total one.

    Args:
        ax: Axes to draw into.
        rows: Fits of each arm, from :func:`pick_arm`.
        styles: How each arm is drawn.
    """
    ax.axhline(1, color="#8b90a0", linewidth=0.9, linestyle="--")
    for index, (arm, one) in enumerate(rows.items()):
        style, x = styles[arm], dodge(one.index.to_numpy(float), index, len(rows))
        total = np.hypot(one["mu_uncertainty"], one["mu_mc_uncertainty"])
        ax.errorbar(
            x, one["mu_hat"], total, fmt="none", ecolor=style.color, linewidth=0.8, capsize=2
        )
        ax.errorbar(
            x,
            one["mu_hat"],
            one["mu_uncertainty"],
            fmt=style.marker,
            color=style.color,
            elinewidth=2.0,
            markersize=5.5,
            markeredgecolor="white",
            markeredgewidth=0.5,
            label=style.label,
        )
    ax.set_xscale("log")
    ax.margins(x=0.02)


def draw_spurious(
    ax: Axes, *, rows: Mapping[str, DataFrame], styles: Mapping[str, ModelStyle]
) -> None:
    """Draw the signal found where there is none, in units of the data's uncertainty.

    Args:
        ax: Axes to draw into.
        rows: Fits of each arm, from :func:`pick_arm`.
        styles: How each arm is drawn.
    """
    for edge in (-TOLERATED_SPURIOUS, TOLERATED_SPURIOUS):
        ax.axhline(edge, color="#1f2430", linewidth=0.9, linestyle="--")
    for arm, one in rows.items():
        found = one["spurious"] / one["stat_uncertainty"]
        error = one["spurious_mc_uncertainty"] / one["stat_uncertainty"]
        x, color = one.index.to_numpy(float), styles[arm].color
        ax.fill_between(x, found - error, found + error, color=color, alpha=0.1, linewidth=0)
        draw_lines(ax, values={arm: found.to_numpy()}, x=x, styles=styles)


def draw_lines(
    ax: Axes, *, values: Mapping[str, NDArray], x: NDArray, styles: Mapping[str, ModelStyle]
) -> None:
    """Draw a line with markers per arm.

    Args:
        ax: Axes to draw into.
        values: Ordinates of each arm, shape ``(n_points,)``; NaN where a fit failed.
        x: Abscissae, shape ``(n_points,)``.
        styles: How each arm is drawn.
    """
    for arm, y in values.items():
        style = styles[arm]
        ax.plot(x, y, f"-{style.marker}", color=style.color, linewidth=1, markersize=3.5)
    ax.set_xscale("log")


def draw_limits(
    ax: Axes, *, rows: Mapping[str, DataFrame], styles: Mapping[str, ModelStyle]
) -> None:
    """Draw observed limits of each arm over the band that Monte Carlo expects.

    Args:
        ax: Axes to draw into.
        rows: Fits of each arm, from :func:`pick_arm`, Monte Carlo under ``"mc"``.
        styles: How each arm is drawn.
    """
    ax.set(xscale="log", yscale="log")  # first, as axes without a finite point cannot change
    reference = rows["mc"]
    x = reference.index.to_numpy(float)
    for reach, color in BANDS:
        low, high = reference[f"limit_m{reach}"], reference[f"limit_p{reach}"]
        ax.fill_between(x, low, high, color=color, linewidth=0)
    ax.plot(x, reference["limit_0"], color="#6b7080", linestyle="--", linewidth=1)
    limits = {arm: one["limit_observed"].to_numpy() for arm, one in rows.items()}
    draw_lines(ax, values=limits, x=x, styles=styles)


def draw_strength_page(
    figure: Figure,
    *,
    tables: Mapping[str, DataFrame],
    styles: Mapping[str, ModelStyle],
    systematic: float,
) -> None:
    """Draw the signal strength against luminosity, a panel per observable.

    Args:
        figure: An empty figure.
        tables: Fits by observable, under the name that titles give it.
        styles: How each arm is drawn; their order is that of the points.
        systematic: Relative uncertainty of the background in each bin.
    """
    axes = figure.subplots(len(tables), 1, sharex=True, squeeze=False)[:, 0]
    for ax, (name, table) in zip(axes, tables.items(), strict=True):
        rows = _pick_arms(table, styles, scan="luminosity", systematic=systematic)
        draw_strength(ax, rows=rows, styles=styles)
        ax.set_ylabel(r"signal strength $\hat{\mu}$")
        ax.set_title(_titled(name, systematic))
    axes[-1].set_xlabel(SCANS["luminosity"].label)
    truth = Line2D([], [], color="#8b90a0", linestyle="--", label="injected")
    _add_legend(figure, [*_arm_handles(styles, line=False), truth])


def draw_spurious_page(
    figure: Figure,
    *,
    tables: Mapping[str, DataFrame],
    styles: Mapping[str, ModelStyle],
    systematic: float,
) -> None:
    """Draw the spurious signal, a row per observable and a column per scan.

    Args:
        figure: An empty figure.
        tables: Fits by observable, under the name that titles give it.
        styles: How each arm is drawn.
        systematic: Relative uncertainty of the background in each bin.
    """
    axes = _scan_panels(figure, tables, systematic)
    for (name, scan), ax in axes.items():
        rows = _pick_arms(tables[name], styles, scan=scan, systematic=systematic)
        draw_spurious(ax, rows=rows, styles=styles)
        if scan == "luminosity":
            ax.set_ylabel(r"spurious signal / $\sigma_{stat}$")
    edges = Line2D([], [], color="#1f2430", linestyle="--")
    edges.set_label(f"tolerated: ±{TOLERATED_SPURIOUS:g}")
    _add_legend(figure, [*_arm_handles(styles), edges])


def draw_significance_page(
    figure: Figure,
    *,
    tables: Mapping[str, DataFrame],
    styles: Mapping[str, ModelStyle],
    systematic: float,
) -> None:
    """Draw the discovery significance of no signal, a row per observable, a column per scan.

    Args:
        figure: An empty figure.
        tables: Fits by observable, under the name that titles give it.
        styles: How each arm is drawn.
        systematic: Relative uncertainty of the background in each bin.
    """
    axes = _scan_panels(figure, tables, systematic)
    for (name, scan), ax in axes.items():
        rows = _pick_arms(tables[name], styles, scan=scan, systematic=systematic)
        values = {arm: one["z0"].to_numpy() for arm, one in rows.items()}
        x = rows[next(iter(rows))].index.to_numpy(float)
        draw_lines(ax, values=values, x=x, styles=styles)
        top = max(1.1, ax.get_ylim()[1])
        for z in range(1, 1 + min(5, int(top))):
            ax.axhline(z, color="#8b90a0", linewidth=0.7, linestyle=":", zorder=0)
        ax.set_ylim(-0.02 * top, top)
        if scan == "luminosity":
            ax.set_ylabel(r"significance $z_0$ [$\sigma$]")
    _add_legend(figure, _arm_handles(styles))


def draw_limit_page(
    figure: Figure,
    *,
    tables: Mapping[str, DataFrame],
    styles: Mapping[str, ModelStyle],
    systematics: Sequence[float],
    scan: str,
) -> None:
    """Draw upper limits, a row per observable and a column per systematic uncertainty.

    Args:
        figure: An empty figure.
        tables: Fits by observable, under the name that titles give it.
        styles: How each arm is drawn, Monte Carlo under ``"mc"``.
        systematics: Relative uncertainties of the background in each bin.
        scan: What is varied: ``"luminosity"`` or ``"generated"``.
    """
    axes = figure.subplots(len(tables), len(systematics), sharex=True, sharey="row", squeeze=False)
    for line, (name, table) in zip(axes, tables.items(), strict=True):
        for ax, systematic in zip(line, systematics, strict=True):
            rows = _pick_arms(table, styles, scan=scan, systematic=systematic)
            draw_limits(ax, rows=rows, styles=styles)
            ax.set_title(_titled(name, systematic))
        line[0].set_ylabel(r"95 % CL$_s$ upper limit on $\mu$")
        label_plainly(line[0].yaxis)
    for ax in axes[-1]:
        ax.set_xlabel(SCANS[scan].label)
    expected = [
        Line2D([], [], color="#6b7080", linestyle="--", label="expected (Monte Carlo)"),
        *(Patch(color=color, label=rf"±{reach}$\sigma$") for reach, color in BANDS[::-1]),
    ]
    _add_legend(figure, [*_arm_handles(styles), *expected])


def draw_difference_page(
    figure: Figure,
    *,
    tables: Mapping[str, DataFrame],
    styles: Mapping[str, ModelStyle],
    systematics: Sequence[float],
) -> None:
    """Draw how limits differ from that of Monte Carlo, against the number of generated events.

    Args:
        figure: An empty figure.
        tables: Fits by observable, under the name that titles give it.
        styles: How each arm is drawn, Monte Carlo under ``"mc"``.
        systematics: Relative uncertainties of the background in each bin.
    """
    axes = figure.subplots(len(tables), len(systematics), sharex=True, sharey="row", squeeze=False)
    for line, (name, table) in zip(axes, tables.items(), strict=True):
        for ax, systematic in zip(line, systematics, strict=True):
            rows = _pick_arms(table, styles, scan="generated", systematic=systematic)
            limits = {arm: one["limit_observed"] for arm, one in rows.items()}
            reference = limits.pop("mc")
            values = {arm: (one / reference - 1).to_numpy() for arm, one in limits.items()}
            ax.axhline(0, color=styles["mc"].color, linewidth=0.9, linestyle="--")
            draw_lines(ax, values=values, x=reference.index.to_numpy(float), styles=styles)
            ax.set_title(_titled(name, systematic))
        line[0].set_ylabel("(limit - MC limit) / MC limit")
    for ax in axes[-1]:
        ax.set_xlabel(SCANS["generated"].label)
    _add_legend(figure, _arm_handles({k: v for k, v in styles.items() if k != "mc"}))


def label_plainly(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers, more of them where it spans little."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high > 12 * low else (1, 1.5, 2, 3, 5, 7)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _pick_arms(
    table: DataFrame, arms: Mapping[str, ModelStyle], *, scan: str, systematic: float
) -> dict[str, DataFrame]:
    """Return the rows of several arms, over the same values of what is varied."""
    return {arm: pick_arm(table, arm, scan=scan, systematic=systematic) for arm in arms}


def _scan_panels(
    figure: Figure,
    tables: Mapping[str, DataFrame],
    systematic: float,
) -> dict[tuple[str, str], Axes]:
    """Return a panel per observable (row) and scan (column), with titles and labels."""
    axes = figure.subplots(len(tables), len(SCANS), sharex="col", squeeze=False)
    panels = {
        (name, scan): ax
        for name, line in zip(tables, axes, strict=True)
        for scan, ax in zip(SCANS, line, strict=True)
    }
    for (name, _), ax in panels.items():
        ax.set_title(_titled(name, systematic))
    for ax, scan in zip(axes[-1], SCANS.values(), strict=True):
        ax.set_xlabel(scan.label)
    return panels


def _titled(observable: str, systematic: float) -> str:
    """Return the title of a panel."""
    return f"{observable}, {systematic:.0%} systematic"


def _arm_handles(styles: Mapping[str, ModelStyle], *, line: bool = True) -> list[Artist]:
    """Return the legend's entries of some arms."""
    return [
        Line2D(
            [], [], color=s.color, marker=s.marker, linestyle="-" if line else "", label=s.label
        )
        for s in styles.values()
    ]


def _add_legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """Put a legend below all panels."""
    figure.legend(handles=list(handles), loc="outside lower center", ncols=len(handles))
