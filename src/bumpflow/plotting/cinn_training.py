"""How networks that reconstruct mass and lifetime learned."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from pandas import DataFrame

from bumpflow.plotting.alp_posteriors import DARK
from bumpflow.plotting.names import RECONSTRUCTIONS, ModelStyle
from bumpflow.plotting.training import draw_losses, limit_to_descent
from bumpflow.reconstruction.detectors import AMORTISED, PUBLISHED
from bumpflow.reconstruction.scorecard import PUBLISHED_LOSS
from bumpflow.report.numbers import MINUS

LOSSES = {
    AMORTISED: "\u2212ln(posterior / prior) [nat / set]",
    PUBLISHED: "\u2212ln(posterior), standardised [nat / set]",
}
"""Networks in the order of the panels, and what they minimise."""
AUTHORS: dict[str, Any] = {"color": DARK, "linewidth": 1.0, "linestyle": "-."}


def draw_history(ax: Axes, *, history: DataFrame, style: ModelStyle) -> None:
    """Draw training and validation losses of a network.

    Args:
        ax: Axes to draw into.
        history: ``epoch``, ``train_loss`` and ``validation_loss``.
        style: How the network is drawn.
    """
    columns = ("epoch", "train_loss", "validation_loss")
    epochs, train, validation = (history[name].to_numpy(float) for name in columns)
    draw_losses(ax, epochs=[epochs], train=[train], validation=[validation], style=style)
    limit_to_descent(ax, [train, validation])
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    ax.set(xlabel="epoch", xlim=(epochs[0] - 0.5, epochs[-1] + 0.5))


def draw_training_page(figure: Figure, *, histories: Mapping[str, DataFrame]) -> None:
    """Draw losses of the network for all detectors and of the published one.

    Args:
        figure: An empty figure.
        histories: Loss histories by network, :data:`LOSSES`.
    """
    axes = figure.subplots(1, len(LOSSES))
    for ax, (name, label) in zip(axes, LOSSES.items(), strict=True):
        style = RECONSTRUCTIONS[name]
        draw_history(ax, history=histories[name], style=style)
        ax.set_title(style.label.capitalize(), color=style.color)
        ax.set_ylabel(label)
    low, high = axes[1].get_ylim()
    axes[1].axhline(PUBLISHED_LOSS, **AUTHORS)
    room = 0.05 * (max(high, PUBLISHED_LOSS) - min(low, PUBLISHED_LOSS))
    axes[1].set_ylim(min(low, PUBLISHED_LOSS - room), max(high, PUBLISHED_LOSS + room))
    handles = [
        Line2D([], [], color=DARK, label="validation"),
        Line2D([], [], color=DARK, linestyle=":", label="training"),
        Line2D([], [], color=DARK, marker="o", linestyle="", label="weights that are kept"),
        Line2D([], [], label=f"published: {PUBLISHED_LOSS:.2f}".replace("-", MINUS), **AUTHORS),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
