"""What detectors of different resolution reach in the mass, by way of reconstruction.

References:
    Morandini, Ferber, Kahlhoefer (2023), https://arxiv.org/abs/2308.01353
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator
from pandas import DataFrame

from bumpflow.compatibility.inference import LEVELS
from bumpflow.plotting.alp_posteriors import DARK
from bumpflow.plotting.names import PARAMETERS, RECONSTRUCTIONS, ModelStyle
from bumpflow.plotting.scans import label_plainly
from bumpflow.reconstruction.detectors import AMORTISED, DIPHOTON
from bumpflow.report.numbers import MINUS

GAP = 0.8
"""Room between groups of detectors of one energy resolution."""
SHIFT = 0.11
"""Horizontal distance of markers of different methods."""


class Quantity(NamedTuple):
    """A column of comparisons, as figures show it.

    Attributes:
        label: Label of its axis.
        scale: Scale of its axis.
        reference: Where it should be, if known.
    """

    label: str
    scale: str
    reference: float | None


QUANTITIES = {
    "spread": Quantity(r"spread of $\log_{10} m_a$ estimates", "log", None),
    "sigma": Quantity(r"mean $\sigma$ of $\log_{10} m_a$", "log", None),
    "bias": Quantity(r"bias of $\log_{10} m_a$", "symlog", 0.0),
}
"""What estimates of the mass are judged by."""
COVERAGES = {
    f"coverage{100 * level:.0f}": Quantity(
        f"truths in {100 * level:.0f} % intervals", "linear", level
    )
    for level in LEVELS
}
GEOMETRIES: dict[str, dict[str, Any]] = {
    "on the beam's axis": {"linestyle": "-"},
    "beside it": {"linestyle": ":", "markerfacecolor": "white"},
}
"""Where detectors are, and how that is drawn."""
DETECTOR: dict[str, Any] = {
    "marker": "o", "linestyle": "", "color": "white", "markeredgecolor": DARK, "markersize": 5,
    "clip_on": False,
}  # fmt: skip
MAPS = {
    **{f"sigma_{name}": (name.capitalize(), style.width) for name, style in PARAMETERS.items()},
    "gain": ("Gain", r"spread of $\log_{10} m_{\gamma\gamma}$ / of ours"),
}
"""What maps show: titles and labels of colour bars."""
FLAT = 1.2
"""Largest over smallest value of a map up to which it has no contours."""
LEVEL_DIGITS = (1, 1.5, 2, 3, 5, 7)
"""Leading digits of contours."""
SMALL_BIAS = 0.003
"""Bias up to which its axis is linear."""


def place_detectors(table: DataFrame) -> DataFrame:
    """Return resolutions in the order of figures, with their places on an axis.

    Args:
        table: ``energy`` and ``angle_rad`` among others.

    Returns:
        Columns ``energy``, ``angle_rad``, ``group``, the number of the energy resolution, and
        ``x``.
    """
    found = table[["energy", "angle_rad"]].drop_duplicates().sort_values(["energy", "angle_rad"])
    found = found.reset_index(drop=True)
    group = found["energy"].rank(method="dense").astype(int) - 1
    return found.assign(group=group, x=found.index + GAP * group)


def draw_by_detector(
    ax: Axes,
    *,
    table: DataFrame,
    column: str,
    style: ModelStyle,
    shift: float = 0.0,
    look: Mapping[str, Any] | None = None,
) -> None:
    """Draw a quantity with its error for each detector; those of one energy are joined.

    Args:
        ax: Axes to draw into.
        table: One row per detector: ``energy``, ``angle_rad``, ``group``, ``x``, the column and
            its ``_error``.
        column: The quantity.
        style: How the method is drawn.
        shift: How far to the right of a detector's place.
        look: Other settings of lines.
    """
    for _, rows in table.sort_values("angle_rad").groupby("group"):
        error = rows[f"{column}_error"]
        ax.errorbar(
            rows["x"] + shift,
            rows[column],
            error,
            marker=style.marker,
            color=style.color,
            markersize=4.5,
            **(look or {}),
        )


def mark_detectors(ax: Axes, places: DataFrame) -> None:
    """Show all detectors on an axis, and lines between groups of one energy resolution."""
    ax.set_xlim(places["x"].min() - 0.6, places["x"].max() + 0.6)
    ax.set_xticks(places["x"], [f"{1000 * angle:g}" for angle in places["angle_rad"]])
    ax.tick_params(axis="x", which="minor", bottom=False, top=False)
    ends = places.groupby("group")["x"].agg(["min", "max"]).to_numpy()
    for place in (ends[:-1, 1] + ends[1:, 0]) / 2:
        ax.axvline(place, color="#d9dce3", linewidth=0.8)


def label_detectors(ax: Axes, places: DataFrame) -> None:
    """Label an axis of detectors by resolutions of angles, and groups by that of energies."""
    for _, rows in places.groupby("group"):
        ax.annotate(
            rf"$\sigma_E / E$ = {100 * rows['energy'].iloc[0]:g} %",
            (rows["x"].mean(), 0),
            (0, -19),
            xycoords=ax.get_xaxis_transform(),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=8.5,
            color="#3a3f4a",
        )
    ax.set_xlabel("resolution of angles [mrad]", labelpad=18)


def draw_methods_page(
    figure: Figure,
    *,
    comparison: DataFrame,
    quantities: Mapping[str, Quantity],
    benchmarks: Mapping[str, ModelStyle],
) -> None:
    """Draw how methods do with each detector, a row per quantity and a column per signal.

    Args:
        figure: An empty figure.
        comparison: One row per ``benchmark``, ``energy``, ``angle_rad`` and ``method``, with the
            quantities and their ``_error``.
        quantities: Columns to draw.
        benchmarks: How signals are drawn.
    """
    axes = figure.subplots(
        len(quantities), len(benchmarks), squeeze=False, sharex=True, sharey="row"
    )
    places = place_detectors(comparison)
    table = comparison.merge(places, on=["energy", "angle_rad"])
    methods = [name for name in RECONSTRUCTIONS if name in set(table["method"])]
    for line, (column, quantity) in zip(axes, quantities.items(), strict=True):
        for ax, benchmark in zip(line, benchmarks, strict=True):
            if quantity.reference is not None:
                ax.axhline(quantity.reference, color=DARK, linewidth=0.8, linestyle="--")
            here = table[table["benchmark"] == benchmark]
            for index, method in enumerate(methods):
                draw_by_detector(
                    ax,
                    table=here[(here["method"] == method) & here[column].notna()],
                    column=column,
                    style=RECONSTRUCTIONS[method],
                    shift=SHIFT * (index - (len(methods) - 1) / 2),
                )
            mark_detectors(ax, places)
        _scale_row(line, quantity)
    for ax, style in zip(axes[0], benchmarks.values(), strict=True):
        ax.set_title(style.label)
    for ax in axes[-1]:
        label_detectors(ax, places)
    styles = [RECONSTRUCTIONS[name] for name in methods]
    handles = [Line2D([], [], color=s.color, marker=s.marker, label=s.label) for s in styles]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _scale_row(line: Sequence[Axes], quantity: Quantity) -> None:
    """Set scale and label of the axis of a row of panels."""
    first = line[0]
    first.set_ylabel(quantity.label)
    if quantity.scale == "log":
        first.set_yscale("log")
        label_plainly(first.yaxis)
    elif quantity.scale == "symlog":
        first.set_yscale("symlog", linthresh=SMALL_BIAS)
        first.yaxis.set_major_formatter(FuncFormatter(_as_plain))
    else:
        first.yaxis.set_major_formatter(FuncFormatter(_as_percent))


def _as_plain(value: float, _: int | None) -> str:
    return f"{value:g}".replace("-", MINUS)


def _as_percent(share: float, _: int | None) -> str:
    return f"{100 * share:.3g} %"


def ratio_of(table: DataFrame, column: str, datasets: Sequence[str]) -> DataFrame:
    """Return a quantity of the second set-up divided by that of the first, per detector.

    Args:
        table: ``dataset``, ``energy``, ``angle_rad``, ``group``, ``x``, the column and its
            ``_error``, of one signal and method.
        column: The quantity.
        datasets: Names of the two set-ups.

    Returns:
        Columns ``angle_rad``, ``group``, ``x``, ``ratio`` and ``ratio_error``, that of independent
        measurements.
    """
    keys = ["energy", "angle_rad", "group", "x"]
    first, second = (table[table["dataset"] == name].set_index(keys) for name in datasets)
    ratio = second[column] / first[column]
    one, other = (part[f"{column}_error"] / part[column] for part in (first, second))
    found = DataFrame({"ratio": ratio, "ratio_error": ratio * (one**2 + other**2) ** 0.5})
    return found.dropna().reset_index()


def draw_displaced_page(
    figure: Figure,
    *,
    displaced: DataFrame,
    datasets: Sequence[str],
    benchmarks: Mapping[str, ModelStyle],
) -> None:
    """Draw what detectors reach on the beam's axis and beside it, a column per signal.

    Args:
        figure: An empty figure.
        displaced: One row per ``dataset``, ``benchmark``, ``energy``, ``angle_rad`` and
            ``method``, with ``spread``, ``sigma`` and their ``_error``.
        datasets: Names of the set-ups on the axis and beside it.
        benchmarks: How signals are drawn.
    """
    places = place_detectors(displaced)
    table = displaced.merge(places, on=["energy", "angle_rad"])
    methods = [name for name in (DIPHOTON, AMORTISED) if name in set(table["method"])]
    axes = figure.subplots(3, len(benchmarks), squeeze=False, sharex=True, sharey="row")
    for line, (benchmark, style) in zip(axes.T, benchmarks.items(), strict=True):
        for index, method in enumerate(methods):
            rows = table[(table["benchmark"] == benchmark) & (table["method"] == method)]
            shift = SHIFT * (index - (len(methods) - 1) / 2)
            _draw_set_ups(line, rows, datasets=datasets, method=method, shift=shift)
        line[0].set_title(style.label)
        line[2].axhline(1, color=DARK, linewidth=0.8, linestyle="--")
        for ax in line:
            mark_detectors(ax, places)
        label_detectors(line[2], places)
    for line, quantity in zip(axes, (QUANTITIES["spread"], QUANTITIES["sigma"]), strict=False):
        _scale_row(line, quantity)
    axes[2, 0].set_ylabel("spread, beside / on the axis")
    styles = [RECONSTRUCTIONS[name] for name in methods]
    handles = [
        *(Line2D([], [], color=s.color, marker=s.marker, label=s.label) for s in styles),
        *(
            Line2D([], [], color=DARK, marker="o", label=label, **look)
            for label, look in GEOMETRIES.items()
        ),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _draw_set_ups(
    line: Sequence[Axes], rows: DataFrame, *, datasets: Sequence[str], method: str, shift: float
) -> None:
    """Draw spread, claimed width and ratio of spreads of one method and signal."""
    style = RECONSTRUCTIONS[method]
    for ax, column in zip(line, ("spread", "sigma"), strict=False):
        for dataset, look in zip(datasets, GEOMETRIES.values(), strict=True):
            mine = rows[(rows["dataset"] == dataset) & rows[column].notna()]
            draw_by_detector(ax, table=mine, column=column, style=style, shift=shift, look=look)
    ratio = ratio_of(rows, "spread", datasets)
    draw_by_detector(line[2], table=ratio, column="ratio", style=style, shift=shift)


def draw_map(ax: Axes, *, table: DataFrame, column: str, norm: LogNorm) -> Artist:
    """Draw a quantity against the resolutions of angles and energies, with its contours and range.

    Args:
        ax: Axes to draw into.
        table: ``energy``, ``angle_rad`` and the column, on a grid.
        column: The quantity.
        norm: Range of colours.

    Returns:
        The map, for a colour bar.
    """
    grid = table.pivot(index="energy", columns="angle_rad", values=column)
    x, y = (1000 * grid.columns).to_numpy().round(4), (100 * grid.index).to_numpy().round(4)
    values = grid.to_numpy()
    drawn = ax.pcolormesh(x, y, values, norm=norm, cmap="viridis", shading="gouraud")
    low, high = values.min(), values.max()
    if high > FLAT * low:
        levels = LogLocator(subs=LEVEL_DIGITS).tick_values(low, high)
        lines = ax.contour(x, y, values, levels=levels, colors="white", linewidths=0.9)
        labels = ax.clabel(lines, fmt=lambda value: f"{value:g}", fontsize=8.5)
        for text in labels:
            text.set_path_effects([withStroke(linewidth=2, foreground=DARK, alpha=0.6)])
    ax.set_title(f"{low:.3g} to {high:.3g}", loc="right", fontsize=9, fontweight="normal")
    ax.set(xscale="log", yscale="log")
    for axis in (ax.xaxis, ax.yaxis):
        label_plainly(axis)
    return drawn


def draw_map_page(
    figure: Figure,
    *,
    maps: DataFrame,
    detectors: DataFrame,
    benchmarks: Mapping[str, ModelStyle],
) -> None:
    """Draw what each detector reaches, a row per quantity and a column per signal.

    Args:
        figure: An empty figure.
        maps: See :func:`bumpflow.reconstruction.detectors.map_detectors`, and ``benchmark``.
        detectors: ``energy`` and ``angle_rad`` of detectors to mark.
        benchmarks: How signals are drawn.
    """
    axes = figure.subplots(len(MAPS), len(benchmarks), squeeze=False, sharex=True, sharey=True)
    places = place_detectors(detectors)
    table = maps.assign(gain=maps["diphoton"] / maps["spread"])
    for line, (column, (title, label)) in zip(axes, MAPS.items(), strict=True):
        norm = LogNorm(table[column].min(), table[column].max())
        for ax, (benchmark, style) in zip(line, benchmarks.items(), strict=True):
            here = table[table["benchmark"] == benchmark]
            drawn = draw_map(ax, table=here, column=column, norm=norm)
            ax.plot(1000 * places["angle_rad"], 100 * places["energy"], **DETECTOR)
            ax.set_title(f"{title}, {style.label}")
        line[0].set_ylabel(r"$\sigma_E / E$ [%]")
        bar = figure.colorbar(cast("Any", drawn), ax=line, pad=0.01, label=label)
        label_plainly(bar.ax.yaxis)
    for ax in axes[-1]:
        ax.set_xlabel("resolution of angles [mrad]")
    handles = [Line2D([], [], label="detectors of the other figures", **DETECTOR)]
    figure.legend(handles=handles, loc="outside lower center")
