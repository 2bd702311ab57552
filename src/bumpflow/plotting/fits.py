"""Templates of the fits, what the fits make of them, and what their nuisances do."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray
from pandas import DataFrame

from bumpflow.plotting.histograms import Densities, divide
from bumpflow.plotting.names import SIGNAL, FeatureStyle, ModelStyle
from bumpflow.plotting.overlays import draw_ratios

DATA_COLOR = "#1f2430"
BACKGROUND_COLOR = "#d3d8e3"
NUISANCES = {
    "stat": "sample size, bin {}",
    "shape": "systematic, bin {}",
    "variation": "surrogate, mode {}",
}
"""How nuisances are called, by kind; the number is that of the bin or variation, from 0."""


def template_yields(table: DataFrame, sample: str, events: float) -> Densities:
    """Return the expected events per bin of a sample, at its largest number of events.

    Args:
        table: Templates of one observable: columns ``sample``, ``n_generated``, ``bin``,
            ``low``, ``high``, ``value`` and ``variance``, normalised to all events before the
            selection.
        sample: Name of the sample.
        events: Events expected before the selection.

    Raises:
        ValueError: If the table lacks the sample.
    """
    rows = table[table["sample"] == sample]
    if rows.empty:
        msg = f"no template of {sample!r}: there are {', '.join(sorted(set(table['sample'])))}"
        raise ValueError(msg)
    rows = rows[rows["n_generated"] == rows["n_generated"].max()].sort_values("bin")
    edges = np.append(rows["low"], rows["high"].iloc[-1])
    return Densities(
        events * rows["value"].to_numpy(), events**2 * rows["variance"].to_numpy(), edges
    )


def draw_templates(
    upper: Axes,
    lower: Axes,
    *,
    data: Densities,
    signal: Densities,
    backgrounds: Mapping[str, Densities],
    styles: Mapping[str, ModelStyle],
) -> None:
    """Draw background templates beside independent events, and their ratio below.

    Args:
        upper: Axes of the yields.
        lower: Axes of the ratio.
        data: Events that play the data, of shape ``(n_bins,)``; their uncertainty is that of
            the simulation.
        signal: Events of signal, drawn alone.
        backgrounds: Templates by name.
        styles: How the templates are drawn.
    """
    for name, one in backgrounds.items():
        upper.stairs(one.values, one.edges, color=styles[name].color, linewidth=1.2)
    upper.stairs(signal.values, signal.edges, fill=True, color=SIGNAL.color, alpha=0.25)
    upper.stairs(signal.values, signal.edges, color=SIGNAL.color, linewidth=1.2)
    centers = (data.edges[1:] + data.edges[:-1]) / 2
    upper.errorbar(
        centers, data.values, np.sqrt(data.variances), fmt="o", color=DATA_COLOR, linewidth=0.9
    )
    draw_ratios(lower, reference=data, samples=backgrounds, styles=styles)
    upper.set_ylim(0, 1.12 * upper.dataLim.ymax)
    lower.set_ylim(*ratio_limits(data, list(backgrounds.values())))


def ratio_limits(reference: Densities, samples: Sequence[Densities]) -> tuple[float, float]:
    """Return limits of a ratio's axis, even about 1, that leave no point out up to a factor 2.

    Args:
        reference: The denominator, of shape ``(n_bins,)``.
        samples: The numerators.
    """
    far = [0.05]
    for one in samples:
        ratio, error = divide(one.values, one.variances, reference.values)
        far.append(float(np.nanmax(np.abs(ratio - 1) + error, initial=0.0)))
    reach = min(1.15 * max(far), 1.0)
    return 1 - reach, 1 + reach


def draw_template_page(
    figure: Figure,
    *,
    templates: DataFrame,
    events: Mapping[str, float],
    observables: Mapping[str, FeatureStyle],
    styles: Mapping[str, ModelStyle],
    title: str,
) -> None:
    """Draw the templates of each observable in a column of its own.

    Args:
        figure: An empty figure.
        templates: Templates of all observables, see :func:`template_yields`, and a column
            ``observable``.
        events: Events expected before the selection, of ``background`` and ``signal``.
        observables: How each observable is called.
        styles: How the background templates are drawn.
        title: What the yields are normalised to.
    """
    axes = figure.subplots(
        2, len(observables), sharex="col", height_ratios=(2.2, 1), squeeze=False
    )
    for (upper, lower), (name, observable) in zip(axes.T, observables.items(), strict=True):
        table = templates[templates["observable"] == name]
        data = template_yields(table, "data", events["background"])
        draw_templates(
            upper,
            lower,
            data=data,
            signal=template_yields(table, "signal", events["signal"]),
            backgrounds={arm: template_yields(table, arm, events["background"]) for arm in styles},
            styles=styles,
        )
        upper.set_xlim(data.edges[0], data.edges[-1])
        upper.set_title(title)
        upper.set_ylabel("events / bin")
        lower.set_ylabel("template / data")
        lower.set_xlabel(observable.label)
    _add_legend(figure, _template_handles(styles))


def _template_handles(styles: Mapping[str, ModelStyle]) -> list[Artist]:
    """Return the legend of the templates."""
    points = Line2D([], [], color=DATA_COLOR, marker="o", linestyle="")
    points.set_label("independent Monte Carlo, plays data")
    return [
        points,
        *(Line2D([], [], color=style.color, label=style.label) for style in styles.values()),
        Patch(facecolor=SIGNAL.color, alpha=0.4, label=f"{SIGNAL.label} ($\\mu$ = 1)"),
    ]


def draw_stack(
    upper: Axes,
    lower: Axes,
    *,
    edges: ArrayLike,
    observed: ArrayLike,
    expected: Mapping[str, ArrayLike],
) -> None:
    """Draw signal on background with data, and data over expectation below.

    Args:
        upper: Axes of the events.
        lower: Axes of the ratio.
        edges: Edges of the bins, shape ``(n_bins + 1,)``.
        observed: Observed events, shape ``(n_bins,)``, drawn with Poisson uncertainties.
        expected: ``signal``, ``background`` and ``uncertainty`` of their sum, of shape
            ``(n_bins,)`` each.
    """
    edges, data = np.asarray(edges, float), np.asarray(observed, float)
    signal, background, error = (
        np.asarray(expected[name], float) for name in ("signal", "background", "uncertainty")
    )
    total = signal + background
    upper.stairs(background, edges, fill=True, color=BACKGROUND_COLOR)
    upper.stairs(total, edges, baseline=background, fill=True, color=SIGNAL.color)
    draw_hatch(upper, edges, total - error, total + error)
    ratio, spread = divide(data, data, total)
    relative, _ = divide(error, error, total)
    draw_hatch(lower, edges, 1 - relative, 1 + relative)
    lower.axhline(1, color="#8b90a0", linewidth=0.8)
    centers = (edges[1:] + edges[:-1]) / 2
    for ax, y, bar in ((upper, data, np.sqrt(data)), (lower, ratio, spread)):
        ax.errorbar(centers, y, bar, fmt="o", color=DATA_COLOR, linewidth=0.9, markersize=3)
    for ax in (upper, lower):
        ax.set_xlim(edges[0], edges[-1])
    upper.set_ylim(0, 1.15 * max(np.max(total + error), np.max(data + np.sqrt(data))))


def draw_hatch(ax: Axes, edges: NDArray, low: NDArray, high: NDArray) -> None:
    """Hatch the range between two step curves.

    Args:
        ax: Axes to draw into.
        edges: Edges of the bins, shape ``(n_bins + 1,)``.
        low: Lower curve, shape ``(n_bins,)``.
        high: Upper curve, shape ``(n_bins,)``.
    """
    ax.fill_between(
        edges,
        np.r_[low, low[-1:]],
        np.r_[high, high[-1:]],
        step="post",
        facecolor="none",
        edgecolor="#6b7080",
        hatch="//////",
        linewidth=0,
    )


def draw_fit_page(
    figure: Figure,
    *,
    fits: Mapping[str, Mapping[str, Mapping[str, Any]]],
    observables: Mapping[str, FeatureStyle],
    styles: Mapping[str, ModelStyle],
) -> None:
    """Draw each fit before and after: a row per observable, two columns per arm.

    Args:
        figure: An empty figure.
        fits: By observable and arm: ``edges``, ``observed``, ``prefit``, ``postfit``,
            ``status``, ``mu`` and ``mu_uncertainty``.
        observables: How each observable is called.
        styles: How each arm is called.
    """
    heights = (2.2, 1) * len(fits)
    axes = figure.subplots(
        len(heights), 2 * len(styles), sharex="row", sharey="row", height_ratios=heights
    )
    for row, (name, arms) in enumerate(fits.items()):
        reach = 0.02
        for column, arm in enumerate(styles):
            for step, stage in enumerate(("prefit", "postfit")):
                upper, lower = axes[2 * row : 2 * row + 2, 2 * column + step]
                reach = max(reach, _draw_stage(upper, lower, arms[arm], stage))
                upper.set_title(f"{styles[arm].label}, {stage[:-3]}-fit", fontsize=9)
                upper.tick_params(labelbottom=False)
                lower.set_xlabel(observables[name].label)
        lower.set_ylim(1 - min(reach, 1), 1 + min(reach, 1))
        axes[2 * row, 0].set_ylabel("events / bin")
        axes[2 * row + 1, 0].set_ylabel("data / fit")
    _add_legend(figure, _fit_handles())


def _draw_stage(upper: Axes, lower: Axes, fit: Mapping[str, Any], stage: str) -> float:
    """Draw one fit before or after, and return how far its ratio's axis has to reach."""
    note = "nominal, $\\mu$ = 1"
    if stage == "postfit":
        note = "fit failed"
        if fit["status"] == "converged":
            note = rf"$\hat{{\mu}}$ = {fit['mu']:.2f} ± {fit['mu_uncertainty']:.2f}"
    upper.annotate(note, (0.95, 0.95), xycoords="axes fraction", ha="right", va="top", fontsize=9)
    if note == "fit failed":
        return 0.0
    expected = {name: np.asarray(part, float) for name, part in fit[stage].items()}
    draw_stack(upper, lower, edges=fit["edges"], observed=fit["observed"], expected=expected)
    total = expected["signal"] + expected["background"]
    relative = expected["uncertainty"] / total
    away = np.abs(np.asarray(fit["observed"], float) / total - 1)
    return 1.2 * float(max(np.nanmax(relative), np.nanmax(away)))


