"""Shapes of samples side by side: densities with uncertainties, and ratios to the first one."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from pandas import DataFrame

from bumpflow.plotting.fits import ratio_limits
from bumpflow.plotting.histograms import Densities, measure_densities
from bumpflow.plotting.names import FeatureStyle, ModelStyle
from bumpflow.plotting.overlays import COLUMNS, draw_densities, draw_ratios

MARK_COLOR = "#6b7080"
HIGGS_MARKS = {"m_gg": (125.0, r"$m_h$ 125"), "m_bb": (125.0, r"$m_h$ 125")}
"""Masses [GeV] of Higgs bosons that decay to two photons or two b quarks."""


def measure_shapes(
    tables: Mapping[str, DataFrame], features: Mapping[str, FeatureStyle], n_bins: int
) -> dict[str, Densities]:
    """Return densities of features of each sample, of shape ``(n_features, n_bins)`` each.

    Args:
        tables: Events by sample: a column per feature, and ``weight_fb``.
        features: How each feature is drawn.
        n_bins: Number of bins.
    """
    ranges = np.array([[feature.low, feature.high] for feature in features.values()])
    return {
        name: measure_densities(
            table[list(features)].to_numpy(float),
            ranges,
            n_bins,
            weights=table["weight_fb"].to_numpy(float),
        )
        for name, table in tables.items()
    }


def measure_momenta(particles: DataFrame) -> DataFrame:
    """Return particles with their transverse momentum and polar angle.

    Args:
        particles: Columns ``px``, ``py``, ``pz`` and ``energy`` [GeV], and any others.

    Returns:
        The same with columns ``pt`` [GeV] and ``theta_mrad``, the angle to the beam.
    """
    pt = np.hypot(particles["px"], particles["py"])
    theta = np.arctan2(pt, particles["pz"])
    return particles.assign(pt=pt, theta_mrad=1000 * theta)


def pick_feature(densities: Densities, index: int) -> Densities:
    """Return one feature's density, of shape ``(n_bins,)``."""
    return Densities(*(part[index] for part in densities))


def draw_shapes(
    ax: Axes, *, samples: Mapping[str, Densities], styles: Mapping[str, ModelStyle]
) -> None:
    """Draw one feature's density in each sample, with statistical uncertainties.

    Args:
        ax: Axes to draw into.
        samples: Densities by name, each of shape ``(n_bins,)``.
        styles: How each sample is drawn.
    """
    for index, (name, sample) in enumerate(samples.items()):
        color, width = styles[name].color, np.diff(sample.edges)
        # Bars beside each other, as those of one place would hide each other.
        x = sample.edges[:-1] + width * (index + 1) / (len(samples) + 1)
        ax.stairs(sample.values, sample.edges, color=color, linewidth=1.2)
        error = np.sqrt(sample.variances)
        ax.errorbar(x, sample.values, error, fmt="none", ecolor=color, linewidth=0.8)
    ax.set_ylim(0, 1.08 * ax.dataLim.ymax or 1)


def draw_mark(ax: Axes, value: float, label: str) -> None:
    """Mark a known value with a dotted line.

    Args:
        ax: Axes to draw into, with its limits set.
        value: Where on the horizontal axis.
        label: What is there.
    """
    low, high = ax.get_xlim()
    ax.axvline(value, color=MARK_COLOR, linewidth=1, linestyle=":")
    late = value > low + 0.55 * (high - low)
    ax.annotate(
        label,
        (value, 0.97),
        (-4 if late else 4, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="right" if late else "left",
        va="top",
        fontsize=8.5,
        color=MARK_COLOR,
    )


def draw_shape_page(
    figure: Figure,
    *,
    samples: Mapping[str, Densities],
    features: Mapping[str, FeatureStyle],
    styles: Mapping[str, ModelStyle],
    marks: Mapping[str, tuple[float, str]] | None = None,
) -> None:
    """Draw a panel per feature with the shapes of all samples.

    Args:
        figure: An empty figure.
        samples: Densities by name, each of shape ``(n_features, n_bins)``.
        features: How each feature is drawn, by name and in the order of the densities.
        styles: How each sample is drawn.
        marks: Known values and what they are, for features that have one.
    """
    rows = -(-len(features) // COLUMNS)
    axes = figure.subplots(rows, COLUMNS, squeeze=False)
    for index, (name, feature) in enumerate(features.items()):
        ax = axes.flat[index]
        one = {sample: pick_feature(found, index) for sample, found in samples.items()}
        draw_shapes(ax, samples=one, styles=styles)
        ax.set_xlim(feature.low, feature.high)
        if name in (marks or {}):
            ax.set_ylim(0, 1.12 * ax.get_ylim()[1])
            draw_mark(ax, *(marks or {})[name])
        ax.set_xlabel(feature.label)
        ax.set_ylabel(density_label(feature))
    for ax in axes.flat[len(features) :]:
        ax.set_axis_off()
    handles = [
        Line2D([], [], color=styles[name].color, label=styles[name].label) for name in samples
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=10.5)


def density_label(feature: FeatureStyle) -> str:
    """Return the label of an axis of densities."""
    return "density" if feature.unit == "" else f"density [1 / {feature.unit}]"


def draw_comparison_page(
    figure: Figure,
    *,
    samples: Mapping[str, Densities],
    features: Sequence[FeatureStyle],
    styles: Mapping[str, ModelStyle],
) -> None:
    """Draw a column per feature: densities on a logarithmic axis, and ratios to the first sample.

    Args:
        figure: An empty figure.
        samples: Densities by name, each of shape ``(n_features, n_bins)``; the first one is the
            reference.
        features: How each feature is drawn.
        styles: How each sample is drawn.
    """
    first, *others = samples
    styles = {name: styles[name] for name in samples} | {"mc": styles[first]}
    axes = figure.subplots(2, len(features), sharex="col", height_ratios=(2.2, 1), squeeze=False)
    for index, (feature, (upper, lower)) in enumerate(zip(features, axes.T, strict=True)):
        reference = pick_feature(samples[first], index)
        rest = {name: pick_feature(samples[name], index) for name in others}
        draw_densities(upper, reference=reference, samples=rest, styles=styles)
        draw_ratios(lower, reference=reference, samples=rest, styles=styles)
        seen = np.concatenate([part.values for part in (reference, *rest.values())])
        seen = seen[seen > 0] if np.any(seen > 0) else np.ones(1)
        upper.set_ylim(seen.min() / 2, 3 * seen.max())
        upper.set_yscale("log")
        lower.set_ylim(*ratio_limits(reference, list(rest.values())))
        upper.set_xlim(feature.low, feature.high)
        upper.set_ylabel(density_label(feature))
        lower.set_xlabel(feature.label)
    axes[1, 0].set_ylabel(f"ratio to {styles[first].label}")
    handles = _comparison_handles(styles, others)
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=10.5)


def _comparison_handles(styles: Mapping[str, ModelStyle], others: Sequence[str]) -> list[Artist]:
    """Return the legend of a comparison."""
    first = styles["mc"]
    lines = [
        Line2D([], [], color=style.color, marker=style.marker if len(others) == 1 else "")
        for style in (styles[name] for name in others)
    ]
    for line, name in zip(lines, others, strict=True):
        line.set_label(styles[name].label)
    return [
        Patch(facecolor="#e4e7ee", edgecolor=first.color, label=f"{first.label} (reference)"),
        *lines,
    ]
