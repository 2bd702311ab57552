"""What a hunt says of observed pairs of photons, on one page as figure 2 of its paper.

References:
    Chathirathas et al. (2024), https://arxiv.org/abs/2407.20329
"""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray
from pandas import DataFrame

from bumpflow.plotting.hunt_scan import format_power
from bumpflow.plotting.names import SPARE_COLORS, ModelStyle
from bumpflow.plotting.scans import label_plainly
from bumpflow.report.numbers import DASH

MASS_LABEL = r"ALP mass $m_a$ [GeV]"
DIPHOTON_LABEL = r"diphoton mass $m_{\gamma\gamma}$ [GeV]"
DENSITY_LABEL = r"density in $\log_{10}(m_a / \mathrm{GeV})$"
CLEANED = ModelStyle("retained events combined", "#1f2430", "o")
MARGINAL = ModelStyle("averaged over which events are signal", "#bd1f01", "s")
PRIOR = ModelStyle("prior", "#8b90a0", "")
REMOVED_COLOR = "#8b90a0"
THRESHOLD = {"color": "#3a3f4a", "linewidth": 1.0, "linestyle": "--"}
TRUTH = {"color": "#2a8a6c", "linewidth": 1.1, "linestyle": ":"}
UNIT_LIMITS = (-0.04, 1.04)
"""Axis of numbers from 0 to 1 that leaves room for markers."""
MOST_WRITTEN = 8
"""Events up to which the scores of pairs are written into their cells."""
MOST_IN_LEGEND = 10
"""Events up to which each has an entry in a legend."""
MOST_TICKS = 12
"""Events up to which each is labelled on an axis."""


def event_color(event: int) -> str:
    """Return the colour of an event; they repeat."""
    return SPARE_COLORS[event % len(SPARE_COLORS)]


def draw_event_posteriors(ax: Axes, *, posterior: DataFrame, retained: NDArray) -> None:
    """Draw the posterior of each event; those of removed events are dashed.

    Args:
        ax: Axes to draw into.
        posterior: One row per mass: ``log10_mass``, ``event_0``, ``event_1``, ...
        retained: Which events cleaning leaves, shape ``(n_events,)``.
    """
    mass = 10 ** posterior["log10_mass"].to_numpy(float)
    for event, kept in enumerate(retained):
        ax.plot(
            mass,
            posterior[f"event_{event}"],
            color=event_color(event),
            linestyle="-" if kept else "--",
            label=f"event {event}",
        )
    _limit_masses(ax, mass)
    ax.set_ylabel(DENSITY_LABEL)
    if len(retained) <= MOST_IN_LEGEND:
        ax.legend(fontsize=8, ncols=1 + (len(retained) > 5), loc="best")


def _limit_masses(ax: Axes, mass: NDArray) -> None:
    """Show all masses on a logarithmic axis, and densities from 0."""
    ax.set_xscale("log")
    ax.set_xlim(mass[0], mass[-1])
    ax.set_ylim(0, 1.12 * ax.dataLim.ymax)
    label_plainly(ax.xaxis)
    ax.set_xlabel(MASS_LABEL)


def draw_pair_scores(ax: Axes, *, pairs: DataFrame, n_events: int) -> Artist:
    """Draw the compatibility of all pairs as a matrix.

    Args:
        ax: Axes to draw into.
        pairs: One row per pair: ``first``, ``second`` and ``score``.
        n_events: Number of events.

    Returns:
        The matrix, for a colour bar.
    """
    scores = np.full((n_events, n_events), np.nan)
    first, second = pairs["first"].to_numpy(int), pairs["second"].to_numpy(int)
    scores[first, second] = scores[second, first] = pairs["score"].to_numpy(float)
    edges = np.arange(n_events + 1) - 0.5
    drawn = ax.pcolormesh(edges, edges, np.ma.masked_invalid(scores), cmap="Blues", vmin=0, vmax=1)
    if n_events <= MOST_WRITTEN:
        for i, j in np.argwhere(np.isfinite(scores)):
            value = scores[i, j]
            color = "white" if value > 0.6 else "#1f2430"
            ax.text(j, i, f"{value:.2f}", ha="center", va="center", color=color, fontsize=8.5)
    ax.set_ylim(n_events - 0.5, -0.5)
    ticks = _event_ticks(n_events)
    ax.set(xlabel="event", ylabel="event", xticks=ticks, yticks=ticks, aspect="equal")
    ax.tick_params(which="minor", length=0)
    if n_events == 1:
        _say(ax, "a single event:\nno pairs")
    return drawn


