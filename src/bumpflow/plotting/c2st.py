"""What a classifier says about generated events: ROC curves, density ratios, worst events."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray
from pandas import DataFrame

from bumpflow.plotting.histograms import Densities, measure_densities
from bumpflow.plotting.names import CLASSIFIERS, FeatureStyle, ModelStyle
from bumpflow.plotting.overlays import COLUMNS, panel_rows


class Scores(NamedTuple):
    """What one classifier says about one sample.

    Attributes:
        real: Log density ratios of Monte Carlo events, shape ``(n,)``.
        generated: Log density ratios of generated events, shape ``(m,)``.
        auc: Area under the ROC curve.
        auc_uncertainty: Its standard deviation.
    """

    real: NDArray
    generated: NDArray
    auc: float
    auc_uncertainty: float

    @classmethod
    def from_table(cls, table: DataFrame, record: Mapping[str, Any], classifier: str) -> "Scores":
        """Collect what a classifier says.

        Args:
            table: Columns ``label`` (1 generated) and ``log_ratio_<classifier>``.
            record: By classifier, ``auc`` and ``auc_uncertainty``.
            classifier: Name of the classifier.
        """
        ratio = table[f"log_ratio_{classifier}"].to_numpy()
        generated = table["label"].to_numpy() == 1
        said = record[classifier]
        return cls(ratio[~generated], ratio[generated], said["auc"], said["auc_uncertainty"])


def roc_curve(negative: NDArray, positive: NDArray, rates: NDArray) -> NDArray:
    """Return the true positive rates at given false positive rates.

    Between two scores the curve is a straight line, so that equal scores count one half, as they
    do in the area under it.

    Args:
        negative: Scores of events of class 0, shape ``(n,)``.
        positive: Scores of events of class 1, shape ``(m,)``.
        rates: False positive rates between 0 and 1, shape ``(n_rates,)``.
    """
    cuts = np.unique(np.concatenate([negative, positive]))[::-1]
    below = [np.searchsorted(np.sort(x), cuts) / len(x) for x in (negative, positive)]
    false, true = (np.concatenate([[0.0], 1 - share]) for share in below)
    return np.interp(rates, false, true)


def draw_roc(
    ax: Axes, *, rates: NDArray, efficiencies: NDArray, style: ModelStyle, label: str
) -> None:
    """Draw a ROC curve.

    Args:
        ax: Axes to draw into.
        rates: False positive rates, shape ``(n_rates,)``.
        efficiencies: True positive rates, shape ``(n_rates,)``.
        style: How the model is drawn.
        label: Text of the legend.
    """
    ax.plot(rates, efficiencies, color=style.color, label=label)
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")


def draw_roc_excess(
    ax: Axes,
    *,
    rates: NDArray,
    efficiencies: NDArray,
    n_negative: int,
    n_positive: int,
    style: ModelStyle,
    band: bool,
) -> None:
    """Draw how far a ROC curve lies above the diagonal, where small differences show.

    Args:
        ax: Axes to draw into.
        rates: False positive rates, shape ``(n_rates,)``.
        efficiencies: True positive rates, shape ``(n_rates,)``.
        n_negative: Events of class 0 behind the curve.
        n_positive: Events of class 1 behind the curve.
        style: How the model is drawn.
        band: Whether to shade what chance alone does to a classifier that knows nothing, one
            standard deviation of the difference of two binomial rates.
    """
    if band:
        sigma = np.sqrt(rates * (1 - rates) * (1 / n_negative + 1 / n_positive))
        ax.fill_between(rates, -sigma, sigma, color="#8b90a0", alpha=0.3, linewidth=0)
        ax.axhline(0, color="#1f2430", linewidth=0.8, linestyle="--")
    ax.plot(rates, efficiencies - rates, color=style.color)
    ax.set_xlim(0, 1)


def draw_log_ratios(
    ax: Axes,
    *,
    real: Densities,
    generated: Densities,
    styles: Sequence[ModelStyle],
    tails: tuple[float, float] | None = None,
) -> None:
    """Draw the distribution of the log density ratio of real and generated events.

    Args:
        ax: Axes to draw into.
        real: Its density for Monte Carlo events, of shape ``(n_bins,)``.
        generated: Its density for generated events.
        styles: How real and generated events are drawn.
        tails: Below and above these values lie the tails, shaded.
    """
    ax.stairs(real.values, real.edges, fill=True, color="#e4e7ee")
    for densities, style in zip((real, generated), styles, strict=True):
        centers = (densities.edges[1:] + densities.edges[:-1]) / 2
        seen = densities.values > 0
        error = np.sqrt(densities.variances)
        error = np.minimum(error, 0.99 * densities.values), error
        ax.stairs(densities.values, densities.edges, color=style.color, label=style.label)
        ax.errorbar(
            centers[seen],
            densities.values[seen],
            [side[seen] for side in error],
            fmt="none",
            ecolor=style.color,
            linewidth=0.9,
        )
    for start, stop in [] if tails is None else [(-np.inf, tails[0]), (tails[1], np.inf)]:
        edges = np.clip([start, stop], real.edges[0], real.edges[-1])
        ax.axvspan(*edges, color="#bd1f01", alpha=0.06, linewidth=0)
    smallest = min(part.values[part.values > 0].min() for part in (real, generated))
    ax.set_yscale("log")
    ax.set_ylim(smallest / 2, 3 * ax.dataLim.ymax)
    ax.set_xlim(real.edges[0], real.edges[-1])


def draw_tail_feature(
    ax: Axes,
    *,
    reference: Densities,
    tails: Sequence[Densities],
    styles: Sequence[ModelStyle],
    feature: FeatureStyle,
) -> None:
    """Draw one feature of all events, and of those in the tails of the density ratio.

    Args:
        ax: Axes to draw into.
        reference: Density of all events, of shape ``(n_bins,)``.
        tails: Densities in each tail.
        styles: How the tails are drawn.
        feature: How the feature is drawn.
    """
    ax.stairs(reference.values, reference.edges, fill=True, color="#e4e7ee")
    centers = (reference.edges[1:] + reference.edges[:-1]) / 2
    for tail, style in zip(tails, styles, strict=True):
        ax.stairs(tail.values, tail.edges, color=style.color, linewidth=0.9)
        ax.errorbar(
            centers,
            tail.values,
            np.sqrt(tail.variances),
            fmt="none",
            ecolor=style.color,
            linewidth=0.8,
        )
    ax.set_xlim(feature.low, feature.high)
    ax.set_ylim(bottom=0)
    ax.set_xlabel(feature.label, labelpad=1)
    ax.minorticks_off()


def draw_roc_page(
    figure: Figure,
    *,
    scores: Mapping[str, Mapping[str, Scores]],
    styles: Mapping[str, ModelStyle],
) -> None:
    """Draw ROC curves of all models, a column per classifier, and their excess over chance.

    Args:
        figure: An empty figure.
        scores: By classifier, then by model.
        styles: How each model is drawn.
    """
    axes = figure.subplots(2, len(scores), height_ratios=(2.4, 1), squeeze=False)
    rates = np.linspace(0, 1, 201)
    for column, (classifier, models) in enumerate(scores.items()):
        upper, lower = axes[:, column]
        upper.plot([0, 1], [0, 1], color="#1f2430", linewidth=0.8, linestyle="--")
        for index, (name, one) in enumerate(models.items()):
            curve = roc_curve(one.real, one.generated, rates)
            label = f"{styles[name].label}: {one.auc:.3f} ± {one.auc_uncertainty:.3f}"
            draw_roc(upper, rates=rates, efficiencies=curve, style=styles[name], label=label)
            draw_roc_excess(
                lower,
                rates=rates,
                efficiencies=curve,
                n_negative=len(one.real),
                n_positive=len(one.generated),
                style=styles[name],
                band=index == 0,
            )
        upper.set_title(CLASSIFIERS.get(classifier, classifier))
        upper.legend(title="AUC", alignment="left", loc="lower right")
        upper.set_ylabel("share of generated events accepted")
        lower.set_ylabel("excess over chance")
        lower.set_xlabel("share of Monte Carlo events accepted")


def draw_ratio_page(
    figure: Figure,
    *,
    scores: Mapping[str, Scores],
    styles: Mapping[str, ModelStyle],
    tail_fraction: float,
    n_bins: int = 40,
) -> None:
    """Draw the log density ratios of each model's events, a panel per model.

    Args:
        figure: An empty figure.
        scores: By model.
        styles: How each model is drawn, and Monte Carlo under ``"mc"``.
        tail_fraction: Share of the generated events in each shaded tail.
        n_bins: Number of bins.
    """
    rows = -(-len(scores) // COLUMNS)
    axes = figure.subplots(rows, COLUMNS, sharex=True, squeeze=False)
    everything = np.concatenate([np.r_[one.real, one.generated] for one in scores.values()])
    reach = max(float(np.quantile(np.abs(everything), 0.999)), 1e-3)
    ranges = np.array([[-reach, reach]])
    for ax, (name, one) in zip(axes.flat, scores.items(), strict=False):
        real, generated = (
            Densities(*(part[0] for part in measure_densities(x[:, None], ranges, n_bins)))
            for x in (one.real, one.generated)
        )
        low, high = np.quantile(one.generated, [tail_fraction, 1 - tail_fraction])
        draw_log_ratios(
            ax,
            real=real,
            generated=generated,
            styles=(styles["mc"], styles[name]),
            tails=(float(low), float(high)),
        )
        ax.legend(loc="upper left", fontsize=8.5, ncols=2, columnspacing=1)
    for ax in axes.flat[max(0, len(scores) - COLUMNS) : len(scores)]:
        ax.tick_params(labelbottom=True)
    for ax in axes.flat[len(scores) :]:
        ax.set_visible(False)
    figure.supxlabel(r"$\ln\,r = \ln\,(p_{generated}\,/\,p_{MC})$", fontsize=11)
    figure.supylabel("density", fontsize=11)


def draw_tail_page(
    figure: Figure,
    *,
    x: NDArray,
    low: NDArray,
    high: NDArray,
    features: Sequence[FeatureStyle],
    styles: Sequence[ModelStyle],
    n_bins: int,
) -> None:
    """Draw every feature of all generated events and of those in the tails of the ratio.

    Args:
        figure: An empty figure.
        x: Generated events, shape ``(n_events, n_features)``.
        low: Mask of those that the model makes too rarely, shape ``(n_events,)``.
        high: Mask of those that it makes too often, shape ``(n_events,)``.
        features: How each feature is drawn.
        styles: How all events, the low and the high tail are called and drawn.
        n_bins: Number of bins.
    """
    axes = figure.subplots(panel_rows(len(features)), COLUMNS, squeeze=False)
    ranges = np.array([[feature.low, feature.high] for feature in features])
    everything, *tails = (measure_densities(x[rows], ranges, n_bins) for rows in (..., low, high))
    for index, feature in enumerate(features):
        ax = axes.flat[index]
        draw_tail_feature(
            ax,
            reference=Densities(*(part[index] for part in everything)),
            tails=[Densities(*(part[index] for part in tail)) for tail in tails],
            styles=styles[1:],
            feature=feature,
        )
        if index % COLUMNS == 0:
            ax.set_ylabel("density")
    for ax in axes.flat[len(features) :]:
        ax.set_axis_off()
    handles = [
        Patch(facecolor="#e4e7ee", label=styles[0].label),
        *(Line2D([], [], color=style.color, label=style.label) for style in styles[1:]),
    ]
    legend = axes.flat[len(features)].legend(
        handles=handles, loc="upper left", fontsize=10, borderpad=0
    )
    legend.set_in_layout(False)  # it may reach over its cell