def _fit_handles() -> list[Artist]:
    """Return the legend of the fits."""
    return [
        Line2D([], [], color=DATA_COLOR, marker="o", linestyle="", label="Asimov data"),
        Patch(color=BACKGROUND_COLOR, label="background"),
        Patch(color=SIGNAL.color, label=SIGNAL.label),
        Patch(facecolor="none", edgecolor="#6b7080", hatch="//////", label="total uncertainty"),
    ]


def rank_nuisances(table: DataFrame, n_shown: int) -> DataFrame:
    """Return the nuisances that move the signal strength most, the strongest first.

    Args:
        table: Columns ``impact_up`` and ``impact_down``; nuisances without an impact, as those
            of failed fits, are left out.
        n_shown: Number of nuisances at most.
    """
    impact = table[["impact_up", "impact_down"]].abs().max(axis=1)
    order = impact.dropna().sort_values(ascending=False, kind="stable").index
    return table.loc[order[:n_shown]]


def draw_pulls(ax: Axes, table: DataFrame, style: ModelStyle) -> None:
    """Draw how far each nuisance moved, with its uncertainty after the fit.

    Args:
        ax: Axes to draw into; nuisances run downwards.
        table: Columns ``pull``, ``uncertainty`` and ``prefit_uncertainty``.
        style: How the arm is drawn.
    """
    rows = np.arange(len(table))
    ax.axvspan(-1, 1, color="#e4e7ee", linewidth=0)
    ax.axvline(0, color="#8b90a0", linewidth=0.9, linestyle="--")
    error = table["uncertainty"] / table["prefit_uncertainty"]
    ax.errorbar(table["pull"], rows, xerr=error, fmt=style.marker, color=style.color, capsize=2)
    reach = 1.1 * np.max((table["pull"].abs() + error).to_numpy(), initial=1.8)
    ax.set_xlim(-reach, reach)