def _event_ticks(n_events: int) -> list[int]:
    """Return which events get a label on an axis."""
    return list(range(0, n_events, -(-n_events // MOST_TICKS)))


def draw_mean_compatibility(ax: Axes, *, events: DataFrame, threshold: float) -> None:
    """Draw each event's mean compatibility with all others before cleaning.

    Args:
        ax: Axes to draw into.
        events: One row per event: ``mean_compatibility`` (NaN for the only event), ``retained``.
        threshold: Threshold of cleaning.
    """
    if len(events) == 1:
        _say(ax, "a single event:\nnothing to compare with")
    _draw_events(ax, events, events["mean_compatibility"].to_numpy(float))
    ax.axhline(threshold, **cast("Any", THRESHOLD))
    ax.set_ylabel("mean compatibility with all others")


def draw_cleaning(ax: Axes, *, events: DataFrame, threshold: float) -> None:
    """Draw the threshold at which cleaning removes each event.

    Args:
        ax: Axes to draw into.
        events: One row per event: ``level`` (infinite for the only event) and ``retained``.
        threshold: Threshold of cleaning.
    """
    level = np.minimum(events["level"].to_numpy(float), 1.0)
    for event, (top, kept) in enumerate(zip(level, events["retained"], strict=True)):
        color = event_color(event) if kept else REMOVED_COLOR
        ax.bar(event, top, width=0.6, color=color, alpha=0.25, edgecolor="none")
    _draw_events(ax, events, level)
    ax.axhline(threshold, **cast("Any", THRESHOLD))
    ax.set_ylabel("threshold that removes the event")


def _draw_events(ax: Axes, events: DataFrame, values: NDArray) -> None:
    """Draw a value per event; markers of removed events are open."""
    for event, (value, kept) in enumerate(zip(values, events["retained"], strict=True)):
        _mark(ax, event, float(value), event=event, kept=bool(kept))
    ax.set(xlim=(-0.6, len(events) - 0.4), ylim=UNIT_LIMITS, xlabel="event")
    ax.set_xticks(_event_ticks(len(events)))
    ax.tick_params(axis="x", which="minor", bottom=False, top=False)


def _mark(ax: Axes, x: float, y: float, *, event: int, kept: bool) -> None:
    color = event_color(event)
    face = color if kept else "white"
    ax.plot(x, y, "o", color=color, markerfacecolor=face, markersize=6.5, clip_on=False, zorder=3)


def _say(ax: Axes, text: str) -> None:
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color="#6b7080")


def draw_signal_probabilities(ax: Axes, *, events: DataFrame, limits: tuple[float, float]) -> None:
    """Draw each event's probability to be signal against its diphoton mass.

    Args:
        ax: Axes to draw into.
        events: One row per event: ``diphoton_mass_gev``, ``signal_probability``, ``retained``.
        limits: Masses to show [GeV]; events beyond are drawn at the edge.
    """
    columns = ("diphoton_mass_gev", "signal_probability", "retained")
    rows = zip(*(events[name] for name in columns), strict=True)
    for event, (mass, probability, kept) in enumerate(rows):
        shown = float(np.clip(mass, *limits))
        _mark(ax, shown, float(probability), event=event, kept=bool(kept))
        if len(events) <= MOST_IN_LEGEND:
            ax.annotate(str(event), (shown, probability), (6, 3), textcoords="offset points")
    ax.set_xscale("log")
    ax.set(xlim=limits, ylim=UNIT_LIMITS, xlabel=DIPHOTON_LABEL)
    ax.set_ylabel("probability to be signal")
    label_plainly(ax.xaxis)


def draw_combined(ax: Axes, *, posterior: DataFrame, mass: Mapping[str, Any]) -> None:
    """Draw the posteriors of all events together, with the intervals of the marginal one.

    Args:
        ax: Axes to draw into.
        posterior: One row per mass: ``log10_mass``, ``prior``, ``combined`` and ``marginal``.
        mass: Numbers of ``cleaned``, None if no event is left, and ``marginal``: ends of
            intervals such as ``low68_gev``.
    """
    masses = 10 ** posterior["log10_mass"].to_numpy(float)
    for level, alpha in ((95, 0.10), (68, 0.18)):
        low, high = (mass["marginal"][f"{end}{level}_gev"] for end in ("low", "high"))
        inside = (masses >= low) & (masses <= high)
        density = posterior["marginal"].to_numpy(float)
        ax.fill_between(
            masses, density, where=inside, color=MARGINAL.color, alpha=alpha, linewidth=0
        )
    ax.plot(masses, posterior["prior"], color=PRIOR.color, linewidth=1.0, linestyle="-.")
    ax.plot(masses, posterior["marginal"], color=MARGINAL.color)
    if mass["cleaned"] is not None:
        ax.plot(masses, posterior["combined"], color=CLEANED.color)
    _limit_masses(ax, masses)
    ax.set_xlim(*_zoom(masses, mass))
    label_plainly(ax.xaxis)
    ax.set_ylabel(DENSITY_LABEL)


def _zoom(masses: NDArray, mass: Mapping[str, Any]) -> tuple[float, float]:
    """Return masses [GeV] around all 95 % intervals."""
    known = [numbers for numbers in mass.values() if numbers is not None]
    low = np.log10(min(numbers["low95_gev"] for numbers in known))
    high = np.log10(max(numbers["high95_gev"] for numbers in known))
    margin = 0.6 * (high - low)
    ends = np.clip(10 ** np.array([low - margin, high + margin]), masses[0], masses[-1])
    return float(ends[0]), float(ends[1])


def describe_mass(numbers: Mapping[str, float] | None) -> str:
    """Return a mass with its 68 % interval, or a dash if no event is left."""
    if numbers is None:
        return DASH
    best, low, high = (numbers[f"{name}_gev"] for name in ("mass", "low68", "high68"))
    digits = max(0, 1 - int(np.floor(np.log10(max(min(best - low, high - best), 1e-9)))))
    texts = (f"{value:.{digits}f}" for value in (best, high - best, best - low))
    return "${}^{{+{}}}_{{-{}}}$ GeV".format(*texts)


def describe_hunts(hunts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the p-value and both significances of each hunt, one per line."""
    lines = []
    for name, row in hunts.items():
        below, above = ("<", ">") if row["is_bound"] else ("=", "=")
        z = f"{row['z_one_sided']:.1f} (two-sided {row['z_two_sided']:.1f})"
        lines.append(f"{name}: $p$ {below} {format_power(row['p'])}, $Z$ {above} {z}")
    return "\n".join(lines)


def draw_analysis_page(
    figure: Figure,
    *,
    events: DataFrame,
    pairs: DataFrame,
    posterior: DataFrame,
    summary: Mapping[str, Any],
    true_mass_gev: float | None = None,
) -> None:
    """Draw posteriors, compatibilities, cleaning, and what follows from all events.

    Args:
        figure: An empty figure.
        events: Table of events of :class:`bumpflow.compatibility.observed.Analysis`.
        pairs: Its table of pairs.
        posterior: Its table of posteriors.
        summary: Its summary.
        true_mass_gev: True mass [GeV], if known.
    """
    (first, second, third), (fourth, fifth, sixth) = figure.subplots(2, 3)
    threshold, mass = summary["threshold"], summary["mass"]
    retained = events["retained"].to_numpy(bool)
    draw_event_posteriors(first, posterior=posterior, retained=retained)
    drawn = draw_pair_scores(second, pairs=pairs, n_events=len(events))
    figure.colorbar(cast("Any", drawn), ax=second, label="compatibility", pad=0.02)
    draw_mean_compatibility(third, events=events, threshold=threshold)
    draw_cleaning(fourth, events=events, threshold=threshold)
    prior = 10 ** posterior["log10_mass"].to_numpy(float)[[0, -1]]
    draw_signal_probabilities(fifth, events=events, limits=(prior[0] / 2, prior[1] * 1.5))
    draw_combined(sixth, posterior=posterior, mass=mass)
    panels = {
        first: "Posteriors of events",
        second: "Pairs",
        third: "Before cleaning",
        fourth: f"Cleaning retains {len(summary['retained'])} of {len(events)}",
        fifth: f"Expected signal: {summary['n_signal']:.1f} events",
        sixth: "Mass",
    }
    for ax, title in panels.items():
        ax.set_title(title)
    if true_mass_gev is not None:
        for ax in (first, fifth, sixth):
            ax.axvline(true_mass_gev, **cast("Any", TRUTH))
    text = describe_hunts(summary["hunts"])
    if text:
        figure.suptitle(text, x=0.01, ha="left", fontsize=10)
    figure.legend(
        handles=_handles(mass, known=true_mass_gev is not None),
        loc="outside lower center",
        ncols=4,
    )


def _handles(mass: Mapping[str, Any], *, known: bool) -> list[Artist]:
    """Return the legend of the page."""
    dark = CLEANED.color
    handles: list[Artist] = [
        Line2D([], [], color=dark, marker="o", linestyle="", label="retained event"),
        Line2D(
            [], [], color=dark, marker="o", markerfacecolor="white", linestyle="",
            label="removed event",
        ),
        Line2D([], [], label="threshold", **cast("Any", THRESHOLD)),
        Line2D([], [], color=PRIOR.color, linestyle="-.", label=PRIOR.label),
        Line2D([], [], color=dark, label=f"{CLEANED.label}: {describe_mass(mass['cleaned'])}"),
        Line2D(
            [], [], color=MARGINAL.color,
            label=f"{MARGINAL.label}: {describe_mass(mass['marginal'])}",
        ),
        Patch(color=MARGINAL.color, alpha=0.25, linewidth=0, label="its 68 and 95 % intervals"),
    ]  # fmt: skip
    if known:
        handles.append(Line2D([], [], label="true mass", **cast("Any", TRUTH)))
    return handles
