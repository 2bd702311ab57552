"""How far posteriors of single events can be trusted, and how narrow they are.

References:
    Chathirathas et al. (2024), https://arxiv.org/abs/2407.20329, appendix A
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray
from pandas import DataFrame

from bumpflow.compatibility.checks import MASS, PUBLISHED
from bumpflow.compatibility.coverage import pit_histogram
from bumpflow.compatibility.inference import LEVELS
from bumpflow.compatibility.scorecard import POSTERIORS as PUBLISHED_NUMBERS
from bumpflow.plotting.alp_events import MASS_LABEL
from bumpflow.plotting.names import POSTERIORS, ModelStyle
from bumpflow.plotting.scans import label_plainly
from bumpflow.report.numbers import MINUS
from bumpflow.simulate.alps.features import FEATURES, diphoton_mass
from bumpflow.simulate.alps.populations import TEST

DARK = "#1f2430"
BAND = "#e4e7ee"
DIPHOTON = ModelStyle(r"diphoton mass, half its 68 % range", "#8b90a0", "")
REFERENCE: dict[str, Any] = {
    "marker": "o", "linestyle": "", "markerfacecolor": "white", "color": DARK,
}  # fmt: skip
"""How published numbers are drawn."""
PUBLISHED_WIDTHS = {
    "good": {0.2: 0.0704, 1.0: 0.0437, 4.0: 0.0287},
    "poor": {0.2: 0.0816, 1.0: 0.0583, 4.0: 0.0521},
}
"""Mean standard deviations of log10 m that the authors exported, by true mass [GeV]."""
MASS_BINS = 16
FEWEST = 20
"""Bins of the mass with fewer events are left out."""
QUANTILES = {"low": 0.16, "median": 0.5, "high": 0.84}


def draw_coverage(
    ax: Axes, *, curves: DataFrame, by: str, styles: Mapping[str, ModelStyle]
) -> None:
    """Draw how far empirical coverage is from what it should be, with binomial errors.

    Args:
        ax: Axes to draw into.
        curves: ``expected``, ``empirical`` and its ``error``.
        by: Column that tells the curves.
        styles: How each is drawn; those that are not in the table are left out.
    """
    ax.axhline(0, color=DARK, linewidth=0.8, linestyle="--")
    for name, style in styles.items():
        rows = curves[curves[by] == name]
        off, error = rows["empirical"] - rows["expected"], rows["error"]
        ax.fill_between(
            rows["expected"], off - error, off + error, color=style.color, alpha=0.2, linewidth=0
        )
        ax.plot(rows["expected"], off, f"{style.marker}-", color=style.color)
    ax.set_xlim(0, 1)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(_as_percent))
    ax.set(xlabel="expected coverage", ylabel="empirical \u2212 expected coverage")


def _as_percent(share: float, _: int | None) -> str:
    return f"{100 * share:.3g} %".replace("-", MINUS)


def draw_ranks(ax: Axes, *, pit: NDArray, style: ModelStyle) -> None:
    """Draw where truths lie in posteriors, which should be uniform, with a 95 % band.

    Args:
        ax: Axes to draw into.
        pit: Probabilities that posteriors give to less than the truth, shape ``(n,)``.
        style: How the posterior is drawn.
    """
    table = pit_histogram(pit)
    edges, scale = np.append(table["low"], 1.0), 1 / table["expected"].iloc[0]
    low, high = (float(table[name].iloc[0]) * scale for name in ("band_low", "band_high"))
    ax.axhspan(low, high, color=BAND)
    ax.axhline(1, color=DARK, linewidth=0.8, linestyle="--")
    ax.stairs(table["observed"] * scale, edges, color=style.color, linewidth=1.4)
    ax.set(xlim=(0, 1), xlabel="rank of the truth", ylabel="events / expected")
    ax.set_ylim(0, max(1.5, 1.15 * float(table["observed"].max()) * scale))


def draw_posteriors_page(
    figure: Figure, *, events: Mapping[str, DataFrame], coverage: Mapping[str, DataFrame]
) -> None:
    """Draw coverage and ranks of the truth in posteriors of single events, a row per resolution.

    Args:
        figure: An empty figure.
        events: What posteriors say of events of each ``population``, by resolution, see
            :func:`bumpflow.compatibility.checks.judge_posteriors`.
        coverage: Coverage of those of test events, by resolution.
    """
    grid = figure.subplots(
        len(events), 1 + len(POSTERIORS), squeeze=False, width_ratios=(1.3, 1, 1, 1)
    )
    for line, (resolution, table) in zip(grid, events.items(), strict=True):
        first, *others = line
        draw_coverage(first, curves=coverage[resolution], by="kind", styles=POSTERIORS)
        published = np.array(PUBLISHED_NUMBERS.get(resolution, ())[:2])
        off = published - LEVELS[: len(published)]
        first.plot(LEVELS[: len(published)], off, **_published(PUBLISHED))
        reach = 1.25 * np.abs(first.dataLim.intervaly).max()
        first.set_ylim(-reach, reach)
        first.set_title(f"{resolution.capitalize()} resolution: coverage")
        for ax, (kind, style) in zip(others, POSTERIORS.items(), strict=True):
            draw_ranks(ax, pit=_tested(table, kind)["pit"].to_numpy(), style=style)
            ax.set_title(style.label, color=style.color)
    handles = [
        *(
            Line2D([], [], color=s.color, marker=s.marker, label=s.label)
            for s in POSTERIORS.values()
        ),
        Line2D([], [], label="published coverage", **_published(PUBLISHED)),
        Patch(color=BAND, label="95 % of bins, if posteriors are right"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _tested(events: DataFrame, kind: str) -> DataFrame:
    """Return what one kind of posterior says of test events."""
    return events[(events["kind"] == kind) & (events["population"] == TEST)]


def _published(kind: str) -> dict[str, Any]:
    """Return how published numbers of one kind of posterior are drawn."""
    return REFERENCE | {"color": POSTERIORS[kind].color, "marker": "o", "markersize": 6}


def quantiles_by_mass(mass: NDArray, values: NDArray, edges: NDArray) -> DataFrame:
    """Return quantiles of values in bins of the true mass.

    Args:
        mass: Decadic logarithms of true masses [GeV], shape ``(n,)``.
        values: Values, shape ``(n,)``.
        edges: Edges of the bins, shape ``(n_bins + 1,)``.

    Returns:
        Columns ``mass`` [GeV], the bin's centre, ``low``, ``median`` and ``high`` (68 % lie
        between), and ``n``. Bins with fewer than :data:`FEWEST` events have no row.
    """
    bins = np.clip(np.searchsorted(edges, mass, side="right") - 1, 0, len(edges) - 2)
    groups = DataFrame({"bin": bins, "value": values}).groupby("bin")["value"]
    table = (
        groups.quantile(np.array(list(QUANTILES.values())))
        .unstack()
        .set_axis(list(QUANTILES), axis=1)
    )
    centres = 10 ** ((edges[1:] + edges[:-1]) / 2)
    table = table.assign(n=groups.size(), mass=centres[table.index])
    return table[table["n"] >= FEWEST].reset_index(drop=True)


def diphoton_spread(photons: DataFrame, edges: NDArray) -> DataFrame:
    """Return half the 68 % range of log10 of the diphoton mass, in bins of the true mass.

    Args:
        photons: Columns :data:`~bumpflow.simulate.alps.features.FEATURES` and ``log10_mass``, the
            true one.
        edges: Edges of the bins, shape ``(n_bins + 1,)``.

    Returns:
        Columns ``mass`` [GeV] and ``spread``.
    """
    truth = photons["log10_mass"].to_numpy(float)
    measured = np.log10(np.maximum(diphoton_mass(photons[list(FEATURES)].to_numpy()), 1e-12))
    table = quantiles_by_mass(truth, measured - truth, edges)
    return table.assign(spread=(table["high"] - table["low"]) / 2)[["mass", "spread"]]


def draw_widths(
    ax: Axes, *, events: DataFrame, photons: DataFrame, published: Mapping[float, float]
) -> None:
    """Draw the standard deviation of posteriors of the mass against the true mass.

    Args:
        ax: Axes to draw into.
        events: What posteriors say of events of each ``population``.
        photons: What was measured of test events.
        published: Mean standard deviations by true mass [GeV].
    """
    masses = photons["log10_mass"].to_numpy(float)
    edges = np.linspace(masses.min(), masses.max(), MASS_BINS + 1)
    for kind in (MASS, PUBLISHED):
        style, rows = POSTERIORS[kind], _tested(events, kind)
        table = quantiles_by_mass(rows["truth"].to_numpy(), rows["std"].to_numpy(), edges)
        ax.fill_between(
            table["mass"], table["low"], table["high"], color=style.color, alpha=0.15, linewidth=0
        )
        ax.plot(table["mass"], table["median"], color=style.color)
        signals = events[(events["kind"] == kind) & (events["population"] != TEST)]
        means = signals.groupby("population")[["truth", "std"]].mean()
        ax.plot(10 ** means["truth"], means["std"], "D", color=style.color, markersize=5)
    spread = diphoton_spread(photons, edges)
    ax.plot(spread["mass"], spread["spread"], color=DIPHOTON.color, linestyle="--")
    ax.plot(list(published), list(published.values()), **_published(PUBLISHED))
    ax.set(xscale="log", yscale="log", xlim=10 ** edges[[0, -1]], xlabel=MASS_LABEL)
    label_plainly(ax.xaxis)
    label_plainly(ax.yaxis)


def draw_widths_page(
    figure: Figure, *, events: Mapping[str, DataFrame], photons: Mapping[str, DataFrame]
) -> None:
    """Draw how narrow posteriors of the mass are, a panel per resolution.

    Args:
        figure: An empty figure.
        events: What posteriors say of events of each ``population``, by resolution.
        photons: What was measured of test events, by resolution.
    """
    axes = figure.subplots(1, len(events), squeeze=False, sharey=True)[0]
    for ax, (resolution, table) in zip(axes, events.items(), strict=True):
        published = PUBLISHED_WIDTHS.get(resolution, {})
        draw_widths(ax, events=table, photons=photons[resolution], published=published)
        ax.set_title(f"{resolution.capitalize()} resolution")
    axes[0].set_ylabel(r"standard deviation of $\log_{10} m_a$")
    handles = [
        *(
            Line2D([], [], color=POSTERIORS[kind].color, label=f"{POSTERIORS[kind].label}: median")
            for kind in (MASS, PUBLISHED)
        ),
        Patch(color=DARK, alpha=0.2, linewidth=0, label="68 % of events"),
        Line2D([], [], color=DARK, marker="D", linestyle="", label="mean at the benchmarks"),
        Line2D([], [], label="published mean", **_published(PUBLISHED)),
        Line2D([], [], color=DIPHOTON.color, linestyle="--", label=DIPHOTON.label),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