def draw_impacts(ax: Axes, table: DataFrame, style: ModelStyle) -> None:
    """Draw how the signal strength follows each nuisance, up filled and down open.

    Args:
        ax: Axes to draw into; nuisances run downwards.
        table: Columns ``impact_up`` and ``impact_down``.
        style: How the arm is drawn.
    """
    rows = np.arange(len(table))
    ax.barh(rows, table["impact_up"], height=0.62, color=style.color, alpha=0.75, linewidth=0)
    ax.barh(rows, table["impact_down"], height=0.62, fill=False, edgecolor=style.color)
    ax.axvline(0, color="#8b90a0", linewidth=0.9)
    reach = 1.15 * np.max(np.abs(table[["impact_up", "impact_down"]].to_numpy()), initial=1e-9)
    ax.set_xlim(-reach, reach)


def draw_nuisance_page(
    figure: Figure,
    *,
    tables: Mapping[str, DataFrame],
    style: ModelStyle,
    n_shown: int,
) -> None:
    """Draw pulls and impacts of the most important nuisances of each observable's fit.

    Args:
        figure: An empty figure.
        tables: Nuisances of one fit by observable, under the name that titles give it:
            columns ``kind``, ``number``, ``pull``,
            ``uncertainty``, ``prefit_uncertainty``, ``impact_up`` and ``impact_down``.
        style: How the arm is drawn.
        n_shown: Number of nuisances at most.
    """
    axes = figure.subplots(1, 2 * len(tables), squeeze=False)[0]
    for index, (name, table) in enumerate(tables.items()):
        ranked = rank_nuisances(table, n_shown)
        left, right = axes[2 * index : 2 * index + 2]
        draw_pulls(left, ranked, style)
        draw_impacts(right, ranked, style)
        for ax in (left, right):
            ax.set_ylim(max(len(ranked), 1) - 0.4, -0.6)
            ax.tick_params(axis="y", which="both", left=False, right=False)
            ax.set_yticks(range(len(ranked)), [""] * len(ranked))
        pairs = zip(ranked["kind"], ranked["number"], strict=True)
        left.set_yticks(range(len(ranked)), [NUISANCES[kind].format(n) for kind, n in pairs])
        left.set_title(name)
        left.set_xlabel(r"pull [$\sigma$]")
        right.set_xlabel(r"impact on $\hat{\mu}$")
    _add_legend(figure, _impact_handles(style))


def _impact_handles(style: ModelStyle) -> list[Artist]:
    """Return the legend of pulls and impacts."""
    return [
        Line2D([], [], color=style.color, marker=style.marker, label=f"pull ({style.label})"),
        Patch(facecolor=style.color, alpha=0.75, label=r"impact of $+1\sigma$"),
        Patch(facecolor="none", edgecolor=style.color, label=r"impact of $-1\sigma$"),
    ]


def _add_legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """Put a legend below all panels."""
    figure.legend(handles=list(handles), loc="outside lower center", ncols=len(handles))
