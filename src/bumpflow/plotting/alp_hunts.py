"""How well hunts tell compatible pairs from others, and what they reach in toys.

References:
    Chathirathas et al. (2024), https://arxiv.org/abs/2407.20329, figures 3 and 6
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
from pandas import DataFrame

from bumpflow.compatibility.checks import EFFICIENCIES
from bumpflow.compatibility.hunting import BUMP, EPO
from bumpflow.compatibility.performance import Rates
from bumpflow.compatibility.scorecard import (
    BENCHMARKS,
    POINTS,
    REJECTIONS,
    SAME_AS,
    SENSITIVITIES,
)
from bumpflow.compatibility.settings import ECO
from bumpflow.plotting.alp_posteriors import REFERENCE
from bumpflow.plotting.names import HUNTS, ModelStyle

WITH = ModelStyle("background and signal", "#bd1f01", "")
WITHOUT = ModelStyle("background alone, the same total rate", "#3f90da", "")
COUNTED = (BUMP, ECO, EPO)
"""Hunts whose statistic the figure shows."""
TRUE_HYPOTHESIS = "background"
"""Background alone at its own rate, which the hunt knows."""
SAME_RATE = "total"
"""Background alone at the sum of both rates."""
PUBLISHED_STATISTICS = {("good", "m1", ECO): (1.6, 2.8), ("good", "m1", BUMP): (1.1, 1.6)}
"""Published mean Z and -ln p at 2 expected background and 4 signal events, at the same rate."""


def published_rejections(resolution: str, benchmark: str, hunt: str) -> tuple[float, ...]:
    """Return published rejections at :data:`EFFICIENCIES`, of EPO for its network only."""
    found = REJECTIONS.get((resolution, SAME_AS.get(hunt, hunt)))
    if found is None or hunt == EPO or benchmark not in BENCHMARKS:
        return ()
    return found[BENCHMARKS.index(benchmark)][:2]


def published_z(resolution: str, benchmark: str, hunt: str, rates: Rates) -> float | None:
    """Return a published mean two-sided significance, if there is one."""
    found = SENSITIVITIES.get((resolution, SAME_AS.get(hunt, hunt)))
    if found is None or rates not in POINTS or benchmark not in BENCHMARKS:
        return None
    return found[list(POINTS).index(rates)][BENCHMARKS.index(benchmark)]


def ensemble_rows(rejections: DataFrame) -> dict[Any, dict[Any, Any]]:
    """Return the rows of ensembles, with errors no smaller than the members' spread.

    Args:
        rejections: See :func:`bumpflow.compatibility.checks.rejection_table`.

    Returns:
        Measures with ``_error``, by benchmark and hunt.
    """
    keys, measures = ["benchmark", "hunt"], ["auc", "rejection80", "rejection90"]
    spread = rejections[rejections["member"] >= 0].groupby(keys)[measures].std()
    rows = rejections[rejections["member"] < 0].set_index(keys)
    for measure in measures:
        error = rows[f"{measure}_error"]
        rows[f"{measure}_error"] = np.fmax(error, spread[measure].reindex(rows.index))
    return rows.to_dict("index")


def draw_roc(
    ax: Axes, *, curve: DataFrame, row: Mapping[str, float], n_pairs: int, style: ModelStyle
) -> None:
    """Draw how many incompatible pairs a hunt rejects, with statistical errors.

    Args:
        ax: Axes to draw into.
        curve: ``efficiency`` for compatible pairs and that for ``background``.
        row: ``auc`` and rejections with errors.
        n_pairs: Pairs of background.
        style: How the hunt is drawn.
    """
    x, passed = (curve[name].to_numpy(float) for name in ("efficiency", "background"))
    seen = passed * n_pairs >= 1
    x, passed = x[seen], passed[seen]
    error = np.sqrt(passed * (1 - passed) / n_pairs)
    low, high = 1 / (passed + error), 1 / np.maximum(passed - error, 0.5 / n_pairs)
    ax.fill_between(x, low, high, color=style.color, alpha=0.2, linewidth=0)
    label = f"{row['auc']:.3f} ± {row['auc_error']:.3f}"
    ax.plot(x, 1 / passed, color=style.color, label=label)
    for share in EFFICIENCIES:
        key = f"rejection{100 * share:.0f}"
        ax.errorbar(share, row[key], row[f"{key}_error"], fmt=style.marker, color=style.color)


def draw_roc_page(
    figure: Figure,
    *,
    curves: Mapping[str, DataFrame],
    rejections: Mapping[str, DataFrame],
    benchmarks: Mapping[str, ModelStyle],
    n_pairs: int,
) -> None:
    """Draw how hunts tell compatible pairs, a row per resolution and a column per benchmark.

    Args:
        figure: An empty figure.
        curves: By resolution, see :func:`bumpflow.compatibility.checks.curve_table`.
        rejections: By resolution, see :func:`bumpflow.compatibility.checks.rejection_table`.
        benchmarks: How signals are drawn.
        n_pairs: Pairs behind each number.
    """
    axes = figure.subplots(len(curves), len(benchmarks), squeeze=False, sharex=True, sharey=True)
    hunts: list[str] = []
    for line, (resolution, table) in zip(axes, curves.items(), strict=True):
        rows = ensemble_rows(rejections[resolution])
        hunts = [name for name in HUNTS if name in set(table["hunt"])]
        for ax, (benchmark, style) in zip(line, benchmarks.items(), strict=True):
            for hunt in hunts:
                here = table[(table["benchmark"] == benchmark) & (table["hunt"] == hunt)]
                row = rows[benchmark, hunt]
                draw_roc(ax, curve=here, row=row, n_pairs=n_pairs, style=HUNTS[hunt])
                published = published_rejections(resolution, benchmark, hunt)
                marker = {"marker": HUNTS[hunt].marker, "color": HUNTS[hunt].color}
                ax.plot(EFFICIENCIES[: len(published)], published, **REFERENCE | marker)
            ax.legend(title="area under the curve", loc="upper right")
            ax.set_title(f"{resolution.capitalize()} resolution, {style.label}")
    _limit_rejections(axes[0, 0])
    for ax in axes[-1]:
        ax.set_xlabel(r"efficiency for compatible pairs $\varepsilon_s$")
    for ax in axes[:, 0]:
        ax.set_ylabel(r"rejection of others $1 / \varepsilon_b$")
    styles = [HUNTS[name] for name in hunts]
    handles = [
        *(Line2D([], [], color=s.color, marker=s.marker, label=s.label) for s in styles),
        Line2D([], [], label="published", **REFERENCE),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _limit_rejections(ax: Axes) -> None:
    """Show where most of the signal is kept."""
    ax.set(xlim=(0.3, 1), ylim=(1, 2e3), yscale="log")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def draw_statistic(ax: Axes, *, table: DataFrame) -> None:
    """Draw how many events a hunt finds with and without signal.

    Args:
        ax: Axes to draw into.
        table: ``statistic`` and the probabilities ``background`` and ``signal``.
    """
    edges = np.arange(len(table) + 1) - 0.5
    ax.stairs(table["background"], edges, fill=True, color=WITHOUT.color, alpha=0.25)
    ax.stairs(table["background"], edges, color=WITHOUT.color, linewidth=1.4)
    ax.stairs(table["signal"], edges, color=WITH.color, linewidth=1.6)
    seen = table.loc[table[["background", "signal"]].max(axis=1) > 2e-3, "statistic"].max()
    ax.set(xlim=(-0.5, seen + 0.5), xlabel="largest number of compatible events")
    ax.set_ylim(0, 1.25 * table[["background", "signal"]].to_numpy().max())
    ax.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    ax.tick_params(axis="x", which="minor", bottom=False, top=False)


def draw_statistic_page(
    figure: Figure,
    *,
    distributions: Mapping[str, DataFrame],
    points: Mapping[str, DataFrame],
    benchmark: str,
    rates: Rates,
) -> None:
    """Draw statistics with and without signal, a row per resolution and a column per hunt.

    Args:
        figure: An empty figure.
        distributions: By resolution, see
            :func:`bumpflow.compatibility.performance.distribution_table`.
        points: By resolution, see :func:`bumpflow.compatibility.performance.point_table`.
        benchmark: The signal.
        rates: Expected background and signal events.
    """
    first = next(iter(distributions.values()))
    hunts = [name for name in COUNTED if name in set(first["hunt"])]
    axes = figure.subplots(len(distributions), len(hunts), squeeze=False)
    for line, (resolution, table) in zip(axes, distributions.items(), strict=True):
        rows = _at(points[resolution], benchmark, rates)
        found = rows[rows["null"] == SAME_RATE].set_index("hunt").to_dict("index")
        here = _at(table, benchmark, rates)
        for ax, hunt in zip(line, hunts, strict=True):
            draw_statistic(ax, table=here[here["hunt"] == hunt])
            _write_measures(
                ax, found[hunt], PUBLISHED_STATISTICS.get((resolution, benchmark, hunt))
            )
            ax.set_title(f"{resolution.capitalize()} resolution: {HUNTS[hunt].label}")
        line[0].set_ylabel("probability")
    total = f"{sum(rates):g} expected events"
    handles = [
        Patch(facecolor=WITHOUT.color, alpha=0.4, label=f"{WITHOUT.label}, {total}"),
        Line2D(
            [],
            [],
            color=WITH.color,
            label=f"{rates[0]:g} background and {rates[1]:g} signal events expected",
        ),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)


def _at(table: DataFrame, benchmark: str, rates: Rates) -> DataFrame:
    """Return the rows of one signal at some rates."""
    mine = (table["benchmark"] == benchmark) & (table["mu_b"] == rates[0])
    return table[mine & (table["mu_s"] == rates[1])]


def _write_measures(
    ax: Axes, row: Mapping[Any, float], published: tuple[float, float] | None
) -> None:
    """Write what tells both hypotheses apart, beside the published numbers."""
    lines = []
    for index, (measure, symbol) in enumerate(
        (("z_two_sided", r"\langle Z \rangle"), ("minus_log_p", r"\langle -\ln p \rangle"))
    ):
        text = f"${symbol}$ = {row[measure]:.2f} ± {row[f'{measure}_error']:.2f}"
        lines.append(text + (f"  (published {published[index]:g})" if published else ""))
    ax.text(
        0.97, 0.95, "\n".join(lines), transform=ax.transAxes, ha="right", va="top",
        fontsize=9.5, linespacing=1.5,
    )  # fmt: skip


def draw_hunts(
    ax: Axes,
    *,
    table: DataFrame,
    hunts: list[str],
    resolution: str,
    rates: Rates,
    benchmarks: Mapping[str, ModelStyle],
) -> None:
    """Draw the mean significance of each hunt, markers of one hunt below each other.

    Args:
        ax: Axes to draw into.
        table: Rows of :func:`bumpflow.compatibility.performance.point_table` at these rates.
        hunts: Hunts from top to bottom.
        resolution: Name of the resolution.
        rates: Expected background and signal events.
        benchmarks: How signals are drawn.
    """
    for index, (benchmark, style) in enumerate(benchmarks.items()):
        rows = table[table["benchmark"] == benchmark].set_index("hunt").reindex(hunts)
        y = np.arange(len(hunts)) + 0.5 * ((index + 0.5) / len(benchmarks) - 0.5)
        z, error = (rows[name].to_numpy(float) for name in ("z_two_sided", "z_two_sided_error"))
        ax.errorbar(z, y, xerr=error, fmt=style.marker, color=style.color, markersize=4.5)
        published = [published_z(resolution, benchmark, hunt, rates) for hunt in hunts]
        marker = {"marker": style.marker, "color": style.color}
        ax.plot(np.array(published, dtype=float), y, markersize=6.5, **REFERENCE | marker)
    for place in np.arange(len(hunts) - 1) + 0.5:
        ax.axhline(place, color="#e4e7ee", linewidth=0.8)
    ax.set_yticks(range(len(hunts)), [HUNTS[name].label for name in hunts])
    ax.set_ylim(len(hunts) - 0.5, -0.5)
    ax.tick_params(axis="y", which="both", left=False, right=False)
    ax.grid(axis="x")


def draw_hunts_page(
    figure: Figure, *, points: Mapping[str, DataFrame], benchmarks: Mapping[str, ModelStyle]
) -> None:
    """Draw what hunts reach at some rates, a row per resolution and a column per pair of rates.

    Args:
        figure: An empty figure.
        points: By resolution, see :func:`bumpflow.compatibility.performance.point_table`.
        benchmarks: How signals are drawn.
    """
    first = next(iter(points.values()))
    chosen = first[["mu_b", "mu_s"]].drop_duplicates().to_numpy(float)
    hunts = [name for name in HUNTS if name in set(first["hunt"])]
    axes = figure.subplots(len(points), len(chosen), squeeze=False, sharex=True, sharey=True)
    for line, (resolution, table) in zip(axes, points.items(), strict=True):
        known = table[table["null"] == TRUE_HYPOTHESIS]
        for ax, (mu_b, mu_s) in zip(line, chosen, strict=True):
            rows = known[(known["mu_b"] == mu_b) & (known["mu_s"] == mu_s)]
            rates = (float(mu_b), float(mu_s))
            draw_hunts(
                ax,
                table=rows,
                hunts=hunts,
                resolution=resolution,
                rates=rates,
                benchmarks=benchmarks,
            )
            ax.set_title(
                f"{resolution.capitalize()} resolution: {mu_b:g} background, {mu_s:g} signal"
            )
    for ax in axes[-1]:
        ax.set_xlabel(r"mean significance $\langle Z \rangle$, two-sided [$\sigma$]")
    figure.legend(handles=_hunt_handles(benchmarks), loc="outside lower center", ncols=6)


def _hunt_handles(benchmarks: Mapping[str, ModelStyle]) -> list[Artist]:
    """Return the legend of what hunts reach."""
    return [
        *(
            Line2D([], [], color=style.color, marker=style.marker, linestyle="", label=style.label)
            for style in benchmarks.values()
        ),
        Line2D([], [], label="published", **REFERENCE),
    ]
