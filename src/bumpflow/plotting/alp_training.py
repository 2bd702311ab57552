"""How networks for hunts of compatible events learned."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from pandas import DataFrame

from bumpflow.compatibility.settings import ECO, EPO_CONV
from bumpflow.plotting.alp_posteriors import DARK
from bumpflow.plotting.names import HUNTS, POSTERIORS, ModelStyle
from bumpflow.plotting.training import draw_losses, limit_to_descent

NETWORKS = {
    "posterior": ModelStyle("posterior (ours)", POSTERIORS["mass"].color, "o"),
    "ratio": ModelStyle("posterior (as published)", POSTERIORS["published"].color, "^"),
    ECO: HUNTS[ECO],
    EPO_CONV: HUNTS[EPO_CONV],
}
"""Networks in the order of the panels."""
CLASSIFIERS = ("ratio", ECO, EPO_CONV)
"""Those whose loss is a cross entropy of two classes of equal size."""


def draw_network(ax: Axes, *, history: DataFrame, name: str) -> None:
    """Draw training and validation losses of a network, one curve per member.

    Args:
        ax: Axes to draw into.
        history: ``epoch``, ``train_loss``, ``validation_loss`` and, of ensembles, ``member``.
        name: Key of :data:`NETWORKS`.
    """
    table = history if "member" in history else history.assign(member=0)
    members = [part for _, part in table.groupby("member")]
    columns = ("epoch", "train_loss", "validation_loss")
    epochs, train, validation = ([part[c].to_numpy() for part in members] for c in columns)
    draw_losses(ax, epochs=epochs, train=train, validation=validation, style=NETWORKS[name])
    limit_to_descent(ax, [*train, *validation])
    if name in CLASSIFIERS:
        ax.axhline(np.log(2), color=DARK, linewidth=0.8, linestyle="--")
        low, high = ax.get_ylim()
        ax.set_ylim(low, max(high, np.log(2) + 0.05 * (np.log(2) - low)))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def draw_training_page(
    figure: Figure, *, histories: Mapping[str, Mapping[str, DataFrame]]
) -> None:
    """Draw losses of all networks, a row per resolution.

    Args:
        figure: An empty figure.
        histories: Loss histories by resolution and network.
    """
    axes = figure.subplots(len(histories), len(NETWORKS), squeeze=False, sharex="col")
    for line, (resolution, tables) in zip(axes, histories.items(), strict=True):
        for ax, (name, style) in zip(line, NETWORKS.items(), strict=True):
            draw_network(ax, history=tables[name], name=name)
            ax.set_title(f"{style.label}, {resolution} resolution", color=style.color)
        line[0].set_ylabel("\u2212ln(posterior / prior) [nat / event]")
        line[1].set_ylabel("binary cross entropy [nat]")
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
    handles = [
        Line2D([], [], color=DARK, label="validation"),
        Line2D([], [], color=DARK, linestyle=":", label="training"),
        Line2D([], [], color=DARK, marker="o", linestyle="", label="weights that are kept"),
        Line2D(
            [], [], color=DARK, linewidth=0.8, linestyle="--", label="a network that knows nothing"
        ),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
