"""Events of a resonance's measurement: features by component, smeared, and varied."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray
from pandas import DataFrame

from bumpflow.plotting.histograms import Densities, divide, measure_densities
from bumpflow.plotting.names import COMPONENTS, SIGNAL, FeatureStyle, ModelStyle
from bumpflow.plotting.shapes import density_label, draw_shapes, pick_feature

COLUMNS = 3
GREY = "#8b90a0"
BACKGROUND = ModelStyle("background", COMPONENTS["sidebands"].color, "o")
KINDS = {"background": BACKGROUND, "signal": SIGNAL}
VARIATIONS = {
    1: ModelStyle(r"$+1\sigma$", "#bd1f01", ""),
    -1: ModelStyle(r"$-1\sigma$", "#3f90da", ""),
}
"""Varied features by the parameter of the systematic."""
NOMINAL_COLOR, NOMINAL_FILL = "#1f2430", "#e4e7ee"


def panel_heights(n_panels: int) -> list[float]:
    """Return the heights of a page's rows; one that holds the legend alone is low."""
    rows = -(-(n_panels + 1) // COLUMNS)
    return [1.0] * (rows - 1) + [1.0 if n_panels % COLUMNS else 0.5]


def panel_grid(figure: Figure, n_panels: int) -> tuple[list[SubplotSpec], SubplotSpec]:
    """Return places for panels, row by row, and the one of the legend behind them.

    Args:
        figure: An empty figure.
        n_panels: Number of panels.
    """
    heights = panel_heights(n_panels)
    grid = figure.add_gridspec(len(heights), COLUMNS, height_ratios=heights)
    places = [grid[divmod(index, COLUMNS)] for index in range(n_panels + 1)]
    return places[:-1], places[-1]


def add_legend(
    figure: Figure, place: SubplotSpec, handles: Sequence[Artist], *, title: str = ""
) -> None:
    """Put a legend into a place of its own.

    Args:
        figure: The figure.
        place: Where.
        handles: What to explain.
        title: Text above.
    """
    ax = figure.add_subplot(place)
    ax.set_axis_off()
    ax.legend(
        handles=list(handles), loc="center left", fontsize=10.5, title=title, alignment="left"
    )


def background_of(events: DataFrame) -> DataFrame:
    """Return data that are background, or not known to be signal."""
    return events[(events["component"] == "data") & (events["label"] < 1)]


def split_components(
    events: DataFrame, *, mass: str, region: Sequence[float]
) -> dict[str, DataFrame]:
    """Return signal, and background inside and beside the signal region.

    Args:
        events: Events of a measurement, with ``component`` and ``label``.
        mass: Column of the resonance variable.
        region: Ends of the signal region [GeV].
    """
    background = background_of(events)
    inside = background[mass].between(region[0], region[1], inclusive="left")
    return {
        "sidebands": background[~inside],
        "signal_region": background[inside],
        "signal": events[events["component"] == "signal"],
    }


def split_kinds(events: DataFrame) -> dict[str, DataFrame]:
    """Return background and simulated signal, by :data:`KINDS`."""
    return {
        "background": background_of(events),
        "signal": events[events["component"] == "signal"],
    }


def region_edges(window: Sequence[float], region: Sequence[float], n_bins: int) -> NDArray:
    """Return about ``n_bins`` bins of the window [GeV] that end where the signal region does."""
    ends = np.array([window[0], *region, window[1]], float)
    counts = np.maximum(1, np.round(n_bins * np.diff(ends) / (ends[-1] - ends[0])).astype(int))
    parts = [
        np.linspace(low, high, n + 1)[:-1]
        for low, high, n in zip(ends[:-1], ends[1:], counts, strict=True)
    ]
    return np.append(np.concatenate(parts), ends[-1])


def mass_density(mass: NDArray, edges: NDArray, n_events: int) -> Densities:
    """Return the density of a part of the events, normalised to ``n_events``.

    Args:
        mass: Masses of the part [GeV], shape ``(n,)``.
        edges: Edges of the bins, shape ``(n_bins + 1,)``.
        n_events: Number of all events.
    """
    counts = np.histogram(mass, edges)[0]
    scale = 1 / (max(n_events, 1) * np.diff(edges))
    return Densities(counts * scale, counts * scale**2, edges)


def draw_features_page(
    figure: Figure,
    *,
    components: Mapping[str, DataFrame],
    features: Mapping[str, FeatureStyle],
    region: Sequence[float],
    n_bins: int,
) -> None:
    """Draw mass and features of signal and of background inside and beside the signal region.

    Args:
        figure: An empty figure.
        components: Events by component, see :func:`split_components`.
        features: How the mass, which is first, and the features are drawn.
        region: Ends of the signal region [GeV].
        n_bins: Number of bins.
    """
    places, rest = panel_grid(figure, len(features))
    (mass, style), *others = features.items()
    edges = region_edges((style.low, style.high), region, n_bins)
    n_background = len(components["sidebands"]) + len(components["signal_region"])
    shown = {
        name: mass_density(
            table[mass].to_numpy(float), edges, len(table) if name == "signal" else n_background
        )
        for name, table in components.items()
    }
    ax = figure.add_subplot(places[0])
    _draw_masses(ax, shown)
    for end in region:
        ax.axvline(end, color=GREY, linestyle=":", linewidth=1)
    ax.set(xlim=(style.low, style.high), xlabel=style.label, ylabel=density_label(style))
    ranges = np.array([[one.low, one.high] for _, one in others])
    columns = [name for name, _ in others]
    found = {
        name: measure_densities(table[columns].to_numpy(float), ranges, n_bins)
        for name, table in components.items()
    }
    for index, (_, one) in enumerate(others):
        ax = figure.add_subplot(places[index + 1])
        samples = {name: pick_feature(densities, index) for name, densities in found.items()}
        draw_shapes(ax, samples=samples, styles=COMPONENTS)
        ax.set(xlim=(one.low, one.high), xlabel=one.label, ylabel=density_label(one))
    handles: list[Artist] = [
        Line2D([], [], color=COMPONENTS[name].color, label=COMPONENTS[name].label)
        for name in ("signal", "sidebands", "signal_region")
    ]
    border = Line2D([], [], color=GREY, linestyle=":", label="ends of the signal region")
    add_legend(figure, rest, [*handles, border])


def _draw_masses(ax: Axes, shown: Mapping[str, Densities]) -> None:
    """Draw densities of the mass on a logarithmic axis, each where it has events."""
    for name, one in shown.items():
        values = np.where(one.values > 0, one.values, np.nan)
        centers = (one.edges[1:] + one.edges[:-1]) / 2
        color = COMPONENTS[name].color
        ax.stairs(values, one.edges, color=color, linewidth=1.2, baseline=None)
        ax.errorbar(
            centers, values, np.sqrt(one.variances), fmt="none", ecolor=color, linewidth=0.8
        )
    ax.set_yscale("log")
    ax.set_ylim(0.3 * np.nanmin(shown["sidebands"].values[shown["sidebands"].values > 0]))


def draw_smearing_page(
    figure: Figure,
    *,
    before: Mapping[str, DataFrame],
    after: Mapping[str, DataFrame],
    features: Mapping[str, FeatureStyle],
    n_bins: int,
) -> None:
    """Draw features of background and signal before and after smearing.

    Args:
        figure: An empty figure.
        before: Events as they are, by ``background`` and ``signal``.
        after: The same events with smeared features.
        features: How each feature is drawn.
        n_bins: Number of bins.
    """
    places, rest = panel_grid(figure, len(features))
    for place, (name, style) in zip(places, features.items(), strict=True):
        ax = figure.add_subplot(place)
        low = min(style.low, float(after["background"][name].quantile(0.001)))
        ranges = np.array([[low, style.high]])
        for kind, look in KINDS.items():
            plain, smeared = (
                measure_densities(part[kind][[name]].to_numpy(float), ranges, n_bins)
                for part in (before, after)
            )
            ax.stairs(
                plain.values[0], plain.edges[0], fill=True, color=look.color, alpha=0.25,
                linewidth=0,
            )  # fmt: skip
            ax.stairs(smeared.values[0], smeared.edges[0], color=look.color, linewidth=1.4)
        ax.set(xlim=(low, style.high), ylim=(0, 1.08 * ax.dataLim.ymax))
        ax.set(xlabel=style.label, ylabel=density_label(style))
    handles: list[Artist] = []
    for look in KINDS.values():
        handles += [
            Patch(color=look.color, alpha=0.25, linewidth=0, label=f"{look.label}, as it is"),
            Line2D([], [], color=look.color, label=f"{look.label}, smeared"),
        ]
    add_legend(figure, rest, handles)


def varied_panels(systematics: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, float]]:
    """Return systematic, feature and relative change of each variation that is drawn.

    Args:
        systematics: Settings of the systematics by name.
    """
    return [
        (name, feature, float(change))
        for name, one in systematics.items()
        for feature, change in one["scale"].items()
    ]


