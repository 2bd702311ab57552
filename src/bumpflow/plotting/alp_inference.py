"""What is inferred of a known mass from several events, right and wrong ones.

References:
    Chathirathas et al. (2024), https://arxiv.org/abs/2407.20329, section 6
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pandas import DataFrame

from bumpflow.compatibility.coverage import fit_root_n, spread_table
from bumpflow.plotting.alp_posteriors import DARK, FEWEST, draw_coverage
from bumpflow.plotting.names import ModelStyle
from bumpflow.plotting.scans import label_plainly

SPREADS = {
    "spread": ModelStyle("spread of the means", "#bd1f01", "o"),
    "width": ModelStyle("mean width of posteriors", "#3f90da", "s"),
}
"""Columns of :func:`bumpflow.compatibility.coverage.spread_table`."""
PUBLISHED_SIGMA = {"poor": 0.043}
"""Fit of sigma / root n in the authors' code, at 1 GeV."""
KINDS = {
    "right": ModelStyle("all events right", "#3f90da", "o"),
    "dropped": ModelStyle("signal dropped", "#f09000", "s"),
    "kept": ModelStyle("background kept", "#bd1f01", "^"),
    "both": ModelStyle("both", "#832db6", "D"),
}
"""What cleaning did, see :data:`bumpflow.compatibility.coverage.KINDS`."""
WAYS = {
    "signal": ModelStyle("true signal alone, which nobody knows", "#2a8a6c", "v"),
    "cleaned": ModelStyle("events that cleaning retains", "#1f2430", "o"),
    "marginal": ModelStyle("averaged over which events are signal", "#bd1f01", "s"),
}
"""How the mass is inferred, see :func:`bumpflow.compatibility.inference.infer_toys`."""


def draw_scaling(upper: Axes, lower: Axes, *, table: DataFrame) -> None:
    """Draw how the mass sharpens with the number of events, and that times the root of it.

    Args:
        upper: Axes of standard deviations.
        lower: Axes of these times the root of the number of events.
        table: See :func:`bumpflow.compatibility.coverage.spread_table`.
    """
    n = table["n_events"].to_numpy(float)
    root = np.sqrt(n)
    line = np.linspace(n.min(), n.max(), 100)
    for index, (name, style) in enumerate(SPREADS.items()):
        value, error = (table[column].to_numpy(float) for column in (name, f"{name}_error"))
        x = n + 0.12 * (index - 0.5)
        for ax, scale in ((upper, 1.0), (lower, root)):
            ax.errorbar(x, value * scale, error * scale, fmt=style.marker, color=style.color)
        label = style.label
        if np.all(error > 0):
            found = fit_root_n(n, value, error)
            upper.plot(line, found.sigma.value / np.sqrt(line), color=style.color, linewidth=1)
            lower.axhline(found.sigma.value, color=style.color, linewidth=1)
            sigma, u = found.sigma
            quality = rf"$\chi^2$ = {found.chi2:.0f} / {found.n_dof}"
            label += rf": $\sigma_1$ = {sigma:.4f} ± {u:.4f}, {quality}"
        upper.plot([], [], f"{style.marker}-", color=style.color, label=label)
    upper.legend(loc="upper right")
    lower.set(xlabel="number of signal events $n$", xticks=n)
    for ax in (upper, lower):
        ax.tick_params(axis="x", which="minor", bottom=False, top=False)


def draw_scaling_page(figure: Figure, *, toys: Mapping[str, DataFrame]) -> None:
    """Draw how the mass sharpens with the number of events, a column per resolution.

    Args:
        figure: An empty figure.
        toys: ``mean``, ``std`` and ``n_events`` of toys, by resolution, see
            :func:`bumpflow.compatibility.experiments.scale_signals`.
    """
    columns = ("mean", "std", "n_events")
    axes = figure.subplots(
        2, len(toys), squeeze=False, sharex=True, sharey="row", height_ratios=(1.7, 1)
    )
    for (upper, lower), (resolution, table) in zip(axes.T, toys.items(), strict=True):
        found = spread_table(*(table[name].to_numpy() for name in columns))
        draw_scaling(upper, lower, table=found)
        published = PUBLISHED_SIGMA.get(resolution)
        if published is not None:
            lower.axhline(published, color=DARK, linewidth=1, linestyle=":")
        upper.set_title(f"{resolution.capitalize()} resolution")
        lower.set_ylim(0, 1.15 * max(lower.dataLim.ymax, lower.get_ylim()[1]))
    axes[0, 0].set(yscale="log", ylabel=r"standard deviation of $\log_{10} m_a$")
    axes[0, 0].set_ylim(top=2.2 * max(ax.dataLim.ymax for ax in axes[0]))
    label_plainly(axes[0, 0].yaxis)
    axes[1, 0].set_ylabel(r"times $\sqrt{n}$")
    handles = [
        Line2D([], [], color=DARK, linewidth=1, label=r"fit of $\sigma_1 / \sqrt{n}$"),
        Line2D([], [], color=DARK, linewidth=1, linestyle=":", label="published fit"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)


def draw_mistakes_page(figure: Figure, *, coverage: DataFrame) -> None:
    """Draw coverage by what cleaning did and by way of inference, a row per mixture of events.

    Args:
        figure: An empty figure.
        coverage: See :func:`bumpflow.compatibility.experiments.infer_mixtures`.
    """
    mixtures = coverage[["n_background", "n_signal"]].drop_duplicates().to_numpy()
    axes = figure.subplots(len(mixtures), 2, squeeze=False, sharex=True, sharey=True)
    for (left, right), (n_b, n_s) in zip(axes, mixtures, strict=True):
        rows = coverage[(coverage["n_background"] == n_b) & (coverage["n_signal"] == n_s)]
        cleaned, everything = rows[rows["way"] == "cleaned"], rows[rows["kind"] == "all"]
        seen = cleaned[cleaned["n"] >= FEWEST]
        draw_coverage(left, curves=seen, by="kind", styles=KINDS)
        draw_coverage(right, curves=everything, by="way", styles=WAYS)
        _label_kinds(left, cleaned)
        left.set_title(f"{n_s} signal and {n_b} background: what cleaning retains")
        right.set_title(f"{n_s} signal and {n_b} background: all toys, in three ways")
        for ax in (left, right):
            ax.label_outer()
    for style in WAYS.values():
        axes[0, 1].plot([], [], f"{style.marker}-", color=style.color, label=style.label)
    axes[0, 1].legend(loc="lower left")


def _label_kinds(ax: Axes, cleaned: DataFrame) -> None:
    """Say how often cleaning does what, in a legend."""
    n = cleaned.groupby("kind")["n"].first()
    for name, style in KINDS.items():
        share = n.get(name, 0) / max(n.get("all", 0), 1)
        label = f"{style.label}: {100 * share:.0f} % of toys"
        ax.plot([], [], f"{style.marker}-", color=style.color, label=label)
    ax.legend(loc="lower left")
