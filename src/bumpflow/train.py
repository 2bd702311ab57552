"""The one training loop, for every network of the project."""

import hashlib
import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn

from bumpflow import io
from bumpflow.disk import remove_parts
from bumpflow.memory import MemoryTooSmall, halved, in_chunks, is_out_of_memory
from bumpflow.workflow import derive_seed, progress

log = logging.getLogger(__name__)

BatchLoss = Callable[..., Tensor]
VALIDATION_CHUNK = 16_384
DEVICE_SHARE = 0.5
REACHED = ("best_loss", "best_epoch", "history")
CHECKPOINT_SECONDS = float(os.environ.get("BUMPFLOW_CHECKPOINT_SECONDS", "20"))


class TrainingDiverged(RuntimeError):
    """The loss is no longer a number."""


class Stream(NamedTuple):
    """Events that are made while they are trained with, or validated with.

    Attributes:
        batches: Function of the epoch that yields its batches; the same ones each time that it
            is asked for the same epoch.
        steps: Batches per epoch.
        name: Text that tells this stream from others.
    """

    batches: Callable[[int], Iterable[Sequence[Tensor]]]
    steps: int
    name: str


Events = Sequence[Tensor] | Stream


@dataclass(frozen=True)
class TrainSettings:
    """Settings of one training.

    Attributes:
        learning_rate: Highest step size of Adam.
        batch_size: Events per step.
        max_epochs: Passes through the training events at most.
        patience: Epochs without a better validation loss before stopping.
        weight_decay: L2 penalty of Adam.
        clip_norm: Largest norm of a gradient.
        restart_epochs: Period of the cosine schedule [epochs]; none keeps the rate constant.
        epoch_decay: Factor on the learning rate after each epoch.
        mixed_precision: Whether to compute in bfloat16 on CUDA.
    """

    learning_rate: float
    batch_size: int
    max_epochs: int
    patience: int
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    restart_epochs: float | None = 1.0
    epoch_decay: float = 1.0
    mixed_precision: bool = False


def fit(
    model: nn.Module,
    batch_loss: BatchLoss,
    *,
    train: Events,
    validation: Events,
    settings: TrainSettings,
    seed: int,
    device: torch.device,
    checkpoint: Path | None = None,
    finished: Path | None = None,
    whole_batches: bool = False,
) -> pd.DataFrame:
    """Train a network and leave it with its best weights.

    Adam follows a cosine schedule with warm restarts, stepped per batch, whose height decays
    per epoch. Training stops when the validation loss has not improved for ``patience``
    epochs. Every epoch's random stream depends on ``seed`` and its number alone, so a
    training that was killed and resumed ends, on a CPU, with the weights of one that was not.

    A batch that does not fit in the memory is taken in halves, quarters, ... from then on, whose
    gradients add up to its own, so that weights change by rounding alone (and by other random
    numbers in dropout).

    Args:
        model: Network, on any device; it ends on ``device``.
        batch_loss: Function of the model and a batch of each tensor; it returns one loss per
            event, shape ``(batch,)``.
        train: Training events, tensors of equal length, or a stream of them; a stream makes
            its own batches.
        validation: Validation events, likewise; of a stream the first epoch.
        settings: Settings of the training.
        seed: Seed of shuffling and dropout.
        device: Where to train. Events move there at once if they fit, else batch by batch.
        checkpoint: File to resume from and to keep up to date; removed at the end.
        finished: File for the final state, from which a repeated call returns at once; for
            jobs that train several networks.
        whole_batches: Whether an event's loss depends on the others of its batch, which must not
            be taken in parts then; that of a network with batch normalisation always does.

    Returns:
        One row per epoch: ``epoch``, ``train_loss``, ``validation_loss``, ``learning_rate``
        (its highest), ``seconds``.

    Raises:
        MemoryTooSmall: If not even one event at a time fits in the memory, or a batch that must
            not be taken in parts does not.
        TrainingDiverged: If the loss stops being finite.
        ValueError: If there are no events to train or to validate with.

    References:
        Loshchilov, Hutter (2016), https://arxiv.org/abs/1608.03983
    """
    _check_events(train, validation)
    fingerprint = _fingerprint(model, train, settings, seed)
    train, validation = _to_device(train, device), _to_device(validation, device)
    run = _Training(model.to(device), batch_loss, settings=settings, seed=seed, device=device)
    run.whole_batches |= whole_batches
    run.resume(finished, fingerprint) or run.resume(checkpoint, fingerprint)
    saved = time.monotonic()
    for _ in progress(range(len(run.history), settings.max_epochs)):
        if run.is_stale():
            break
        run.do_epoch(train, validation)
        if checkpoint is not None and time.monotonic() - saved > CHECKPOINT_SECONDS:
            run.save(checkpoint, fingerprint)
            saved = time.monotonic()
    if finished is not None:
        run.save(finished, fingerprint)
    model.load_state_dict(run.best)
    model.eval()
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
        remove_parts(checkpoint)
    return pd.DataFrame(run.history).astype({"epoch": "int64"})


