"""How the classifier selects events, and whether generated events survive it as simulated do."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray
from pandas import DataFrame

from bumpflow.evaluate.c2st import area_under_curve
from bumpflow.plotting.c2st import draw_roc, roc_curve
from bumpflow.plotting.histograms import (
    Densities,
    as_densities,
    count_features,
    measure_densities,
)
from bumpflow.plotting.names import SIGNAL, ModelStyle
from bumpflow.plotting.overlays import (
    BAND_ALPHA,
    BAND_COLOR,
    draw_densities,
    draw_ratios,
)


def score_density(scores: NDArray, *, n_bins: int, weights: NDArray | None = None) -> Densities:
    """Return the density of a classifier's scores between 0 and 1, of shape ``(n_bins,)``.

    Args:
        scores: Classifier scores, shape ``(n_events,)``.
        n_bins: Number of bins.
        weights: Weight of each event, shape ``(n_events,)``; 1 by default.
    """
    ranges = np.array([[0.0, 1.0]])
    found = measure_densities(scores[:, None], ranges, n_bins, weights=weights)
    return Densities(*(part[0] for part in found))


def selected_densities(
    pieces: Iterable[DataFrame],
    features: Sequence[str],
    ranges: NDArray,
    *,
    cut: float,
    n_bins: int,
) -> dict[str, Densities]:
    """Return the densities of generated events after the cut, with weights and without.

    Args:
        pieces: Events that arrive in pieces: the features, ``score`` and ``weight``.
        features: Columns to draw.
        ranges: Lower and upper edge of each feature, shape ``(n_features, 2)``.
        cut: Lowest score that the analysis accepts.
        n_bins: Number of bins.

    Returns:
        ``surrogate`` (every event counts 1) and ``reweighted``.
    """
    counts, totals = np.zeros((3, len(features), n_bins)), np.zeros(2)
    for piece in pieces:
        kept = piece[piece["score"] >= cut]
        x, weights = kept[list(features)].to_numpy(), kept["weight"].to_numpy(np.float64)
        totals += len(weights), weights.sum()
        for power in range(3):
            counts[power] += count_features(x, ranges, n_bins, weights=weights**power)
    return {
        "surrogate": as_densities(counts[0], totals[0], ranges),
        "reweighted": as_densities(counts[1], totals[1], ranges, squares=counts[2]),
    }


def efficiencies(scores: NDArray, cuts: NDArray) -> NDArray:
    """Return the share of events that each cut accepts.

    Args:
        scores: Classifier scores, shape ``(n_events,)``.
        cuts: Lowest accepted scores, shape ``(n_cuts,)``.
    """
    return 1 - np.searchsorted(np.sort(scores), cuts) / len(scores)


def draw_roc_page(
    figure: Figure,
    *,
    background: NDArray,
    signal: NDArray,
    generated: NDArray,
    cut: float,
    styles: Mapping[str, ModelStyle],
) -> None:
    """Draw ROC curves of signal against backgrounds, and how the backgrounds differ.

    Args:
        figure: An empty figure.
        background: Scores of Monte Carlo background, shape ``(n_background,)``.
        signal: Scores of Monte Carlo signal, shape ``(n_signal,)``.
        generated: Scores of generated events, shape ``(n_generated,)``.
        cut: Lowest score that the analysis accepts.
        styles: How ``mc`` and ``surrogate`` are drawn.
    """
    backgrounds = {"mc": background, "surrogate": generated}
    left, right = figure.subplots(1, 2)
    rates = np.linspace(0, 1, 501)
    for name, scores in backgrounds.items():
        auc = area_under_curve(scores, signal)
        label = f"{styles[name].label}: {auc.value:.4f} ± {auc.uncertainty:.4f}"
        curve = roc_curve(scores, signal, rates)
        draw_roc(left, rates=rates, efficiencies=curve, style=styles[name], label=label)
    left.plot([0, 1], [0, 1], color="#8b90a0", linewidth=0.8, linestyle="--")
    point = [float(np.mean(scores >= cut)) for scores in (background, signal)]
    left.plot(*point, "*", color=styles["mc"].color, markersize=11, label=f"cut at {cut:g}")
    left.set_xlabel("background efficiency")
    left.set_ylabel("signal efficiency")
    left.legend(title="AUC of signal against background", alignment="left", loc="lower right")
    draw_efficiency_ratios(right, signal=signal, backgrounds=backgrounds, styles=styles)
    right.axvline(point[1], color=styles["mc"].color, linestyle=":", linewidth=0.9)
    right.annotate(
        f"cut at {cut:g}", (point[1], 0.03), (-4, 0), xycoords=("data", "axes fraction"),
        textcoords="offset points", ha="right", fontsize=9,
    )  # fmt: skip


def draw_efficiency_ratios(
    ax: Axes,
    *,
    signal: NDArray,
    backgrounds: Mapping[str, NDArray],
    styles: Mapping[str, ModelStyle],
    n_cuts: int = 100,
) -> None:
    """Draw background efficiencies over that of Monte Carlo, with binomial uncertainties.

    Args:
        ax: Axes to draw into.
        signal: Scores of signal events, shape ``(n_signal,)``, which choose the cuts.
        backgrounds: Scores of background events by sample, Monte Carlo under ``"mc"``.
        styles: How each background is drawn.
        n_cuts: Number of cuts, evenly spaced in signal efficiency from 5 %.
    """
    accepted = np.linspace(0.05, 1, n_cuts)
    cuts = np.quantile(signal, 1 - accepted)
    shares = {name: efficiencies(scores, cuts) for name, scores in backgrounds.items()}
    reference = np.where(shares["mc"] > 0, shares["mc"], np.nan)
    for name, share in shares.items():
        error = np.sqrt(share * (1 - share) / len(backgrounds[name])) / reference
        ratio, style = share / reference, styles[name]
        ax.fill_between(
            accepted, ratio - error, ratio + error, color=style.color, alpha=0.2, linewidth=0
        )
        ax.plot(accepted, ratio, color=style.color, label=style.label)
    ax.set_xlim(0, 1)
    ax.set_xlabel("signal efficiency")
    ax.set_ylabel("background efficiency / that of Monte Carlo")
    ax.legend(loc="upper right", title="same cut on the score")


def draw_score_page(
    figure: Figure,
    *,
    background: NDArray,
    signal: NDArray,
    generated: NDArray,
    weights: NDArray,
    cut: float,
    n_bins: int,
    styles: Mapping[str, ModelStyle],
) -> None:
    """Draw the classifier score of all samples, and generated over Monte Carlo below.

    Args:
        figure: An empty figure.
        background: Scores of Monte Carlo background, shape ``(n_background,)``.
        signal: Scores of Monte Carlo signal, shape ``(n_signal,)``.
        generated: Scores of generated events, shape ``(n_generated,)``.
        weights: Their weights, shape ``(n_generated,)``.
        cut: Lowest score that the analysis accepts.
        n_bins: Number of bins.
        styles: How ``mc``, ``surrogate`` and ``reweighted`` are drawn.
    """
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2.2, 1))
    reference = score_density(background, n_bins=n_bins)
    samples = {
        "surrogate": score_density(generated, n_bins=n_bins),
        "reweighted": score_density(generated, n_bins=n_bins, weights=weights),
    }
    draw_densities(upper, reference=reference, samples=samples, styles=styles)
    alone = score_density(signal, n_bins=n_bins)
    upper.stairs(alone.values, alone.edges, color=SIGNAL.color, linestyle="--", linewidth=1.3)
    draw_ratios(lower, reference=reference, samples=samples, styles=styles)
    for ax in (upper, lower):
        ax.axvline(cut, color=styles["mc"].color, linestyle=":", linewidth=1)
    upper.annotate(
        f"selected: score ≥ {cut:g} →", (cut, 0.94), (6, 0), fontsize=9,
        xycoords=("data", "axes fraction"), textcoords="offset points",
    )  # fmt: skip
    upper.set_xlim(0, 1)
    upper.set_ylim(0, 1.3 * upper.dataLim.ymax)
    lower.set_ylim(0.7, 1.3)
    upper.set_ylabel("density")
    lower.set_ylabel("ratio to Monte Carlo")
    lower.set_xlabel("classifier score")
    upper.legend(handles=_score_handles(list(samples), styles), loc="upper left", ncols=2)


def _score_handles(names: list[str], styles: Mapping[str, ModelStyle]) -> list[Patch | Line2D]:
    """Return the legend of the scores."""
    reference = styles["mc"]
    return [
        Patch(facecolor="#e4e7ee", edgecolor=reference.color, label=reference.label),
        Patch(color=BAND_COLOR, alpha=BAND_ALPHA, linewidth=0, label="its uncertainty"),
        *(Line2D([], [], color=styles[name].color, label=styles[name].label) for name in names),
        Line2D([], [], color=SIGNAL.color, linestyle="--", label=SIGNAL.label),
    ]
