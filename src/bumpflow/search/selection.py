"""Score events, weigh generated ones, and train surrogates again to see how much they vary."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from bumpflow.classifiers import NetworkClassifier
from bumpflow.evaluate.reweighting import Reweighter
from bumpflow.flows.density import EventDensity, draw_blocks
from bumpflow.stats.templates import SCORE

Kind = Literal["bootstrap", "replica"]
WEIGHT = "weight"


def score_pieces(
    pieces: Iterable[pd.DataFrame],
    *,
    inputs: Sequence[str],
    classifier: NetworkClassifier,
    reweighter: Reweighter | None = None,
) -> Iterator[pd.DataFrame]:
    """Add the columns ``score`` and ``weight`` to events, piece by piece.

    Args:
        pieces: Events with the columns ``inputs``.
        inputs: Features that the networks take, in their order.
        classifier: Tells signal (score 1) from background (score 0).
        reweighter: Weighs generated events; without it all weights are 1.
    """
    for piece in pieces:
        x = piece[list(inputs)].to_numpy("float32")
        weight = np.ones(len(x)) if reweighter is None else reweighter.weight(x)
        added = {SCORE: classifier.score(x), WEIGHT: weight}
        yield piece.assign(**{name: values.astype("float32") for name, values in added.items()})


def draw_pieces(
    density: EventDensity,
    n: int,
    *,
    block_size: int,
    seed: int,
    device: torch.device,
    blocks: range | None = None,
    context: Tensor | None = None,
) -> Iterator[pd.DataFrame]:
    """Yield generated events block by block (see :func:`draw_blocks`).

    Args:
        density: Trained surrogate, on ``device``.
        n: Number of events.
        block_size: Events in a block.
        seed: Seed of the events.
        device: Where to generate.
        blocks: Numbers of the blocks to draw; all by default.
        context: Observed context features to draw from, shape ``(m, context)``.
    """
    features, names = list(density.settings.features), list(density.settings.context)
    drawn = draw_blocks(
        density,
        n,
        block_size=block_size,
        seed=seed,
        blocks=blocks,
        context=None if context is None else context.to(device),
    )
    for block in drawn:
        yield block.table(features, names)


def member_events(
    kind: Kind,
    observed: Sequence[NDArray],
    *,
    central: EventDensity,
    seed: int,
    block_size: int,
    device: torch.device,
) -> list[NDArray]:
    """Return other events in place of the observed ones, to train a surrogate again.

    Args:
        kind: ``bootstrap`` draws from the observed events with replacement; ``replica`` draws
            new ones from ``central``, which then is the truth that the new surrogate can be
            compared with.
        observed: Samples of events with features and context, each of shape ``(n, columns)``.
        central: The surrogate that was trained on the observed events, on ``device``.
        seed: Seed of the draws.
        block_size: Events drawn at a time.
        device: Where to draw.

    Returns:
        As many events for each sample.
    """
    if kind == "bootstrap":
        rng = np.random.default_rng(seed)
        return [x[rng.integers(len(x), size=len(x))] for x in observed]
    n_features = len(central.settings.features)
    context = torch.from_numpy(np.concatenate(observed)[:, n_features:])
    pieces = draw_pieces(
        central,
        sum(map(len, observed)),
        block_size=block_size,
        seed=seed,
        device=device,
        context=context if central.settings.context else None,
    )
    drawn = np.concatenate([piece.to_numpy("float32") for piece in pieces])
    return np.split(drawn, np.cumsum([len(x) for x in observed])[:-1])
