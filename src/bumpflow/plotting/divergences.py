"""One-dimensional divergences of models, relative to Monte Carlo against itself."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray
from pandas import DataFrame

from bumpflow.plotting.names import MEASURES, FeatureStyle, ModelStyle


def draw_relative(
    ax: Axes,
    *,
    values: NDArray,
    uncertainties: NDArray,
    spread: float,
    styles: Sequence[ModelStyle],
    title: str,
) -> None:
    """Draw one measure: a point per model, in units of the Monte Carlo baseline.

    Args:
        ax: Axes to draw into.
        values: Divergences over the baseline, shape ``(n_models,)``.
        uncertainties: Their standard deviations, shape ``(n_models,)``.
        spread: Standard deviation of the baseline over its mean.
        styles: How each model is drawn.
        title: Name of the measure.
    """
    draw_baseline(ax, spread)
    for row, (value, error, style) in enumerate(zip(values, uncertainties, styles, strict=True)):
        ax.errorbar(
            value, row, xerr=error, fmt=style.marker, color=style.color, markersize=5.5, capsize=3
        )
        ax.annotate(
            f"{value:.2f}",
            (value, row),
            (0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=8.5,
            color=style.color,
        )
    ax.set_yticks(range(len(styles)), [style.label for style in styles])
    ax.tick_params(axis="y", which="both", left=False, right=False)
    ax.set_ylim(len(styles) - 0.5, -0.7)
    limits = ax.dataLim.intervalx
    ax.set_xscale("log")
    ax.set_xlim(min(0.85, 0.9 * limits[0]), 1.25 * limits[1])
    use_plain_numbers(ax)
    ax.set_xlabel("mean over features / baseline")
    ax.set_title(title)


def draw_baseline(ax: Axes, spread: float) -> None:
    """Mark Monte Carlo against itself: dashed line at 1, with its spread as a band."""
    ax.axvspan(1 - spread, 1 + spread, color="#8b90a0", alpha=0.25, linewidth=0)
    ax.axvline(1, color="#1f2430", linewidth=0.9, linestyle="--")


def use_plain_numbers(ax: Axes) -> None:
    """Label a logarithmic axis with plain numbers, which powers of ten would be too few for."""
    low, high = ax.get_xlim()
    if high / low < 4:
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        ax.xaxis.set_minor_locator(NullLocator())
    else:
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_minor_locator(LogLocator(subs=tuple(range(1, 10))))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def draw_per_feature(
    ax: Axes,
    *,
    values: Mapping[str, NDArray],
    uncertainties: Mapping[str, NDArray],
    spread: NDArray,
    features: Sequence[FeatureStyle],
    styles: Mapping[str, ModelStyle],
    title: str,
) -> None:
    """Draw one measure for every feature and model, over that feature's baseline.

    Args:
        ax: Axes to draw into; features run downwards.
        values: Divergences over the baseline by model, shape ``(n_features,)``.
        uncertainties: Their standard deviations by model, shape ``(n_features,)``.
        spread: Standard deviation of the baseline over its mean, shape ``(n_features,)``.
        features: How each feature is called.
        styles: How each model is drawn.
        title: Name of the measure.
    """
    rows = np.arange(len(features))
    reach = np.clip(1 - spread, 0.02, None), 1 + spread
    ax.barh(rows, reach[1] - reach[0], left=reach[0], height=0.9, color="#dcdee5")
    ax.axvline(1, color="#1f2430", linewidth=0.9, linestyle="--")
    for index, (name, value) in enumerate(values.items()):
        shift = 0.7 * ((index + 0.5) / len(values) - 0.5)
        style = styles[name]
        error = np.minimum(uncertainties[name], 0.98 * value), uncertainties[name]
        ax.errorbar(
            value,
            rows + shift,
            xerr=error,
            fmt=style.marker,
            color=style.color,
            markersize=3.5,
            linewidth=0.9,
            label=style.label,
        )
    ax.set_yticks(rows, [feature.symbol for feature in features])
    ax.tick_params(axis="y", which="minor", left=False, right=False)
    ax.set_ylim(len(features) - 0.5, -0.5)
    ax.set_xscale("log")
    use_plain_numbers(ax)
    ax.grid(axis="x", which="major")
    ax.set_xlabel("divergence / baseline")
    ax.set_title(title)


def draw_summary_page(
    figure: Figure,
    *,
    relative: Mapping[str, Mapping[str, Mapping[str, float]]],
    styles: Mapping[str, ModelStyle],
) -> None:
    """Draw one panel per measure with a point per model.

    Args:
        figure: An empty figure.
        relative: By model and measure, ``value`` and ``uncertainty`` of the mean over features
            relative to the baseline, and ``baseline_spread``.
        styles: How each model is drawn; their order is that of the points.
    """
    measures = list(next(iter(relative.values())))
    axes = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for ax, measure in zip(axes, measures, strict=True):
        one = [relative[model][measure] for model in styles]
        draw_relative(
            ax,
            values=np.array([found["value"] for found in one]),
            uncertainties=np.array([found["uncertainty"] for found in one]),
            spread=one[0]["baseline_spread"],
            styles=list(styles.values()),
            title=MEASURES.get(measure, measure),
        )


def draw_feature_page(
    figure: Figure,
    *,
    tables: Mapping[str, DataFrame],
    features: Mapping[str, FeatureStyle],
    styles: Mapping[str, ModelStyle],
) -> None:
    """Draw one panel per measure with a row per feature and a point per model.

    Args:
        figure: An empty figure.
        tables: For each model, columns ``feature``, ``measure``, ``value``, ``uncertainty``,
            ``baseline`` and ``baseline_uncertainty``.
        features: How each feature is called, by name and in order.
        styles: How each model is drawn.
    """
    measures = list(dict.fromkeys(next(iter(tables.values()))["measure"]))
    axes = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for ax, measure in zip(axes, measures, strict=True):
        one = {
            name: table[table["measure"] == measure].set_index("feature").loc[list(features)]
            for name, table in tables.items()
        }
        first = next(iter(one.values()))
        draw_per_feature(
            ax,
            values={n: (t["value"] / t["baseline"]).to_numpy() for n, t in one.items()},
            uncertainties={
                n: (t["uncertainty"] / t["baseline"]).to_numpy() for n, t in one.items()
            },
            spread=(first["baseline_uncertainty"] / first["baseline"]).to_numpy(),
            features=list(features.values()),
            styles=styles,
            title=MEASURES.get(measure, measure),
        )
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
