"""Surrogates that are trained again on other events, for what their training leaves uncertain."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from bumpflow.classifiers import restore_networks
from bumpflow.evaluate.reweighting import ReweightingSettings, train_reweighter
from bumpflow.flows.density import DensitySettings, EventDensity, fit_density
from bumpflow.search.arms import count_samples
from bumpflow.search.selection import WEIGHT, Kind, draw_pieces, member_events, score_pieces
from bumpflow.stats.templates import SCORE
from bumpflow.surrogates import Events, split_settings
from bumpflow.workflow import derive_seed


class Member(NamedTuple):
    """A surrogate that was trained again.

    Attributes:
        density: The surrogate.
        history: Losses, one row per epoch.
        templates: Templates of samples ``surrogate`` and ``reweighted``.
    """

    density: EventDensity
    history: pd.DataFrame
    templates: pd.DataFrame


def train_member(
    kind: Kind,
    observed: Sequence[NDArray],
    *,
    central: EventDensity,
    classifier: tuple[Mapping[str, Tensor], Mapping[str, Any]],
    mirror: Sequence[str],
    settings: Mapping[str, Any],
    observables: Mapping[str, Any],
    cut: float,
    checkpoints: Path,
    seed: int,
    device: torch.device,
) -> Member:
    """Do all that was done for a surrogate again, with other events in place of the observed.

    The classifier of the selection stays as it is: it belongs to the analysis.

    Args:
        kind: Where the other events come from, see :func:`member_events`.
        observed: Monte Carlo events to train with, to validate with and to learn weights from,
            features and context, each of shape ``(n, columns)``.
        central: The surrogate that was trained on them.
        classifier: Stored classifier of the selection.
        mirror: Columns whose common change of sign makes mirror images.
        settings: ``training`` of the density, ``reweighting``, and the numbers of events
            ``n_template``, ``n_reweighting`` and ``block_size``.
        observables: The configuration block of the same name.
        cut: Lowest score of selected events.
        checkpoints: Folder from which a killed training resumes.
        seed: Seed of everything random.
        device: Where to train and generate.
    """
    chosen = central.settings
    size = settings["block_size"]
    others = member_events(
        kind,
        observed,
        central=central,
        seed=derive_seed(seed, "events"),
        block_size=size,
        device=device,
    )
    density, history = _train_density(
        chosen, others[:2], mirror, settings["training"], checkpoints, seed=seed, device=device
    )
    context = torch.from_numpy(others[0][:, len(chosen.features) :]) if chosen.context else None

    def draw(purpose: str, n: int) -> Any:  # noqa: ANN401
        own = derive_seed(seed, purpose)
        return draw_pieces(density, n, block_size=size, seed=own, device=device, context=context)

    generated = np.concatenate(
        [piece.to_numpy("f4") for piece in draw("weights", settings["n_reweighting"])]
    )
    reweighter, _ = train_reweighter(
        others[2],
        generated,
        settings=ReweightingSettings.from_config(settings["reweighting"]),
        seed=derive_seed(seed, "reweighter"),
        device=device,
    )
    (network,) = restore_networks(*classifier, device=device)
    names = [*chosen.features, *chosen.context]

    pieces = score_pieces(
        draw("template", settings["n_template"]),
        inputs=names,
        classifier=network,
        reweighter=reweighter,
    )
    needed = [SCORE, WEIGHT, *(block["column"] for block in observables.values())]
    scored = [piece[list(dict.fromkeys(needed))] for piece in pieces]
    counted = count_samples(
        {"surrogate": scored, "reweighted": scored}, observables=observables, cut=cut
    )
    return Member(density, history, counted.templates)


def _train_density(
    chosen: DensitySettings,
    events: Sequence[NDArray],
    mirror: Sequence[str],
    settings: Mapping[str, Any],
    checkpoints: Path,
    *,
    seed: int,
    device: torch.device,
) -> tuple[EventDensity, pd.DataFrame]:
    """Train a density of the chosen kind; settings may ask for another number of flows."""
    ensemble, max_events, steps = split_settings(settings)
    density = EventDensity(DensitySettings(**{**vars(chosen), "members": ensemble}), seed=seed)
    train, validation = (_as_events(x, chosen) for x in events)
    history = fit_density(
        density,
        train=train.first(max_events).mirrored(mirror),
        validation=validation.mirrored(mirror),
        settings=steps,
        seed=seed,
        device=device,
        checkpoints=checkpoints,
    )
    return density, history


def _as_events(x: NDArray, chosen: DensitySettings) -> Events:
    """Return an array of features and context as events."""
    values, n = torch.from_numpy(x), len(chosen.features)
    names = (*chosen.features, *chosen.context)
    return Events(values[:, :n], values[:, n:] if chosen.context else None, names)
