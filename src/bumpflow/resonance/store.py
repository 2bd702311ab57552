"""Mass shapes and densities of a measurement as files hold them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from bumpflow import io
from bumpflow.resonance.densities import load_densities
from bumpflow.resonance.events import LABEL
from bumpflow.resonance.scoring import Component, Densities, Systematic
from bumpflow.resonance.settings import BACKGROUND_PART, SIGNAL_PART, varied_part
from bumpflow.resonance.shapes import BackgroundShape, DoubleCrystalBall, MassModel, Window

COMPONENT, ROLE = "component", "role"
TRAIN, FIT, TEST = "train", "fit", "test"
"""What events are for: training, the data sets to fit, and checks."""


class Measurement(NamedTuple):
    """All that a fit needs beside data.

    Attributes:
        densities: Feature densities.
        masses: Shapes in mass.
        theta: The background's shape as fitted to the first data set, ``(order,)``.
        others: Expected events of further components, and their standard deviations.
    """

    densities: Densities
    masses: MassModel
    theta: NDArray[np.float64]
    others: tuple[tuple[float, float], ...]


def masses_of(shapes: Mapping[str, Any], block: Mapping[str, Any]) -> MassModel:
    """Return the mass shapes that a record of them and a measurement's settings describe."""
    window, region = (Window(*block[key]) for key in ("window_gev", "signal_region_gev"))
    chosen = shapes["background"]
    background = BackgroundShape(chosen["series"], chosen["order"], window)
    return MassModel(DoubleCrystalBall(**shapes["peaks"][SIGNAL_PART]), background, region)


def load_measurement(
    shapes: Path, parts: Sequence[Path], block: Mapping[str, Any], *, device: torch.device
) -> Measurement:
    """Read a measurement's shapes and densities.

    Args:
        shapes: Record of the mass shapes.
        parts: Files of densities, each named by what it describes.
        block: The measurement's settings.
        device: Where to evaluate densities.
    """
    record = io.read_json(shapes)
    masses = masses_of(record, block)
    trained = {path.stem: load_densities(path, device=device) for path in parts}
    chosen = block["systematics"]
    systematics = [Systematic.from_config(name, one) for name, one in chosen.items()]

    def varied(component: str) -> dict[str, Any]:
        """Return a component's densities with each trained systematic up and down."""
        names = [
            name
            for name, one in chosen.items()
            if one["trained"] and component in one["components"]
        ]
        return {
            name: tuple(trained[varied_part(component, name, nu)][0] for nu in (1, -1))
            for name in names
        }

    def component(name: str) -> Component:
        peak = DoubleCrystalBall(**record["peaks"][name])
        return Component(trained[name][0], peak, varied(name) if name == SIGNAL_PART else {})

    densities = Densities(
        trained[BACKGROUND_PART],
        component(SIGNAL_PART),
        masses.window,
        others=[component(name) for name in block["others"]],
        systematics=systematics,
        background_varied=varied(BACKGROUND_PART),
    )
    others = tuple((one["expected"], one["uncertainty"]) for one in block["others"].values())
    return Measurement(densities, masses, np.array(record["background"]["theta"]), others)


def tensors_of(
    table: pd.DataFrame, features: Sequence[str], mass: str, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return features ``(n, features)`` and masses ``(n,)`` of events, in double precision."""
    values = torch.tensor(table[[*features, mass]].to_numpy(float), device=device)
    return values[:, :-1], values[:, -1]


def data_tables(events: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the data sets to fit."""
    data = events[(events[COMPONENT] == "data") & (events[ROLE] == FIT)]
    return [part for _, part in data.groupby("dataset", sort=True)]


def training_table(
    events: pd.DataFrame,
    part: Mapping[str, Any],
    *,
    mass: str,
    contaminated: bool,
    max_events: int | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the events that a density is trained on.

    Args:
        events: All events of a measurement.
        part: What to train, see :func:`bumpflow.resonance.settings.part_settings`.
        mass: Column of the resonance variable.
        contaminated: Whether data keep the signal that is among them, where that is known.
        max_events: Take at most so many, at random.
        seed: Seed of that choice.

    Raises:
        ValueError: If the truth is asked for where data have no labels.
    """
    chosen = _training_events(events, part, mass=mass, contaminated=contaminated)
    if max_events is None or len(chosen) <= max_events:
        return chosen
    return chosen.sample(max_events, random_state=seed)


def _training_events(
    events: pd.DataFrame, part: Mapping[str, Any], *, mass: str, contaminated: bool
) -> pd.DataFrame:
    component, everywhere = part["component"], part["everywhere"]
    if component != BACKGROUND_PART:
        chosen = events[events[COMPONENT] == component]
        return chosen if everywhere else chosen[chosen[ROLE] == TRAIN]
    data = events[events[COMPONENT] == "data"]
    if everywhere:
        if (data[LABEL] < 0).any():
            msg = (
                "experiments with a known truth need simulated background, but these are data:"
                " set hisigma.experiments.replicas to 0"
            )
            raise ValueError(msg)
        return data[data[LABEL] == 0]
    roles = data[ROLE] == TRAIN
    data = data[roles] if roles.any() else data
    data = data[~Window(*part["gap_gev"]).holds(data[mass].to_numpy())]
    return data if contaminated else data[data[LABEL] < 1]


def unseen_background(events: pd.DataFrame, *, mass: str, signal_region: Window) -> pd.DataFrame:
    """Return background events that no density was trained on.

    Of data without labels these are the events beside the signal region, which the densities for
    the closure of its edges leave out.
    """
    data = events[(events[COMPONENT] == "data") & (events[ROLE] != TRAIN)]
    known = data[data[LABEL] == 0]
    return data[~signal_region.holds(data[mass].to_numpy())] if known.empty else known
