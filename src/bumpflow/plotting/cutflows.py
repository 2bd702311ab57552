"""What is left of samples after each step of their selection."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from bumpflow.plotting.names import SELECTIONS, ModelStyle

UNITS = (("ab", 1e-3), ("fb", 1.0), ("pb", 1e3), ("nb", 1e6), ("µb", 1e9), ("mb", 1e12))


def cutflow_fractions(record: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Return the share of generated events left after each step, with binomial uncertainties.

    Args:
        record: ``n_generated`` and ``cutflow``, numbers of events by step in their order.
    """
    total = record["n_generated"]
    shares = {"generated": total, **record["cutflow"]}
    found = {}
    for step, count in shares.items():
        share = count / total
        found[step] = share, float(np.sqrt(share * (1 - share) / total))
    return found


def format_crosssection(value_fb: float, error_fb: float) -> str:
    """Return a cross-section with its uncertainty, in the unit that suits it.

    Args:
        value_fb: Cross-section [fb].
        error_fb: Its standard deviation [fb].
    """
    unit, scale = next((one for one in reversed(UNITS) if value_fb >= one[1]), UNITS[0])
    value, error = value_fb / scale, error_fb / scale
    decimals = 2 if error <= 0 else min(max(0, 1 - int(np.floor(np.log10(error)))), 6)
    return f"{value:.{decimals}f} ± {error:.{decimals}f} {unit}"


def draw_cutflows(
    ax: Axes, *, records: Mapping[str, Mapping[str, Any]], styles: Mapping[str, ModelStyle]
) -> None:
    """Draw what is left of each sample after each step of one selection.

    Args:
        ax: Axes to draw into.
        records: By sample, see :func:`cutflow_fractions`; ``selected_fb`` and its uncertainty
            ``selected_error_fb`` go into the legend.
        styles: How each sample is drawn.
    """
    found = {name: cutflow_fractions(record) for name, record in records.items()}
    steps = list(dict.fromkeys(step for shares in found.values() for step in shares))
    for index, (name, shares) in enumerate(found.items()):
        style, record = styles[name], records[name]
        # Beside each other, as samples may be alike.
        places = [steps.index(step) + 0.07 * (index - (len(found) - 1) / 2) for step in shares]
        share, error = (np.array(column) for column in zip(*shares.values(), strict=True))
        share = np.where(share > 0, share, np.nan)
        selected = format_crosssection(record["selected_fb"], record["selected_error_fb"])
        ax.errorbar(
            places,
            share,
            np.minimum(error, 0.99 * share),
            fmt=style.marker,
            color=style.color,
            linestyle="-",
            linewidth=0.9,
            markersize=4.5,
            label=f"{style.label}: {selected}",
        )
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    kept = np.array([share for one in found.values() for share, _ in one.values() if share > 0])
    ax.set_ylim(kept.min() / 4, 1.4 * kept.max())
    ax.set_xlim(-0.5, len(steps) - 0.5)
    names = [step.replace("_", " ") for step in steps]
    ax.set_xticks(range(len(steps)), names, rotation=25, ha="right", rotation_mode="anchor")
    ax.tick_params(axis="x", which="minor", bottom=False, top=False)
    ax.legend(loc="lower left", title="after all steps", alignment="left")


def draw_cutflow_page(
    figure: Figure,
    *,
    records: Mapping[str, Mapping[str, Mapping[str, Any]]],
    styles: Mapping[str, ModelStyle],
) -> None:
    """Draw a panel per kind of selection, with all of its samples.

    Args:
        figure: An empty figure.
        records: By kind, then by sample, see :func:`draw_cutflows`.
        styles: How each sample is drawn.
    """
    rows = -(-len(records) // 2)
    axes = figure.subplots(rows, 2, squeeze=False)
    for ax, (kind, samples) in zip(axes.flat, records.items(), strict=False):
        draw_cutflows(ax, records=samples, styles=styles)
        ax.set_title(SELECTIONS.get(kind, kind))
        ax.set_ylabel("share of generated events")
    for ax in axes.flat[len(records) :]:
        ax.set_axis_off()
