"""Fits of a resonance's mass and of scores: shapes on data and simulation, other strategies."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from pandas import DataFrame

from bumpflow.plotting.hunt_numbers import poisson_errors, residuals
from bumpflow.plotting.hunt_scan import density_label, draw_residuals
from bumpflow.plotting.names import SERIES, SIGNAL, STRATEGIES, FeatureStyle, ModelStyle
from bumpflow.resonance.background_fits import CONVERGED, mass_data
from bumpflow.resonance.fitting import fit
from bumpflow.resonance.likelihood import ResonanceModel
from bumpflow.resonance.shapes import (
    BackgroundShape,
    DoubleCrystalBall,
    MassModel,
    Window,
    expected_counts,
)
from bumpflow.resonance.strategies import N_BINS

DATA = ModelStyle("data", "#1f2430", "o")
BACKGROUND_FILL = "#d3d8e3"


class Spectrum(NamedTuple):
    """Counts in bins, and what is expected there.

    Attributes:
        edges: Edges of the bins, shape ``(n_bins + 1,)``.
        observed: Counts, shape ``(n_bins,)``.
        background: Fitted background, same shape.
        signal: Fitted signal, same shape.
    """

    edges: NDArray
    observed: NDArray
    background: NDArray
    signal: NDArray

    @property
    def total(self) -> NDArray:
        """All that is expected."""
        return self.background + self.signal


def mass_spectrum(mass: NDArray, masses: MassModel, *, n_bins: int) -> Spectrum:
    """Fit signal and background to masses, and return both in bins.

    Args:
        mass: Masses in the window [GeV], shape ``(n,)``.
        masses: Shapes of signal and background.
        n_bins: Number of bins.
    """
    data = mass_data(mass[None], masses.peak, masses.window)
    signal, background, *theta = fit(ResonanceModel(masses.background), data).values[0].tolist()
    edges = np.linspace(*masses.window, n_bins + 1)
    return Spectrum(
        edges,
        np.histogram(mass, edges)[0],
        background * expected_counts(lambda m: masses.background.at(m, theta), edges),
        signal * expected_counts(lambda m: masses.peak.density(m, masses.window), edges),
    )


def score_spectrum(scores: Mapping[str, NDArray], signal: float) -> Spectrum:
    """Return scores in the bins of the fit, with templates at their fitted yields.

    Args:
        scores: Scores in the signal region by ``data``, ``background`` and ``signal``.
        signal: Fitted signal in the signal region [events]; the rest is background.
    """
    edges = np.linspace(0, 1, N_BINS + 1)
    counts = {name: np.histogram(score, edges)[0] for name, score in scores.items()}
    observed = counts["data"]
    parts = [counts[name] / max(counts[name].sum(), 1) for name in ("background", "signal")]
    return Spectrum(edges, observed, (observed.sum() - signal) * parts[0], signal * parts[1])


def strategy_spectra(
    table: DataFrame, masses: MassModel, *, signal: float, n_bins: int
) -> dict[str, Spectrum]:
    """Return the spectra that three strategies fit in one data set, by strategy.

    Args:
        table: Scores, see :func:`~bumpflow.resonance.strategies.score_table`.
        masses: Shapes of signal and background in mass.
        signal: Signal of the fit of the binned score [events].
        n_bins: Number of bins of the masses.
    """
    data = table[table["kind"] == "data"]
    simulated = table.loc[table["kind"] == "signal", "score"]
    share = float(simulated.notna().mean())
    inside = table[table["score"].notna()]
    scores = {str(kind): part["score"].to_numpy(float) for kind, part in inside.groupby("kind")}
    return {
        "mass_only": mass_spectrum(data["mass"].to_numpy(float), masses, n_bins=n_bins),
        "cut_and_fit": mass_spectrum(
            data.loc[data["kept"], "mass"].to_numpy(float), masses, n_bins=n_bins
        ),
        "binned_dnn": score_spectrum(scores, share * signal),
    }


def draw_spectrum(upper: Axes, lower: Axes, spectrum: Spectrum, *, log: bool = False) -> None:
    """Draw counts with Poisson errors on fitted background and signal, and residuals below.

    Args:
        upper: Axes of the counts.
        lower: Axes of the residuals.
        spectrum: What to draw.
        log: Whether counts are on a logarithmic axis.
    """
    edges, observed, background, total = (
        spectrum.edges, spectrum.observed, spectrum.background, spectrum.total,
    )  # fmt: skip
    low, high = (np.r_[part, part[-1:]] for part in (background, total))
    upper.stairs(background, edges, fill=True, color=BACKGROUND_FILL)
    upper.fill_between(edges, low, high, step="post", color=SIGNAL.color, alpha=0.7, linewidth=0)
    upper.stairs(total, edges, color=SIGNAL.color, linewidth=1, baseline=None)
    draw_points(upper, edges, observed)
    draw_residuals(lower, edges=edges, pulls=residuals(observed, total))
    top = float(np.max(observed + np.sqrt(observed)))
    if log:
        upper.set_yscale("log")
        upper.set_ylim(0.3, 20 * top)
    else:
        upper.set_ylim(0, 1.2 * top)
        upper.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    upper.set_xlim(edges[0], edges[-1])
    upper.tick_params(labelbottom=False)
    lower.set_ylabel(r"residual [$\sigma$]")


def draw_points(ax: Axes, edges: NDArray, counts: NDArray) -> None:
    """Draw counts with 68 % Poisson intervals; empty bins have none.

    Args:
        ax: Axes to draw into.
        edges: Edges of the bins, shape ``(n_bins + 1,)``.
        counts: Counts, shape ``(n_bins,)``.
    """
    seen = counts > 0
    centers = ((edges[1:] + edges[:-1]) / 2)[seen]
    ax.errorbar(
        centers, counts[seen], poisson_errors(counts[seen]), fmt="o", color=DATA.color,
        linewidth=0.8, markersize=2.6,
    )  # fmt: skip


def draw_strategies_page(
    figure: Figure,
    *,
    spectra: Mapping[str, Spectrum],
    results: Mapping[str, Mapping[str, float]],
    style: FeatureStyle,
) -> None:
    """Draw the fits of three strategies to one data set, a column each.

    Args:
        figure: An empty figure.
        spectra: ``mass_only``, ``cut_and_fit`` and ``binned_dnn``.
        results: ``signal``, ``low`` and ``high`` [events] by strategy.
        style: How the mass is drawn.
    """
    axes = figure.subplots(2, len(spectra), sharex="col", height_ratios=(2.5, 1), squeeze=False)
    for (upper, lower), (name, spectrum) in zip(axes.T, spectra.items(), strict=True):
        scored = name == "binned_dnn"
        draw_spectrum(upper, lower, spectrum, log=scored)
        upper.set_title(STRATEGIES[name].capitalize())
        upper.set_ylabel("events / bin" if scored else density_label(spectrum.edges, "GeV"))
        lower.set_xlabel("score in the signal region" if scored else style.label)
        write_signal(upper, results[name])
        figure.align_ylabels([upper, lower])
    figure.legend(handles=fit_handles(), loc="outside lower center", ncols=3, fontsize=10.5)


def write_signal(ax: Axes, result: Mapping[str, float]) -> None:
    """Write a fitted signal with its 68 % interval into the upper right corner."""
    best = result["signal"]
    below, above = best - result["low"], result["high"] - best
    text = rf"$s = {best:.0f}\,_{{-{below:.0f}}}^{{+{above:.0f}}}$"
    ax.annotate(text, (0.95, 0.95), xycoords="axes fraction", ha="right", va="top", fontsize=11)


def fit_handles() -> list[Artist]:
    """Return the legend of a fit."""
    return [
        Line2D([], [], color=DATA.color, marker="o", linestyle="", label=DATA.label),
        Patch(color=BACKGROUND_FILL, label="fitted background"),
        Patch(color=SIGNAL.color, alpha=0.7, label="fitted signal"),
    ]


def best_orders(table: DataFrame) -> DataFrame:
    """Return the fit of each series with the least -2 ln L plus one per parameter.

    Args:
        table: Result of :func:`~bumpflow.resonance.background_fits.compare_backgrounds`.
    """
    good = table[table["status"] == CONVERGED]
    penalised = good["deviance"] + good["order"]
    return good.loc[penalised.groupby(good["series"], sort=False).idxmin()]


def draw_shapes_page(
    figure: Figure,
    *,
    data: NDArray,
    simulated: NDArray,
    families: DataFrame,
    shapes: Mapping[str, Any],
    window: Window,
    region: Window,
    style: FeatureStyle,
    n_bins: int,
) -> None:
    """Draw families of backgrounds on the data, and the signal's peak on simulation.

    Args:
        figure: An empty figure.
        data: Masses of the first data set [GeV], shape ``(n_data,)``.
        simulated: Masses of the simulated signal [GeV] that the peak was fitted to.
        families: Fits of the backgrounds with free signal.
        shapes: Record of the chosen shapes.
        window: Range of the background's fits.
        region: Range of the peak's fit.
        style: How the mass is drawn.
        n_bins: Number of bins.
    """
    grid = figure.add_gridspec(1, 2, width_ratios=(1.4, 1))
    columns = []
    for index in range(2):
        part = grid[index].subgridspec(2, 1, height_ratios=(2.2, 1))
        upper = figure.add_subplot(part[0])
        columns.append((upper, figure.add_subplot(part[1], sharex=upper)))
    peak = DoubleCrystalBall(**shapes["peaks"]["signal"])
    edges = np.linspace(*window, n_bins + 1)
    chosen = (shapes["background"]["series"], shapes["background"]["order"])
    draw_families(*columns[0], data, edges=edges, families=families, peak=peak, chosen=chosen)
    draw_peak(*columns[1], simulated, peak=peak, region=region, n_bins=n_bins // 2)
    quality = shapes["quality"]["signal"]
    columns[0][0].set_title("Data, with signal and background fitted")
    columns[1][0].set_title(f"Simulated signal: p = {quality['p']:.2g}")
    ranges = (edges, np.linspace(*region, n_bins // 2 + 1))
    for (upper, lower), bins in zip(columns, ranges, strict=True):
        upper.set_xlim(bins[0], bins[-1])
        upper.tick_params(labelbottom=False)
        upper.set_ylabel(density_label(bins, "GeV"))
        lower.xaxis.set_major_locator(MaxNLocator(10, integer=True))
        lower.set(xlabel=style.label, ylabel=r"residual [$\sigma$]")
        figure.align_ylabels([upper, lower])


def draw_families(
    upper: Axes,
    lower: Axes,
    data: NDArray,
    *,
    edges: NDArray,
    families: DataFrame,
    peak: DoubleCrystalBall,
    chosen: tuple[str, int],
) -> None:
    """Draw each family in its best order, and how far data and families are from the chosen one.

    Args:
        upper: Axes of the counts.
        lower: Axes of differences from the chosen shape [standard deviations].
        data: Masses [GeV], shape ``(n,)``.
        edges: Edges of the bins [GeV], shape ``(n_bins + 1,)``.
        families: Fits of the backgrounds.
        peak: Signal's shape.
        chosen: Series and order of the chosen shape.
    """
    window = Window(edges[0], edges[-1])
    signal = expected_counts(lambda m: peak.density(m, window), edges)
    counts = np.histogram(data, edges)[0]
    pairs = families[["series", "order"]].apply(tuple, axis=1)
    others = best_orders(families[families["series"] != chosen[0]])
    shown: list[Any] = [*families[pairs == chosen].to_dict("records"), *others.to_dict("records")]
    expected = []
    for row in shown:
        shape = BackgroundShape(str(row["series"]), int(row["order"]), window)
        theta = [row[f"theta{k + 1}"] for k in range(shape.order)]
        background = row["b"] * expected_counts(_density(shape, theta), edges)
        expected.append(background + row["s"] * signal)
        look = SERIES[shape.series]
        mark = ", chosen" if row is shown[0] else ""
        label = f"{look.label}, order {shape.order}: p = {row['p_value']:.2g}{mark}"
        upper.stairs(expected[-1], edges, color=look.color, label=label, baseline=None)
        if mark:
            upper.stairs(background, edges, color=look.color, linestyle="--", baseline=None)
            continue
        away = (expected[-1] - expected[0]) / np.sqrt(np.maximum(expected[0], 1e-9))
        lower.stairs(away, edges, color=look.color, baseline=None, zorder=3)
    draw_points(upper, edges, counts)
    draw_residuals(lower, edges=edges, pulls=residuals(counts, expected[0]))
    upper.set_ylim(0, 1.25 * np.max(counts + np.sqrt(counts)))
    first, *rest = upper.get_legend_handles_labels()[0]
    alone = Line2D([], [], color=SERIES[chosen[0]].color, linestyle="--")
    alone.set_label("its background alone")
    upper.legend(handles=[fit_handles()[0], first, alone, *rest], loc="upper right")


def _density(shape: BackgroundShape, theta: list[float]) -> Any:  # noqa: ANN401
    """Return a background's density as a function of masses [GeV]."""
    return lambda mass: shape.at(mass, theta)


