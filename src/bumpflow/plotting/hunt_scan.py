"""One spectrum that was searched for bumps: data and background, significance, toys."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.mathtext import MathTextParser
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray
from pandas import DataFrame

from bumpflow.plotting.hunt_numbers import is_limit, poisson_errors, residuals
from bumpflow.plotting.names import GEV_FEATURES, ModelStyle

DATA = ModelStyle("data", "#1f2430", "o")
NETWORK = ModelStyle("network", "#3f90da", "s")
PROFILED = ModelStyle("fitted function, profiled", "#f09000", "^")
MARK_COLOR = "#2a8a6c"
WARNING_COLOR = "#bd1f01"
GREY, PALE = "#8b90a0", "#d3d8e3"
LINE_HEIGHT = 15.0
"""Distance of written lines [point]."""
DECADES = 20.0
"""Counts are drawn on a logarithmic axis where the largest is this many times the smallest."""
PARTICLES = {"mumu": r"\mu\mu", "gg": r"\gamma\gamma", "ll": r"\ell\ell", "tautau": r"\tau\tau"}


def plain_text(text: str) -> str:
    """Return text that Matplotlib can draw: as it is, or with its dollar signs escaped."""
    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return text.replace("$", r"\$")
    return text


def variable_symbol(variable: str) -> str:
    r"""Return how a variable is written: ``m_mumu`` as :math:`m_{\mu\mu}`, others as they are.

    Args:
        variable: Name of the variable; an empty one is a mass.
    """
    if variable in GEV_FEATURES:
        return GEV_FEATURES[variable].symbol
    found = re.fullmatch(r"m_([A-Za-z]+)", variable)
    if found:
        return f"$m_{{{PARTICLES.get(found[1], found[1])}}}$"
    return plain_text(variable) or "mass"


def variable_label(variable: str, unit: str) -> str:
    """Return the label of a variable's axis.

    Args:
        variable: Name of the variable.
        unit: Its unit; empty where it has none.
    """
    symbol = variable_symbol(variable)
    return f"{symbol} [{plain_text(unit)}]" if unit else symbol


def has_equal_widths(edges: NDArray) -> bool:
    """Return whether all bins are equally wide."""
    widths = np.diff(edges)
    return bool(np.ptp(widths) < 1e-3 * widths.mean())


def density_label(edges: NDArray, unit: str) -> str:
    """Return what counts are drawn per: the width of all bins, or else a unit of the axis.

    Args:
        edges: Edges of the bins [``unit``], shape ``(n_bins + 1,)``.
        unit: Unit of the axis.
    """
    if not has_equal_widths(edges):
        return f"events / {plain_text(unit)}" if unit else "events / unit"
    return f"events / {np.diff(edges).mean():.3g} {plain_text(unit)}".rstrip()


def format_power(value: float, *, error: float | None = None) -> str:
    """Return a p-value, with its error where there is one, as a power of ten where it is small."""
    error = error if error and np.isfinite(error) else None
    if value >= 0.001:
        shown = max(3, min(5, 1 - int(np.floor(np.log10(error))))) if error else 3
        return f"{value:.{shown}f}" + (f" ± {error:.{shown}f}" if error else "")
    power = int(np.floor(np.log10(value)))
    scaled = f"{value / 10.0**power:.1f}"
    if error:
        scaled = rf"({scaled} \pm {error / 10.0**power:.1f})"
    return rf"${scaled} \times 10^{{{power}}}$"


def global_p_text(summary: Mapping[str, Any]) -> str:
    """Return the global p-value as an equation, or as a bound where no toy reached the data.

    Args:
        summary: ``p_global``, ``p_global_error`` and ``n_toys``.
    """
    if is_limit(summary):
        return rf"$p_{{global}}$ < {format_power(1 / max(summary['n_toys'], 1))}"
    return (
        rf"$p_{{global}}$ = {format_power(summary['p_global'], error=summary['p_global_error'])}"
    )


def describe_scan(summary: Mapping[str, Any]) -> list[str]:
    """Return lines that say what was found and how likely it is without signal.

    Args:
        summary: The histogram's row of the summary.
    """
    unit = plain_text(str(summary["unit"]))
    interval = rf"{summary['z_low']:.1f} to {summary['z_high']:.1f}"
    sign = ">" if is_limit(summary) else "="
    return [
        rf"largest $z$ = {summary['z_max']:.2f} $\sigma$  (68 %: {interval})",
        f"at {summary['low']:.5g} to {summary['high']:.5g} {unit}".rstrip(),
        f"signal's s.d.: {summary['width']:.3g} bin{'s' * (summary['width'] != 1)}",
        global_p_text(summary),
        rf"$z_{{global}}$ {sign} {summary['z_global']:.2f} $\sigma$",
    ]


def draw_counts(ax: Axes, *, edges: NDArray, observed: NDArray, background: NDArray) -> None:
    """Draw counts with Poisson errors over the background, per width where bins differ.

    Args:
        ax: Axes to draw into; logarithmic where the background spans decades.
        edges: Edges of the bins, shape ``(n_bins + 1,)``.
        observed: Counts, shape ``(n_bins,)``.
        background: Expected background counts, shape ``(n_bins,)``.
    """
    widths = np.ones(len(observed)) if has_equal_widths(edges) else np.diff(edges)
    centers = (edges[1:] + edges[:-1]) / 2
    y, errors, expected = observed / widths, poisson_errors(observed) / widths, background / widths
    seen = expected[np.isfinite(expected) & (expected > 0)]
    low, high = (seen.min(), seen.max()) if len(seen) else (1.0, 1.0)
    top = max(high, float(np.max(y + errors[1])))
    if top > DECADES * low:
        ax.set_ylim(0.3 * low, top * (top / low) ** 0.12)
        ax.set_yscale("log")
    else:
        ax.set_ylim(0, 1.2 * top)
    ax.stairs(expected, edges, color=NETWORK.color, linewidth=1.4, baseline=None)
    ax.errorbar(
        centers, y, errors, fmt="o", color=DATA.color, linewidth=0.9,
        markersize=3 if len(y) <= 80 else 2,
    )  # fmt: skip


def draw_residuals(ax: Axes, *, edges: NDArray, pulls: NDArray) -> None:
    """Draw differences from the background in standard deviations, as bars.

    Args:
        ax: Axes to draw into.
        edges: Edges of the bins, shape ``(n_bins + 1,)``.
        pulls: Differences [standard deviations], shape ``(n_bins,)``.
    """
    ax.stairs(np.nan_to_num(pulls), edges, fill=True, color=GREY, linewidth=0)
    ax.axhline(0, color=DATA.color, linewidth=0.7)
    reach = max(3.4, 1.12 * float(np.nanmax(np.abs(pulls), initial=0.0)))
    ax.set_ylim(-reach, reach)
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))


def draw_significance(ax: Axes, *, edges: NDArray, rows: DataFrame) -> None:
    """Draw the predicted significance of a bump in each bin with its 68 % interval.

    Args:
        ax: Axes to draw into.
        edges: Edges of the bins, shape ``(n_bins + 1,)``.
        rows: Columns ``z``, ``z_low``, ``z_high`` and ``z_profiled``, a row per bin.
    """
    z, low, high, profiled = (
        rows[name].to_numpy(float) for name in ("z", "z_low", "z_high", "z_profiled")
    )
    centers = (edges[1:] + edges[:-1]) / 2
    ax.fill_between(centers, low, high, color=NETWORK.color, alpha=0.3, linewidth=0)
    ax.plot(centers, profiled, color=PROFILED.color, linewidth=0.9)
    ax.plot(centers, z, color=NETWORK.color, linewidth=1.5)
    bottom = min(0.0, *(float(np.nanmin(one, initial=0.0)) for one in (z, low, profiled)))
    top = max(3.3, *(1.1 * float(np.nanmax(one, initial=0.0)) for one in (z, high, profiled)))
    ax.axhline(0, color=DATA.color, linewidth=0.7)
    for level in (3, 5):
        if level < top:
            ax.axhline(level, color=GREY, linewidth=0.7, linestyle=":", zorder=0)
    ax.set_ylim(bottom - 0.05 * (top - bottom), top)


def draw_toys(ax: Axes, *, toys: NDArray, observed: float, n_bins: int = 40) -> None:
    """Draw the largest significance of toys without signal, and mark the observed one.

    Args:
        ax: Axes to draw into.
        toys: Largest significance of each toy, shape ``(n_toys,)``.
        observed: Largest significance of the data.
        n_bins: Number of bins of the toys' own range.
    """
    toys = toys[np.isfinite(toys)]
    if len(toys):
        low, high = float(toys.min()), float(toys.max())
        edges = np.linspace(low, high if high > low else low + 1, n_bins + 1)
        share = np.histogram(toys, bins=edges)[0] / len(toys)
        ax.stairs(share, edges, fill=True, color=PALE)
        ax.stairs(share, edges, color=GREY, linewidth=0.9)
        ax.set_yscale("log")
        ax.set_ylim(0.4 / len(toys), 6 * share.max())
        reach = [min(low, observed), max(high, observed)]
        space = 0.06 * max(reach[1] - reach[0], 1e-3)
        ax.set_xlim(reach[0] - space, reach[1] + space)
    ax.axvline(observed, color=WARNING_COLOR, linewidth=1.6)
    ax.set_xlabel(r"largest $z$ of a toy [$\sigma$]")
    ax.set_ylabel("share of toys / bin")


def mark_bump(axes: Sequence[Axes], *, edges: NDArray, bin_: int, width: float) -> None:
    """Shade the bins within a standard deviation of the most significant bump.

    Args:
        axes: Axes that share the spectrum's axis.
        edges: Edges of the bins, shape ``(n_bins + 1,)``.
        bin_: The bump's central bin.
        width: Standard deviation of the bump [bins].
    """
    reach = max(0, round(width)) if np.isfinite(width) else 0
    low, high = edges[max(bin_ - reach, 0)], edges[min(bin_ + reach + 1, len(edges) - 1)]
    for ax in axes:
        ax.axvspan(low, high, color=MARK_COLOR, alpha=0.14, linewidth=0, zorder=0)


def edges_of(rows: DataFrame) -> NDArray[np.float64]:
    """Return the edges of adjacent bins, whose rows are in order."""
    return np.append(rows["low"].to_numpy(float), float(rows["high"].iloc[-1]))


def draw_scan_page(
    figure: Figure,
    *,
    bins: DataFrame,
    toys: ArrayLike,
    summary: Mapping[str, Any],
    source: str,
) -> None:
    """Draw a spectrum with its background, residuals and significance, and toys beside them.

    Args:
        figure: An empty figure.
        bins: A row per bin: ``bin``, ``low``, ``high``, ``observed``, ``background``, ``z``,
            ``z_low``, ``z_high`` and ``z_profiled``.
        toys: Largest significance of each toy without signal, shape ``(n_toys,)``.
        summary: What was found: ``histogram``, ``variable``, ``unit``, ``z_max``, ``z_low``,
            ``z_high``, ``bin``, ``low``, ``high``, ``width``, ``p_global``, ``p_global_error``,
            ``z_global``, ``n_toys``, ``covered`` and ``reasons``.
        source: Whom to credit for the spectrum.

    References:
        Choudalakis, Casadei (2012), https://arxiv.org/abs/1111.2062, for residuals of few counts
    """
    rows = bins.sort_values("bin")
    edges, unit = edges_of(rows), str(summary["unit"])
    grid = figure.add_gridspec(1, 2, width_ratios=(2.5, 1))
    left = grid[0].subgridspec(3, 1, height_ratios=(2.3, 0.9, 1.4))
    right = grid[1].subgridspec(2, 1, height_ratios=(2.2, 1))
    upper = figure.add_subplot(left[0])
    middle, lower = (figure.add_subplot(left[row], sharex=upper) for row in (1, 2))
    observed, background = (rows[name].to_numpy(float) for name in ("observed", "background"))
    draw_counts(upper, edges=edges, observed=observed, background=background)
    draw_residuals(middle, edges=edges, pulls=residuals(observed, background))
    draw_significance(lower, edges=edges, rows=rows)
    mark_bump((upper, middle, lower), edges=edges, bin_=summary["bin"], width=summary["width"])
    upper.set_xlim(edges[0], edges[-1])
    upper.set_title(plain_text(f"{summary['histogram']}: {source}"))
    upper.set_ylabel(density_label(edges, unit))
    middle.set_ylabel("residual [$\\sigma$]")
    lower.set_ylabel("local $z$ [$\\sigma$]")
    lower.set_xlabel(variable_label(str(summary["variable"]), unit))
    for ax in (upper, middle):
        ax.tick_params(labelbottom=False)
    figure.align_ylabels([upper, middle, lower])
    side = figure.add_subplot(right[0])
    draw_toys(side, toys=np.asarray(toys, float), observed=float(summary["z_max"]))
    side.set_title("Largest significance without signal")
    _write_findings(figure.add_subplot(right[1]), summary)
    handles = [
        *scan_handles(),
        Patch(facecolor=PALE, edgecolor=GREY, label=f"{len(np.asarray(toys))} toys"),
        Line2D([], [], color=WARNING_COLOR, linewidth=1.6, label="largest $z$ in data"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _write_findings(ax: Axes, summary: Mapping[str, Any]) -> None:
    """Write what was found into an empty panel, and what speaks against it."""
    ax.set_axis_off()
    lines = describe_scan(summary)
    place: dict[str, Any] = {
        "xycoords": "axes fraction",
        "textcoords": "offset points",
        "va": "top",
    }
    for row, line in enumerate(lines):  # one by one: formulas would make lines uneven
        ax.annotate(line, (0, 1), (0, -LINE_HEIGHT * row), **place)
    if not summary["covered"]:
        reasons = plain_text(textwrap.shorten(str(summary["reasons"]), 190, placeholder=" …"))
        note = textwrap.fill(f"Not covered by the training: {reasons}", 48)
        below = (0, -LINE_HEIGHT * (len(lines) + 0.5))
        ax.annotate(note, (0, 1), below, **place, fontsize=9, color=WARNING_COLOR)


def scan_handles() -> list[Artist]:
    """Return the legend of a spectrum, its background and its significance."""
    points = Line2D([], [], color=DATA.color, marker=DATA.marker, linestyle="", label=DATA.label)
    return [
        points,
        Line2D([], [], color=NETWORK.color, label="network: background, $z$"),
        Patch(color=NETWORK.color, alpha=0.3, linewidth=0, label="68 % interval"),
        Line2D([], [], color=PROFILED.color, linewidth=0.9, label=PROFILED.label),
        Patch(color=MARK_COLOR, alpha=0.2, linewidth=0, label="largest bump ± 1 s.d."),
    ]
