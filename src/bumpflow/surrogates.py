"""What the surrogates' jobs read and record."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor

from bumpflow import io
from bumpflow.chunks import count_blocks, share, write_pieces
from bumpflow.flows.density import EventDensity, draw_blocks, mirror
from bumpflow.train import TrainSettings
from bumpflow.workflow import progress


class Events(NamedTuple):
    """Events of one process and one split.

    Attributes:
        x: Features, shape ``(n, features)``, single precision.
        context: Context features, shape ``(n, context)``, or none.
        names: Names of the features, then of the context features.
    """

    x: Tensor
    context: Tensor | None
    names: tuple[str, ...]

    def first(self, n: int | None) -> "Events":
        """Return the first ``n`` events, or all."""
        context = None if self.context is None else self.context[:n]
        return self._replace(x=self.x[:n], context=context)

    def mirrored(self, columns: Sequence[str]) -> tuple[Tensor, Tensor | None]:
        """Return features and context, with each event's mirror image in the named columns."""
        values = self.x if self.context is None else torch.cat([self.x, self.context], dim=1)
        values = mirror(values, [self.names.index(name) for name in columns])
        n = self.x.shape[1]
        return values[:, :n], None if self.context is None else values[:, n:]


def split_settings(settings: Mapping[str, Any]) -> tuple[int, int | None, TrainSettings]:
    """Return the ensemble's size, the largest number of events, and what a training needs."""
    rest = dict(settings)
    return rest.pop("ensemble"), rest.pop("max_events"), TrainSettings(**rest)


def read_process(
    path: Path, *, split: str, label: int, features: Sequence[str], context: Sequence[str] = ()
) -> Events:
    """Return the events of one process and one split.

    Args:
        path: Events with columns ``label`` and ``split``.
        split: Name of the split.
        label: Which events: 0 background, 1 signal.
        features: Columns to model.
        context: Columns to condition on.

    Raises:
        ValueError: If there are none.
    """
    columns = [*features, *context]
    events = io.read_events(path, features=columns, label=label, splits=[split])
    values = torch.tensor(events)
    n = len(features)
    return Events(values[:, :n], values[:, n:] if context else None, tuple(columns))


def read_context(path: Path, density: EventDensity, *, label: int) -> Tensor | None:
    """Return the context features of the training events, shape ``(n, context)``, or none."""
    names = list(density.settings.context)
    if not names:
        return None
    return torch.tensor(io.read_events(path, features=names, label=label, splits=["train"]))


def training_record(
    density: EventDensity,
    history: pd.DataFrame,
    parts: Mapping[str, Events],
    *,
    device: torch.device,
) -> dict[str, Any]:
    """Return what there is to say about a training.

    Likelihoods are means of minus the log density in physical units [nats per event].
    """
    best = history.loc[history.groupby("member")["validation_loss"].idxmin()]
    seconds = float(history["seconds"].sum())
    n_train = len(parts["train"].x)
    with torch.no_grad():
        nll = {
            name: float(-density.log_prob(part.x.to(device), _on(part.context, device)).mean())
            for name, part in parts.items()
        }
        x, context = parts["validation"].x.to(device), _on(parts["validation"].context, device)
        by_member = -density.member_log_probs(x, context).mean(dim=1)
    return {
        "family": density.settings.family,
        "n_parameters": density.n_parameters,
        "members": density.settings.members,
        "n_train": n_train,
        "epochs": len(history),
        "best_epoch": [int(epoch) for epoch in best["epoch"]],
        "seconds": seconds,
        "events_per_second": n_train * len(history) / seconds,
        "device": device.type,
        **{f"{name}_nll": value for name, value in nll.items()},
        "member_validation_nll": by_member.tolist(),
    }


def _on(tensor: Tensor | None, device: torch.device) -> Tensor | None:
    return None if tensor is None else tensor.to(device)


def draw_process(
    density: EventDensity,
    generated: Path,
    *,
    n_events: int,
    block_size: int,
    chunk: Sequence[int],
    seed: int,
    context: Tensor | None,
) -> dict[str, Any]:
    """Draw a chunk of the events of one process, and write it.

    Args:
        density: Trained surrogate, on its device.
        generated: Parquet file to write.
        n_events: Number of events in all chunks.
        block_size: Events in a block.
        chunk: Number of the chunk, and how many there are.
        seed: Seed of all chunks.
        context: Observed context features to draw from, shape ``(m, context)``, or none.

    Returns:
        Number of events, how many had to be drawn again, and seconds without those of writing.
    """
    blocks = share(count_blocks(n_events, block_size), chunk)
    device = density.lower.device
    drawn = draw_blocks(
        density,
        n_events,
        block_size=block_size,
        seed=seed,
        blocks=blocks,
        context=_on(context, device),
    )
    record: dict[str, Any] = {"n": 0, "n_redrawn": 0, "seconds": 0.0, "device": device.type}

    def tables() -> Iterator[pd.DataFrame]:
        start = time.perf_counter()
        for block in progress(drawn, total=len(blocks)):
            table = block.table(density.settings.features, density.settings.context)
            record["n"] += len(table)
            record["n_redrawn"] += block.n_redrawn
            record["seconds"] += time.perf_counter() - start
            yield table
            start = time.perf_counter()

    write_pieces(generated, tables(), metadata={"source": "drawn from model.safetensors"})
    return record


def sampling_record(chunks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what there is to say about a sampling, from what :func:`draw_process` does of chunks.

    Seconds add up, so the rate is that of one job.
    """
    total = {key: sum(chunk[key] for chunk in chunks) for key in ("n", "n_redrawn", "seconds")}
    rate = {"events_per_second": total["n"] / total["seconds"]}
    return total | rate | {"device": chunks[0]["device"]}
