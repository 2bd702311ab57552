"""The one training loop, for every network of the project."""

import hashlib
import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from bumpflow import io
from bumpflow.workflow import derive_seed
from bumpflow.workflow import progress as progress_bar

log = logging.getLogger(__name__)

BatchLoss = Callable[..., Tensor]
VALIDATION_CHUNK = 16_384
DEVICE_SHARE = 0.5
CHECKPOINT_SECONDS = float(os.environ.get("BUMPFLOW_CHECKPOINT_SECONDS", "20"))


class TrainingDiverged(RuntimeError):
    """The loss is no longer a number."""


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


@dataclass
class _Progress:
    """What a training has reached; all that a resumed one needs beside its tensors."""

    epoch: int = 0
    best_loss: float = math.inf
    best_epoch: int = -1
    history: tuple[dict[str, float], ...] = ()


def fit(
    model: nn.Module,
    batch_loss: BatchLoss,
    *,
    train: Sequence[Tensor],
    validation: Sequence[Tensor],
    settings: TrainSettings,
    seed: int,
    device: torch.device,
    checkpoint: Path | None = None,
    finished: Path | None = None,
) -> pd.DataFrame:
    """Train a network and leave it with its best weights.

    Adam follows a cosine schedule with warm restarts, stepped per batch, whose height decays
    per epoch. Training stops when the validation loss has not improved for ``patience``
    epochs. Every epoch's random stream depends on ``seed`` and its number alone, so a
    training that was killed and resumed ends, on a CPU, with the weights of one that was not.

    Args:
        model: Network, on any device; it ends on ``device``.
        batch_loss: Function of the model and a batch of each tensor; it returns one loss per
            event, shape ``(batch,)``.
        train: Training events, tensors of equal length.
        validation: Validation events, likewise.
        settings: Settings of the training.
        seed: Seed of shuffling and dropout.
        device: Where to train. Events move there at once if they fit, else batch by batch.
        checkpoint: File to resume from and to keep up to date; removed at the end.
        finished: File for the final state, from which a repeated call returns at once; for
            jobs that train several networks.

    Returns:
        One row per epoch: ``epoch``, ``train_loss``, ``validation_loss``, ``learning_rate``
        (its highest), ``seconds``.

    Raises:
        TrainingDiverged: If the loss stops being finite.
        ValueError: If there are no events to train or to validate with.

    References:
        Loshchilov, Hutter (2016), https://arxiv.org/abs/1608.03983
    """
    _check_events(train, validation)
    fingerprint = _fingerprint(model, train, settings, seed)
    model.to(device)
    train, validation = _to_device(train, device), _to_device(validation, device)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(
        parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    best = _copy_state(model)
    progress = _resume(finished, fingerprint, model, optimizer, best)
    if progress.epoch == 0:
        progress = _resume(checkpoint, fingerprint, model, optimizer, best)
    saved = time.monotonic()
    for _ in progress_bar(range(progress.epoch, settings.max_epochs)):
        if _stale(progress, settings):
            break
        start = time.monotonic()
        lr = settings.learning_rate * settings.epoch_decay**progress.epoch
        train_loss = _train_epoch(
            model, batch_loss, optimizer, train, progress.epoch, settings, seed, device
        )
        loss = evaluate(model, batch_loss, validation, device=device)
        if not math.isfinite(train_loss + loss):
            msg = (
                f"the loss is {train_loss} in training and {loss} in validation after epoch"
                f" {progress.epoch}: lower learning_rate, or look for extreme inputs"
            )
            raise TrainingDiverged(msg)
        row = {
            "epoch": progress.epoch,
            "train_loss": train_loss,
            "validation_loss": loss,
            "learning_rate": lr,
            "seconds": time.monotonic() - start,
        }
        log.info("epoch %d: loss %.5f, validation %.5f", progress.epoch, train_loss, loss)
        if loss < progress.best_loss:
            _copy_state(model, into=best)
            progress = replace(progress, best_loss=loss, best_epoch=progress.epoch)
        progress = replace(progress, epoch=progress.epoch + 1, history=(*progress.history, row))
        if checkpoint is not None and time.monotonic() - saved > CHECKPOINT_SECONDS:
            _save(checkpoint, fingerprint, model, optimizer, best, progress)
            saved = time.monotonic()
    if finished is not None:
        _save(finished, fingerprint, model, optimizer, best, progress)
    model.load_state_dict(best)
    model.eval()
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return pd.DataFrame(progress.history).astype({"epoch": "int64"})


def evaluate(
    model: nn.Module, batch_loss: BatchLoss, events: Sequence[Tensor], *, device: torch.device
) -> float:
    """Return the mean loss over events, with the model in evaluation mode."""
    model.eval()
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(events[0]), VALIDATION_CHUNK):
            batch = [tensor[start : start + VALIDATION_CHUNK].to(device) for tensor in events]
            total += batch_loss(model, *batch).double().sum().item()
    return total / len(events[0])


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


