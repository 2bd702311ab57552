"""Trained posteriors of sets as tensors and settings, and back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bumpflow import io
from bumpflow.reconstruction.amortised import SetPosterior
from bumpflow.reconstruction.network import NetworkSettings
from bumpflow.reconstruction.published import PublishedNet, PublishedSettings
from bumpflow.reconstruction.sets import Detectors, Drawing
from bumpflow.simulate.alps.settings import BeamDump


def store_sets(
    posterior: SetPosterior, setup: Mapping[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and settings that :func:`load_sets` rebuilds posteriors from.

    Args:
        posterior: The posteriors.
        setup: The set-up as the configuration has it.
    """
    drawing = posterior.drawing
    settings = {
        "network": vars(posterior.network.settings),
        "setup": dict(setup),
        "detectors": vars(drawing.detectors),
        "n_events": list(drawing.n_events),
    }
    return posterior.network.state_dict(), settings


def load_sets(path: str | Path, *, device: torch.device) -> SetPosterior:
    """Read stored posteriors, ready for use on a device.

    Raises:
        DamagedFile: If the file is damaged, or holds another kind of model.
    """
    posterior = io.read_model(path, _restore_sets)
    posterior.network.to(device).eval()
    return posterior


def _restore_sets(tensors: Mapping[str, Tensor], stored: Mapping[str, Any]) -> SetPosterior:
    """Return posteriors that :func:`store_sets` stored."""
    low, high = stored["n_events"]
    drawing = Drawing(
        BeamDump.from_settings(stored["setup"]),
        Detectors.from_settings(stored["detectors"]),
        (int(low), int(high)),
    )
    posterior = SetPosterior.build(NetworkSettings(**stored["network"]), drawing)
    posterior.network.load_state_dict(tensors)
    return posterior


def store_published(network: PublishedNet) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and settings that :func:`load_published` rebuilds a network from."""
    return network.state_dict(), vars(network.settings)


def load_published(path: str | Path, *, device: torch.device) -> PublishedNet:
    """Read a stored published network, ready for use on a device.

    Raises:
        DamagedFile: If the file is damaged, or holds another kind of model.
    """
    return io.read_model(path, _restore_published).to(device).eval()


def _restore_published(tensors: Mapping[str, Tensor], settings: Mapping[str, Any]) -> PublishedNet:
    """Return a network that :func:`store_published` stored."""
    network = PublishedNet(PublishedSettings(**settings))
    network.load_state_dict(tensors)
    return network
