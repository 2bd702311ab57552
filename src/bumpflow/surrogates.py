"""What the surrogates' jobs read and record."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor

from bumpflow import io
from bumpflow.flows.density import EventDensity, mirror
from bumpflow.train import TrainSettings


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
        "device": str(device),
        **{f"{name}_nll": value for name, value in nll.items()},
        "member_validation_nll": by_member.tolist(),
    }


def _on(tensor: Tensor | None, device: torch.device) -> Tensor | None:
    return None if tensor is None else tensor.to(device)


def sampling_record(
    n_events: int, n_redrawn: int, *, seconds: float, device: torch.device
) -> dict[str, Any]:
    """Return what there is to say about a sampling; ``seconds`` excludes writing."""
    return {
        "n": n_events,
        "n_redrawn": n_redrawn,
        "seconds": seconds,
        "events_per_second": n_events / seconds,
        "device": str(device),
    }