def draw_variation_page(
    figure: Figure,
    *,
    tables: Mapping[str, DataFrame],
    systematics: Mapping[str, Mapping[str, Any]],
    features: Mapping[str, FeatureStyle],
    n_bins: int,
) -> None:
    """Draw features as they are and varied by one standard deviation, a column per component.

    Args:
        figure: An empty figure.
        tables: Events by ``background`` and ``signal``.
        systematics: Settings of the systematics by name: ``scale`` and ``components``.
        features: How each feature is drawn.
        n_bins: Number of bins.
    """
    panels = varied_panels(systematics)
    grid = figure.add_gridspec(len(panels), len(tables))
    for row, (name, feature, change) in enumerate(panels):
        for column, (kind, table) in enumerate(tables.items()):
            part = grid[row, column].subgridspec(2, 1, height_ratios=(2.2, 1))
            upper = figure.add_subplot(part[0])
            lower = figure.add_subplot(part[1], sharex=upper)
            moved = change if kind in systematics[name]["components"] else 0.0
            draw_variation(
                upper,
                lower,
                values=table[feature].to_numpy(float),
                change=moved,
                style=features[feature],
                n_bins=n_bins,
            )
            upper.set_title(
                f"{KINDS[kind].label.capitalize()}: {100 * moved:+g} % at one standard deviation"
            )
            figure.align_ylabels([upper, lower])
    handles = [
        Patch(facecolor=NOMINAL_FILL, edgecolor=NOMINAL_COLOR, label="nominal"),
        *(Line2D([], [], color=one.color, label=one.label) for one in VARIATIONS.values()),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=10.5)