def draw_peak(
    upper: Axes,
    lower: Axes,
    simulated: NDArray,
    *,
    peak: DoubleCrystalBall,
    region: Window,
    n_bins: int,
) -> None:
    """Draw simulated masses on a logarithmic axis with the fitted peak, and residuals.

    Args:
        upper: Axes of the counts.
        lower: Axes of the residuals.
        simulated: Masses [GeV], shape ``(n,)``.
        peak: Fitted shape.
        region: Range of the fit.
        n_bins: Number of bins.
    """
    edges = np.linspace(*region, n_bins + 1)
    counts = np.histogram(simulated, edges)[0]
    expected = counts.sum() * expected_counts(lambda m: peak.density(m, region), edges)
    upper.stairs(expected, edges, color=SIGNAL.color, linewidth=1.5, baseline=None)
    draw_points(upper, edges, counts)
    draw_residuals(lower, edges=edges, pulls=residuals(counts, expected))
    upper.set_yscale("log")
    upper.set_ylim(0.4 * min(expected.min(), 1), 8 * counts.max())
    line = Line2D([], [], color=SIGNAL.color, label="double Crystal Ball")
    points = Line2D([], [], color=DATA.color, marker="o", linestyle="", label="simulation")
    upper.legend(handles=[points, line], loc="upper right")