def _train_epoch(
    model: nn.Module,
    batch_loss: BatchLoss,
    optimizer: torch.optim.Optimizer,
    events: Sequence[Tensor],
    epoch: int,
    settings: TrainSettings,
    seed: int,
    device: torch.device,
) -> float:
    """Pass once through the training events; return their mean loss."""
    model.train()
    n_events = len(events[0])
    size = min(settings.batch_size, n_events)
    steps = n_events // size  # the remainder, other events each epoch, is left out
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    devices = [device] if device.type == "cuda" else []
    total = torch.zeros((), device=device)
    with torch.random.fork_rng(devices):
        torch.manual_seed(derive_seed(seed, "epoch", str(epoch)))
        order = torch.randperm(n_events).to(events[0].device)
        for step in range(steps):
            rate = learning_rate_factor(epoch * steps + step, epoch_steps=steps, settings=settings)
            optimizer.param_groups[0]["lr"] = settings.learning_rate * rate
            rows = order[step * size : (step + 1) * size]
            batch = [tensor[rows].to(device, non_blocking=True) for tensor in events]
            optimizer.zero_grad(set_to_none=True)
            with _precision(settings, device):
                loss = batch_loss(model, *batch).mean()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, settings.clip_norm)
            optimizer.step()
            total += loss.detach()
    return total.item() / steps


def _precision(settings: TrainSettings, device: torch.device) -> AbstractContextManager[Any]:
    """Return the context that computes in half precision where that is asked for."""
    if settings.mixed_precision and device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def _stale(progress: _Progress, settings: TrainSettings) -> bool:
    """Return whether the validation loss has not improved for long enough to stop."""
    return progress.epoch - 1 - progress.best_epoch >= settings.patience


def _check_events(train: Sequence[Tensor], validation: Sequence[Tensor]) -> None:
    for name, events in {"training": train, "validation": validation}.items():
        lengths = {len(tensor) for tensor in events}
        if len(lengths) != 1 or lengths == {0}:
            msg = f"{name} tensors have lengths {sorted(lengths)}: give equal, non-zero ones"
            raise ValueError(msg)


def _to_device(events: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """Move events to the device if they take at most half of its free memory."""
    if device.type != "cuda":
        return list(events)
    free, _ = torch.cuda.mem_get_info(device)
    size = sum(tensor.numel() * tensor.element_size() for tensor in events)
    if size > DEVICE_SHARE * free:
        log.info("events take %.1f GB: they stream to the device", size / 1e9)
        return [tensor.pin_memory() for tensor in events]
    return [tensor.to(device) for tensor in events]


def _copy_state(model: nn.Module, *, into: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
    """Copy a model's state, into an earlier copy if there is one."""
    state = model.state_dict()
    if into is None:
        return {name: tensor.detach().clone() for name, tensor in state.items()}
    for name, tensor in state.items():
        into[name].copy_(tensor)
    return into


def _fingerprint(
    model: nn.Module, train: Sequence[Tensor], settings: TrainSettings, seed: int
) -> str:
    """Return a text that differs for trainings that must not take over from each other."""
    shapes = [tuple(tensor.shape) for tensor in model.state_dict().values()]
    sums = [tensor.double().sum().item() for tensor in train]
    text = repr((type(model).__name__, shapes, [len(t) for t in train], sums, settings, seed))
    return hashlib.sha256(text.encode()).hexdigest()


def _save(
    path: Path,
    fingerprint: str,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    best: dict[str, Tensor],
    progress: _Progress,
) -> None:
    """Write all that a resumed training needs."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{index}.{name}": tensor for name, tensor in moments.items()}
    io.write_tensors(path, tensors, settings={"fingerprint": fingerprint, **vars(progress)})


def _resume(
    path: Path | None,
    fingerprint: str,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    best: dict[str, Tensor],
) -> _Progress:
    """Take a training up where its checkpoint left it, if there is one that fits."""
    if path is None or not path.exists():
        return _Progress()
    tensors, settings = io.read_tensors(path)
    if settings.pop("fingerprint") != fingerprint:
        log.warning("%s belongs to another training: this one starts anew", path)
        return _Progress()
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "adam": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = tensor
    model.load_state_dict(parts["model"])
    for name, tensor in parts["best"].items():
        best[name].copy_(tensor)
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["adam"].items():
        index, _, moment = name.partition(".")
        moments.setdefault(int(index), {})[moment] = tensor
    optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
    progress = _Progress(**settings | {"history": tuple(settings["history"])})
    log.info("training resumes at epoch %d from %s", progress.epoch, path)
    return progress