def draw_variation(
    upper: Axes,
    lower: Axes,
    *,
    values: NDArray,
    change: float,
    style: FeatureStyle,
    n_bins: int,
) -> None:
    """Draw a feature as it is and varied, and the ratio below.

    Args:
        upper: Axes of the densities.
        lower: Axes of the ratio; no errors are drawn, as events are the same.
        values: The feature, shape ``(n_events,)``.
        change: Relative change at one standard deviation.
        style: How the feature is drawn.
        n_bins: Number of bins.
    """
    ranges = np.array([[style.low, style.high]])
    nominal = measure_densities(values[:, None], ranges, n_bins)
    edges = nominal.edges[0]
    upper.stairs(nominal.values[0], edges, fill=True, color=NOMINAL_FILL)
    upper.stairs(nominal.values[0], edges, color=NOMINAL_COLOR, linewidth=0.9)
    lower.axhline(1, color=NOMINAL_COLOR, linewidth=0.8)
    # Bins of few events say nothing about a ratio.
    safe = np.where(nominal.values[0] > 0.01 * nominal.values[0].max(), nominal.values[0], 0.0)
    for nu, look in VARIATIONS.items():
        varied = measure_densities(((1 + nu * change) * values)[:, None], ranges, n_bins)
        ratio, _ = divide(varied.values[0], varied.variances[0], safe)
        upper.stairs(varied.values[0], edges, color=look.color, linewidth=1.2)
        lower.stairs(ratio, edges, color=look.color, linewidth=1.1, baseline=None)
    upper.set(xlim=(style.low, style.high), ylim=(0, 1.08 * upper.dataLim.ymax))
    upper.set_ylabel(density_label(style))
    upper.tick_params(labelbottom=False)
    reach = 1.1 * max(0.02, *(abs(end - 1) for end in (lower.dataLim.ymin, lower.dataLim.ymax)))
    lower.set_ylim(1 - reach, 1 + reach)
    lower.set(xlabel=style.label, ylabel="varied / nominal")
