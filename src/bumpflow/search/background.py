"""Generate and score the events of a search, in chunks or as a whole."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import torch

from bumpflow import io
from bumpflow.chunks import count_blocks, share_each, write_pieces
from bumpflow.classifiers import NetworkClassifier, restore_networks
from bumpflow.evaluate import reweighting
from bumpflow.evaluate.reweighting import Reweighter
from bumpflow.flows.density import EventDensity
from bumpflow.search.selection import draw_pieces, score_pieces
from bumpflow.surrogates import read_context
from bumpflow.workflow import derive_seed, progress

GENERATED = "template"
"""Purpose of the generated events that are scored."""


class Judges(NamedTuple):
    """The networks of a search, on their device.

    Attributes:
        classifier: Tells signal from background.
        reweighter: Weighs generated events.
    """

    classifier: NetworkClassifier
    reweighter: Reweighter


class Source(NamedTuple):
    """Events of one file that are scored.

    Attributes:
        path: Their file, with columns ``label`` and ``split``.
        label: Their label in that file.
        stored: The label that they get.
        splits: Their splits.
    """

    path: Path
    label: int
    stored: int
    splits: Sequence[str]


def draw_background(
    density: EventDensity,
    events: Path,
    generated: Path,
    *,
    label: int,
    n_events: Mapping[str, int],
    block_size: int,
    chunk: Sequence[int],
    seed: int,
) -> None:
    """Draw a chunk of the events for all purposes, and write it.

    Args:
        density: Trained surrogate, on its device.
        events: Observed events, whose context features are drawn from.
        generated: Parquet file to write.
        label: Label of the observed events of the process.
        n_events: Number of events by purpose, in all chunks.
        block_size: Events in a block.
        chunk: Number of the chunk, and how many there are.
        seed: Seed of all chunks; each purpose derives its own.
    """
    context = read_context(events, density, label=label)
    counts = [count_blocks(n, block_size) for n in n_events.values()]

    def pieces() -> Iterator[pa.Table]:
        """Yield the drawn events of all purposes, a block at a time."""
        for purpose, blocks in zip(n_events, share_each(counts, chunk), strict=True):
            drawn = draw_pieces(
                density,
                n_events[purpose],
                block_size=block_size,
                seed=derive_seed(seed, purpose),
                device=density.lower.device,
                blocks=blocks,
                context=context,
            )
            for piece in progress(drawn, total=len(blocks)):
                yield io.as_split(piece, purpose, names=[*n_events], label=0)

    write_pieces(generated, pieces(), metadata={"source": "drawn from model.safetensors"})


def load_judges(classifier: Path, reweighter: Path, *, device: torch.device) -> Judges:
    """Read the networks of a search."""
    (network,) = io.read_model(classifier, partial(restore_networks, device=device))
    return Judges(network, io.read_model(reweighter, partial(reweighting.restore, device=device)))


def score_search(
    background: Path,
    signal: Path,
    generated: Path,
    *,
    targets: tuple[Path, Path],
    judges: Judges,
    inputs: Sequence[str],
    labels: Sequence[int],
    splits: Sequence[str],
    chunk: Sequence[int],
) -> None:
    """Score a chunk of Monte Carlo and of generated events, and write both.

    Blocks are the row groups of the files, so that networks see the same events side by side
    whatever the chunks.

    Args:
        background: Monte Carlo events.
        signal: Events with signal; it may be the same file.
        generated: Generated background.
        targets: Files to write: Monte Carlo, and generated events with their weights.
        judges: The networks.
        inputs: Features that they take.
        labels: Labels of background and signal in their files; scored, they are 0 and 1.
        splits: Splits of Monte Carlo to score.
        chunk: Number of the chunk, and how many there are.
    """
    paths = background, signal
    mc = [Source(*one, splits) for one in zip(paths, labels, (0, 1), strict=True)]
    drawn = [Source(generated, 0, 0, [GENERATED])]
    network = judges.classifier
    write_pieces(targets[0], _score_share(mc, network, None, inputs, chunk))
    write_pieces(targets[1], _score_share(drawn, network, judges.reweighter, inputs, chunk))


def _score_share(
    sources: Sequence[Source],
    classifier: NetworkClassifier,
    reweighter: Reweighter | None,
    inputs: Sequence[str],
    chunk: Sequence[int],
) -> Iterator[pa.Table]:
    """Yield the scored events of a chunk's share of the sources' row groups."""
    counts = [io.count_groups(source.path) for source in sources]
    for source, groups in zip(sources, share_each(counts, chunk), strict=True):
        io.check_columns(source.path, inputs)
        columns = [*inputs, "label", "split"]
        for rows in io.read_groups(source.path, progress(groups), columns=columns):
            in_splits = pc.field("split").cast("string").isin(list(source.splits))
            chosen = rows.filter((pc.field("label") == source.label) & in_splits)
            events: list[pd.DataFrame] = [chosen.select(list(inputs)).to_pandas()]
            (scored,) = score_pieces(
                events, inputs=inputs, classifier=classifier, reweighter=reweighter
            )
            stored = np.full(len(scored), source.stored, dtype=np.int8)
            table = pa.Table.from_pandas(scored, preserve_index=False)
            table = table.append_column("label", pa.array(stored))
            yield table.append_column("split", chosen["split"])
