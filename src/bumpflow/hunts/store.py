"""Keep a trained network with all that is needed to use it, and use it in chunks."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from bumpflow import io
from bumpflow.hunts.networks import Prediction, build_network
from bumpflow.memory import in_chunks

CHUNK = 1 << 15
"""Bins that a network looks at in one go: what fits a processor's cache."""
DEVICE_CHUNK = 1 << 21


class Hunter(NamedTuple):
    """A trained network and what it was trained with.

    Attributes:
        network: The network, in evaluation mode.
        widths: Standard deviations of the signals of its targets [bins].
        n_bins: Smallest and largest number of bins in training.
        counts: Smallest and largest expected entries of a bin in training.
    """

    network: nn.Module
    widths: tuple[float, ...]
    n_bins: tuple[int, int]
    counts: tuple[float, float]


def store_hunter(
    network: nn.Module, block: Mapping[str, Any], spectra: Mapping[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a network's tensors, and the settings that rebuild it.

    Args:
        network: Trained network.
        block: Its block of the configuration.
        spectra: That of the histograms that it was trained with.
    """
    tensors = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
    kept = {key: block[key] for key in ("architecture", "widths")}
    return tensors, kept | {"sizes": dict(block.get("sizes", {})), "spectra": dict(spectra)}


def restore_hunter(
    tensors: Mapping[str, Tensor], settings: Mapping[str, Any], *, device: torch.device
) -> Hunter:
    """Return a stored network, ready for use on ``device``."""
    widths = tuple(float(width) for width in settings["widths"])
    network = build_network(settings["architecture"], widths=widths, **settings["sizes"])
    network.load_state_dict(dict(tensors))
    low, high = settings["spectra"]["n_bins"]
    least, most = settings["spectra"]["counts"]
    return Hunter(network.to(device).eval(), widths, (low, high), (float(least), float(most)))


def load_hunter(path: str | Path, *, device: torch.device) -> Hunter:
    """Read a stored network, ready for use on ``device``.

    Raises:
        DamagedFile: If the file is damaged, or holds another kind of model.
    """
    return io.read_model(path, partial(restore_hunter, device=device))


@torch.no_grad()
def predict(hunter: Hunter, observed: Tensor, *, exposure: Tensor | None = None) -> Prediction:
    """Apply a network to histograms of equal length.

    Args:
        hunter: The network.
        observed: Counts, shape ``(n, n_bins)``.
        exposure: See :meth:`~bumpflow.hunts.networks.LibraryNet.forward`.

    Returns:
        The prediction, on the CPU.
    """
    device = next(hunter.network.parameters()).device
    size = CHUNK if device.type == "cpu" else DEVICE_CHUNK
    n_rows = max(1, size // observed.shape[1])
    exposure = None if exposure is None else exposure.to(device)

    def of_rows(rows: slice) -> list[Tensor]:
        chunk = observed[rows].float().to(device)
        return [part.cpu() for part in hunter.network(chunk, exposure)]

    parts = in_chunks(of_rows, len(observed), n_rows)
    return Prediction(*(torch.cat(pieces) for pieces in zip(*parts, strict=True)))
