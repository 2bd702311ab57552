"""Projections of data and the fitted model of a resonance in the signal region."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from pandas import DataFrame

from bumpflow.plotting.histograms import count_features
from bumpflow.plotting.hunt_scan import format_power
from bumpflow.plotting.names import FeatureStyle
from bumpflow.plotting.resonance_events import add_legend, panel_grid
from bumpflow.plotting.resonance_fits import Spectrum, draw_spectrum, fit_handles
from bumpflow.resonance.closure import signal_like_cut

MASS = "mass"
COMPONENTS = ("background", "signal")
REGIONS = {
    "signal_region": "Signal region",
    "signal_like": "Most signal-like events",
}


def renamed(styles: Mapping[str, FeatureStyle]) -> dict[str, FeatureStyle]:
    """Return styles of which the first, that of the mass, has the name it has in tables here."""
    first, *others = styles
    return {MASS: styles[first], **{name: styles[name] for name in others}}


def project(
    data: DataFrame, model: DataFrame, features: Mapping[str, FeatureStyle], *, n_bins: int
) -> dict[str, Spectrum]:
    """Return data and model in bins of each feature.

    Args:
        data: Data: a column per feature.
        model: Events of the fitted model: the same, ``component`` and ``weight``.
        features: How each feature is drawn, by its column.
        n_bins: Number of bins.
    """
    ranges = np.array([[style.low, style.high] for style in features.values()])
    columns = list(features)
    observed = count_features(data[columns].to_numpy(float), ranges, n_bins)
    background, signal = (_weighted(model, kind, columns, ranges, n_bins) for kind in COMPONENTS)
    edges = np.linspace(ranges[:, 0], ranges[:, 1], n_bins + 1, axis=1)
    parts = zip(edges, observed, background, signal, strict=True)
    return {name: Spectrum(*part) for name, part in zip(columns, parts, strict=True)}


def _weighted(
    model: DataFrame, kind: str, columns: list[str], ranges: NDArray, n_bins: int
) -> NDArray:
    """Return expected events of one component, shape ``(n_features, n_bins)``."""
    part = model[model["component"] == kind]
    weights = part["weight"].to_numpy(float)
    return count_features(part[columns].to_numpy(float), ranges, n_bins, weights=weights)


def draw_post_fit_page(
    figure: Figure,
    *,
    data: DataFrame,
    model: DataFrame,
    goodness: DataFrame,
    features: Mapping[str, FeatureStyle],
    region: str,
    n_bins: int,
) -> None:
    """Draw data on stacked background and signal in mass and features, with residuals below.

    Args:
        figure: An empty figure.
        data: Data in the signal region: a column per feature and ``ratio``.
        model: Events of the fitted model with ``component`` and ``weight``.
        goodness: Tests of the model by ``region`` and ``test``.
        features: How the mass and the features are drawn, by their columns.
        region: Key of :data:`REGIONS`.
        n_bins: Number of bins.
    """
    if region == "signal_like":
        cut = signal_like_cut(model)
        data, model = (part[part["ratio"] >= cut] for part in (data, model))
    rows: list[Any] = goodness[goodness["region"] == region].to_dict("records")
    tests = {row["test"]: row for row in rows}
    places, rest = panel_grid(figure, len(features))
    spectra = project(data, model, features, n_bins=n_bins)
    for place, (name, style) in zip(places, features.items(), strict=True):
        part = place.subgridspec(2, 1, height_ratios=(2.4, 1))
        upper = figure.add_subplot(part[0])
        lower = figure.add_subplot(part[1], sharex=upper)
        draw_spectrum(upper, lower, spectra[name])
        write_p(upper, spectra[name], tests[name]["p"])
        upper.set_ylabel(bin_label(style, n_bins))
        lower.set_xlabel(style.label)
        lower.xaxis.set_major_locator(MaxNLocator(6))
        figure.align_ylabels([upper, lower])
    handles: list[Artist] = fit_handles()
    yields = [len(data), *(model.loc[model["component"] == k, "weight"].sum() for k in COMPONENTS)]
    for handle, events in zip(handles, yields, strict=True):
        handle.set_label(f"{handle.get_label()}: {events:.0f} events")
    add_legend(figure, rest, handles, title=describe_tests(region, tests))


def write_p(ax: Axes, spectrum: Spectrum, p: float) -> None:
    """Write the p-value of a projection where its histogram leaves more room, and give it more."""
    half = len(spectrum.observed) // 2
    right = spectrum.observed[:half].max(initial=0) >= spectrum.observed[half:].max(initial=0)
    x, align = (0.96, "right") if right else (0.04, "left")
    text = f"KS p = {format_power(p)}"
    ax.annotate(text, (x, 0.95), xycoords="axes fraction", ha=align, va="top", fontsize=9)
    ax.set_ylim(top=1.08 * ax.get_ylim()[1])


def bin_label(style: FeatureStyle, n_bins: int) -> str:
    """Return what counts are drawn per."""
    width = (style.high - style.low) / n_bins
    return f"events / {width:.2g} {style.unit}".rstrip()


def describe_tests(region: str, tests: Mapping[str, Mapping[str, float]]) -> str:
    """Return a region's name, and what boosted trees say of data and model there.

    Args:
        region: Key of :data:`REGIONS`.
        tests: Tests of the region; ``c2st`` has ``auc``, ``auc_error`` and ``p``.
    """
    trees = tests["c2st"]
    auc = f"{trees['auc']:.3f} ± {trees['auc_error']:.3f}"
    return (
        f"{REGIONS[region]}\nboosted trees, data against model:\n"
        f"AUC {auc}, p = {format_power(trees['p'])}\n"
    )
