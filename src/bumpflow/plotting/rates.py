"""How fast events are made."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from numpy.typing import NDArray

from bumpflow.plotting.names import ModelStyle


def draw_times(
    ax: Axes,
    *,
    seconds: NDArray,
    styles: Sequence[ModelStyle],
    full_simulation: float,
) -> None:
    """Draw the time per event of each model as bars, below that of full simulation.

    Args:
        ax: Axes to draw into.
        seconds: Time per generated event [s], shape ``(n_models,)``.
        styles: How each model is drawn.
        full_simulation: Time per fully simulated event [s].

    References:
        Gavranovic, Kersevan (2023), https://arxiv.org/abs/2310.08994, table 1
    """
    bars = [(full_simulation, "full simulation", "#8b90a0")]
    bars += [(float(t), s.label, s.color) for t, s in zip(seconds, styles, strict=True)]
    floor = min(time for time, _, _ in bars) / 5
    for row, (time, _, color) in enumerate(bars):
        ax.barh(row, time - floor, left=floor, color=color, height=0.62)
        text = format_duration(time)
        if row > 0:
            text += f"   ({format_factor(full_simulation / time)} times faster)"
        ax.annotate(text, (time, row), (5, 0), textcoords="offset points", va="center", fontsize=9)
    ax.set_xscale("log")
    ax.set_xlim(floor, full_simulation * 30)
    ax.set_yticks(range(len(bars)), [label for _, label, _ in bars])
    ax.set_ylim(len(bars) - 0.4, -0.6)
    ax.tick_params(axis="y", which="both", left=False, right=False)
    ax.set_xlabel("time per event [s]")
    ax.grid(axis="x")


def format_factor(factor: float) -> str:
    """Return a large number with two digits, as a power of ten from 10 000 on."""
    if factor < 1e4:
        return f"{factor:.2g}" if factor < 100 else f"{factor:.0f}"
    digits, power = f"{factor:.1e}".split("e")
    return rf"${digits} \times 10^{{{int(power)}}}$"


def format_duration(seconds: float) -> str:
    """Return a time in the unit that suits it, with three digits."""
    for size, unit in ((60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
