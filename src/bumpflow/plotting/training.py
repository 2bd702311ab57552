"""Loss curves of trained networks and of hyper-parameter scans."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from pandas import DataFrame

from bumpflow.plotting.names import ModelStyle


def draw_losses(
    ax: Axes,
    *,
    epochs: Sequence[NDArray],
    train: Sequence[NDArray],
    validation: Sequence[NDArray],
    style: ModelStyle,
) -> None:
    """Draw training and validation loss of a network, one curve per ensemble member.

    Args:
        ax: Axes to draw into.
        epochs: Epochs of each member, shape ``(n_epochs,)``.
        train: Mean training loss per epoch.
        validation: Validation loss per epoch; its lowest point is marked.
        style: How the model is drawn.
    """
    for x, low, high in zip(epochs, train, validation, strict=True):
        ax.plot(x, low, color=style.color, linestyle=":")
        ax.plot(x, high, color=style.color)
        mark_best(ax, x, high, style)


def draw_validation(
    ax: Axes, *, epochs: Sequence[NDArray], validation: Sequence[NDArray], style: ModelStyle
) -> None:
    """Draw the validation loss of a network, to compare it with others in the same axes.

    Args:
        ax: Axes to draw into.
        epochs: Epochs of each member, shape ``(n_epochs,)``.
        validation: Validation loss per epoch of each member.
        style: How the model is drawn.
    """
    for x, y in zip(epochs, validation, strict=True):
        ax.plot(x, y, color=style.color)
        mark_best(ax, x, y, style)


def mark_best(ax: Axes, epochs: NDArray, loss: NDArray, style: ModelStyle) -> None:
    """Mark the epoch whose weights are kept."""
    if np.isfinite(loss).any():
        best = np.nanargmin(loss)
        ax.plot(
            epochs[best],
            loss[best],
            style.marker,
            color=style.color,
            markersize=5.5,
            markeredgecolor="white",
            markeredgewidth=0.6,
        )


def limit_to_descent(ax: Axes, losses: Sequence[NDArray], *, margin: float = 0.12) -> None:
    """Show where the losses end up; the steep first epochs may leave the frame.

    Args:
        ax: Axes that hold the curves.
        losses: All curves, each of shape ``(n_epochs,)``.
        margin: Space above and below, as a share of the range shown.
    """
    finite = [curve[np.isfinite(curve)] for curve in losses]
    low = min(curve.min() for curve in finite)
    high = max(np.quantile(curve, 0.9) for curve in finite)
    space = margin * max(high - low, 1e-6)
    ax.set_ylim(low - space, high + space)


def draw_scan(
    ax: Axes, *, values: NDArray, losses: NDArray, style: ModelStyle, parameter: str
) -> None:
    """Draw the validation loss against a parameter's value, with the spread over seeds.

    Args:
        ax: Axes to draw into.
        values: Value of the parameter in each training, shape ``(n_trainings,)``.
        losses: Lowest validation loss of each training, shape ``(n_trainings,)``.
        style: How the model is drawn.
        parameter: Name of the parameter.
    """
    steps = np.unique(values)
    groups = [losses[values == step] for step in steps]
    mean = np.array([group.mean() for group in groups])
    spread = np.array([group.std(ddof=1) if len(group) > 1 else 0.0 for group in groups])
    ax.plot(values, losses, "o", color=style.color, alpha=0.35, markersize=3, linewidth=0)
    ax.errorbar(
        steps,
        mean,
        spread,
        fmt=f"-{style.marker}",
        color=style.color,
        capsize=3,
        markersize=5,
        label=style.label,
    )
    ax.set_xlabel(parameter.replace("_", " "))
    ax.set_ylabel("validation loss [nat / event]")


def draw_training_page(
    figure: Figure,
    *,
    histories: Mapping[str, DataFrame],
    styles: Mapping[str, ModelStyle],
    unit: str,
    chance: float | None = None,
) -> None:
    """Compare the validation losses of all models, and set each beside its training loss.

    Args:
        figure: An empty figure.
        histories: Loss history by model, with the columns ``member``, ``epoch``,
            ``train_loss`` and ``validation_loss``.
        styles: How each model is drawn.
        unit: Label of the losses' axis.
        chance: Loss of a network that knows nothing, drawn as a dashed line.
    """
    columns = -(-len(histories) // 2)
    grid = figure.add_gridspec(2, 2 + columns, width_ratios=[1.1, 1.1, *[1] * columns])
    together = figure.add_subplot(grid[:, :2])
    for index, (name, history) in enumerate(histories.items()):
        curves = _split_members(history)
        ax = figure.add_subplot(grid[index // columns, 2 + index % columns])
        draw_validation(together, epochs=curves[0], validation=curves[2], style=styles[name])
        draw_losses(
            ax, epochs=curves[0], train=curves[1], validation=curves[2], style=styles[name]
        )
        _finish_losses(ax, [*curves[1], *curves[2]], chance)
        ax.set_title(styles[name].label, color=styles[name].color)
    losses = [h["validation_loss"].to_numpy() for h in histories.values()]
    _finish_losses(together, losses, chance)
    together.set_ylabel(unit)
    together.set_title("Validation losses of all")
    handles = [
        Line2D([], [], color="#1f2430", label="validation"),
        Line2D([], [], color="#1f2430", linestyle=":", label="training"),
        Line2D([], [], color="#1f2430", marker="o", linestyle="", label="weights that are kept"),
    ]
    if chance is not None:
        handles.append(
            Line2D(
                [],
                [],
                color="#1f2430",
                linestyle="--",
                linewidth=0.8,
                label="a network that knows nothing",
            )
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _split_members(history: DataFrame) -> tuple[list[NDArray], list[NDArray], list[NDArray]]:
    """Return epochs, training and validation losses, one array per ensemble member."""
    members = [member for _, member in history.groupby("member")]
    epochs, train, validation = (
        [member[column].to_numpy() for member in members]
        for column in ("epoch", "train_loss", "validation_loss")
    )
    return epochs, train, validation


def _finish_losses(ax: Axes, losses: Sequence[NDArray], chance: float | None) -> None:
    """Set the range and the label of an axis of losses."""
    limit_to_descent(ax, losses)
    if chance is not None:
        low, high = ax.get_ylim()
        ax.axhline(chance, color="#1f2430", linewidth=0.8, linestyle="--")
        space = 0.05 * max(high - low, abs(chance - low), abs(high - chance))
        ax.set_ylim(min(low, chance - space), max(high, chance + space))
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