def evaluate(
    model: nn.Module, batch_loss: BatchLoss, events: Events, *, device: torch.device
) -> float:
    """Return the mean loss over events, with the model in evaluation mode."""
    model.eval()
    total, n_events = 0.0, 0
    batches = events.batches(0) if isinstance(events, Stream) else [events]

    def loss_of(batch: Sequence[Tensor], rows: slice) -> float:
        part = [tensor[rows].to(device) for tensor in batch]
        return batch_loss(model, *part).double().sum().item()

    with torch.no_grad():
        for batch in batches:
            n_events += len(batch[0])
            for loss in in_chunks(partial(loss_of, batch), len(batch[0]), VALIDATION_CHUNK):
                total += loss
    return total / n_events


def learning_rate_factor(step: int, *, epoch_steps: int, settings: TrainSettings) -> float:
    """Return the learning rate of a step over its highest value.

    Args:
        step: Steps done since the start of the training.
        epoch_steps: Steps per epoch.
        settings: Settings of the training.
    """
    decay = settings.epoch_decay ** (step // epoch_steps)
    if settings.restart_epochs is None:
        return decay
    period = settings.restart_epochs * epoch_steps
    phase = (step % period) / period
    return decay * (1 + math.cos(math.pi * phase)) / 2


class _Training:
    """State of a training between two epochs; all that a checkpoint holds."""

    def __init__(
        self,
        model: nn.Module,
        batch_loss: BatchLoss,
        *,
        settings: TrainSettings,
        seed: int,
        device: torch.device,
    ) -> None:
        self.model, self.batch_loss = model, batch_loss
        self.settings, self.seed, self.device = settings, seed, device
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(
            self.parameters,
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.best = {name: t.detach().clone() for name, t in model.state_dict().items()}
        self.best_loss, self.best_epoch = math.inf, -1
        self.history: list[dict[str, float]] = []
        self.at_once: int | None = None
        self.whole_batches = any(isinstance(part, nn.BatchNorm1d) for part in model.modules())

    def is_stale(self) -> bool:
        """Return whether the validation loss has not improved for long enough to stop."""
        return len(self.history) - 1 - self.best_epoch >= self.settings.patience

    def do_epoch(self, train: Events, validation: Events) -> None:
        """Train once with all events, validate, and keep the weights if they are the best."""
        epoch, start = len(self.history), time.monotonic()
        train_loss = self._pass_through(train, epoch)
        loss = evaluate(self.model, self.batch_loss, validation, device=self.device)
        if not math.isfinite(train_loss + loss):
            msg = (
                f"the loss is {train_loss} in training and {loss} in validation after epoch"
                f" {epoch}: lower learning_rate, or look for extreme inputs"
            )
            raise TrainingDiverged(msg)
        log.info("epoch %d: loss %.5f, validation %.5f", epoch, train_loss, loss)
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, epoch
            for name, tensor in self.model.state_dict().items():
                self.best[name].copy_(tensor)
        self.history.append(
            {
                "epoch": epoch,
                "train_loss": train_loss,
                "validation_loss": loss,
                "learning_rate": self.settings.learning_rate * self.settings.epoch_decay**epoch,
                "seconds": time.monotonic() - start,
            }
        )

    def _pass_through(self, events: Events, epoch: int) -> float:
        """Take a step for each batch of the training events; return their mean loss."""
        self.model.train()
        total = torch.zeros((), device=self.device)
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(derive_seed(self.seed, "epoch", str(epoch)))
            steps, batches = self._batches(events, epoch)
            for step, batch in enumerate(batches):
                rate = learning_rate_factor(
                    epoch * steps + step, epoch_steps=steps, settings=self.settings
                )
                self.optimizer.param_groups[0]["lr"] = self.settings.learning_rate * rate
                total += self._step([part.to(self.device, non_blocking=True) for part in batch])
        return total.item() / steps

    def _batches(self, events: Events, epoch: int) -> tuple[int, Iterable[Sequence[Tensor]]]:
        """Return the number of an epoch's batches, and the batches."""
        if isinstance(events, Stream):
            return events.steps, events.batches(epoch)
        n_events = len(events[0])
        size = min(self.settings.batch_size, n_events)
        steps = n_events // size  # the remainder, other events each epoch, is left out
        order = torch.randperm(n_events).to(events[0].device)
        rows = (order[step * size : (step + 1) * size] for step in range(steps))
        return steps, ([tensor[chosen] for tensor in events] for chosen in rows)

    def _step(self, batch: Sequence[Tensor]) -> Tensor:
        """Follow the gradient of a batch; return its mean loss."""
        loss = None
        while loss is None:
            self.optimizer.zero_grad(set_to_none=True)
            try:
                loss = self._add_gradient(batch)
            except (RuntimeError, MemoryError) as error:
                self._take_fewer(len(batch[0]), error)
        nn.utils.clip_grad_norm_(self.parameters, self.settings.clip_norm)
        self.optimizer.step()
        return loss

    def _add_gradient(self, batch: Sequence[Tensor]) -> Tensor:
        """Add a batch's gradient, in parts that fit in the memory; return its mean loss."""
        n_events = len(batch[0])
        if self.at_once is None or self.at_once >= n_events:
            with _precision(self.settings, self.device):
                loss = self.batch_loss(self.model, *batch).mean()
            loss.backward()
            return loss.detach()
        total = torch.zeros((), device=self.device)
        for part in zip(*(tensor.split(self.at_once) for tensor in batch), strict=True):
            with _precision(self.settings, self.device):
                loss = self.batch_loss(self.model, *part).sum() / n_events
            loss.backward()
            total += loss.detach()
        return total

    def _take_fewer(self, n_events: int, error: Exception) -> None:
        """Halve the events that are taken at once, if it is memory that was short."""
        if is_out_of_memory(error) and self.whole_batches:
            msg = (
                f"out of memory with a batch of {n_events} events, which this network needs as a"
                " whole: lower the training's batch_size, or run on a larger device or on the CPU"
                " (device: cpu)"
            )
            raise MemoryTooSmall(msg) from error
        self.at_once = halved(min(self.at_once or n_events, n_events), error)

    def save(self, path: Path, fingerprint: str) -> None:
        """Write all that a resumed training needs."""
        tensors = {f"model.{name}": t for name, t in self.model.state_dict().items()}
        tensors |= {f"best.{name}": t for name, t in self.best.items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{name}": t for name, t in moments.items()}
        reached = {name: getattr(self, name) for name in REACHED}
        io.write_tensors(path, tensors, settings={"fingerprint": fingerprint, **reached})

    def resume(self, path: Path | None, fingerprint: str) -> bool:
        """Take up where a checkpoint left off, if there is one of this very training."""
        if path is None or not path.exists():
            return False
        tensors, settings = io.read_tensors(path)
        if settings["fingerprint"] != fingerprint:
            log.warning("%s belongs to another training: this one starts anew", path)
            return False
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "adam": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor
        self.model.load_state_dict(parts["model"])
        for name, tensor in parts["best"].items():
            self.best[name].copy_(tensor)
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts["adam"].items():
            index, _, moment = name.partition(".")
            moments.setdefault(int(index), {})[moment] = tensor
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": moments})
        for name in REACHED:
            setattr(self, name, settings[name])
        log.info("training resumes at epoch %d from %s", len(self.history), path)
        return True


def _precision(settings: TrainSettings, device: torch.device) -> AbstractContextManager[Any]:
    """Return the context that computes in half precision where that is asked for."""
    if settings.mixed_precision and device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def _check_events(train: Events, validation: Events) -> None:
    for name, events in {"training": train, "validation": validation}.items():
        if isinstance(events, Stream):
            continue
        lengths = {len(tensor) for tensor in events}
        if len(lengths) != 1 or lengths == {0}:
            msg = f"{name} tensors have lengths {sorted(lengths)}: give equal, non-zero ones"
            raise ValueError(msg)


def _to_device(events: Events, device: torch.device) -> Events:
    """Move events to the device if they take at most half of its free memory."""
    if isinstance(events, Stream):
        return events
    if device.type != "cuda":
        return list(events)
    free, _ = torch.cuda.mem_get_info(device)
    size = sum(tensor.numel() * tensor.element_size() for tensor in events)
    if size > DEVICE_SHARE * free:
        log.info("events take %.1f GB: they stream to the device", size / 1e9)
        return [tensor.pin_memory() for tensor in events]
    return [tensor.to(device) for tensor in events]


def _fingerprint(model: nn.Module, train: Events, settings: TrainSettings, seed: int) -> str:
    """Return a text that differs for trainings that must not take over from each other."""
    shapes = [tuple(tensor.shape) for tensor in model.state_dict().values()]
    if isinstance(train, Stream):
        parts: Any = (train.name, train.steps)
    else:
        parts = ([len(t) for t in train], [tensor.double().sum().item() for tensor in train])
    text = repr((type(model).__name__, shapes, *parts, settings, seed))
    return hashlib.sha256(text.encode()).hexdigest()
