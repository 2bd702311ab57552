"""Densities of events in physical units: a scaler and an ensemble of flows."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import pandas as pd
import torch
from torch import Generator, Tensor, nn

from bumpflow import io
from bumpflow.chunks import count_blocks
from bumpflow.flows.base import Flow
from bumpflow.flows.families import ON_UNIT_BOX, build_flow
from bumpflow.memory import in_chunks
from bumpflow.preprocess import SCALERS, UNIT_SCALER
from bumpflow.train import TrainSettings, fit
from bumpflow.workflow import derive_seed

log = logging.getLogger(__name__)

MARGIN = 0.5
MAX_ROUNDS = 100
SAMPLE_STEP = {"cpu": 4096, "cuda": 32_768}  # events at a time, by device; bounds the memory
LOG_PROB_STEP = 16_384


class SamplingFailed(RuntimeError):
    """The model keeps producing events outside its range."""


@dataclass(frozen=True)
class DensitySettings:
    """What it takes to build a density, beside its weights.

    Attributes:
        features: Names of the features, in the order of the conditionals.
        family: Key of :data:`bumpflow.flows.families.FAMILIES`.
        sizes: The family's own keywords.
        scaler: Key of :data:`bumpflow.preprocess.SCALERS`.
        context: Names of the context features.
        members: Flows in the ensemble.
    """

    features: tuple[str, ...]
    family: str
    sizes: Mapping[str, Any]
    scaler: str
    context: tuple[str, ...] = ()
    members: int = 1


class Drawn(NamedTuple):
    """Events drawn from a density, and how many had to be drawn again."""

    x: Tensor
    n_redrawn: int
    context: Tensor | None = None

    def table(self, features: Sequence[str], context: Sequence[str] = ()) -> pd.DataFrame:
        """Return the events, and the context that they were drawn under, by column name."""
        parts = [self.x] if self.context is None else [self.x, self.context]
        return pd.DataFrame(torch.cat(parts, dim=1).cpu().numpy(), columns=[*features, *context])


class EventDensity(nn.Module):
    """Density of events, averaged over an ensemble of flows, in physical units.

    The average is that of the densities, not of their logarithms.
    """

    context_mean: Tensor
    context_std: Tensor
    lower: Tensor
    upper: Tensor

    def __init__(self, settings: DensitySettings, *, seed: int = 0) -> None:
        """Build an untrained density; ``seed`` sets its first weights and permutations.

        Raises:
            ValueError: If the family's range is not that of the scaler.
        """
        _check_range(settings)
        super().__init__()
        self.settings = settings
        features, context = len(settings.features), len(settings.context)
        self.scaler = SCALERS[settings.scaler](features)
        self.members = nn.ModuleList()
        for member in range(settings.members):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(derive_seed(seed, "weights", str(member)))
                flow = build_flow(settings.family, features, context, settings.sizes)
            self.members.append(flow)
        for name in ("context_mean", "context_std", "lower", "upper"):
            size = context if name.startswith("context") else features
            self.register_buffer(name, torch.zeros(size, dtype=torch.float64))

    @property
    def flows(self) -> list[Flow]:
        """The ensemble's members by what they can do."""
        return cast("list[Flow]", list(self.members))

    @property
    def n_parameters(self) -> int:
        """Trainable parameters of the whole ensemble."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def fit_scalers(self, x: Tensor, context: Tensor | None = None) -> None:
        """Learn scales and ranges from the training events, shapes as in :meth:`log_prob`."""
        self.scaler.fit(x)
        low, high = x.double().amin(0), x.double().amax(0)
        margin = MARGIN * (high - low)
        self.lower.copy_(torch.where(low >= 0, (low - margin).clamp_min(0.0), low - margin))
        self.upper.copy_(high + margin)
        if context is not None:
            self.context_mean.copy_(context.double().mean(0))
            self.context_std.copy_(context.double().std(0).clamp_min(1e-12))

    def scale_context(self, context: Tensor | None) -> Tensor | None:
        """Return the context, shape ``(n, context)``, as the flows take it."""
        self._check_context(context)
        if context is None:
            return None
        return ((context.double() - self.context_mean) / self.context_std).float()

    def _check_context(self, context: Tensor | None) -> None:
        given = 0 if context is None else context.shape[-1]
        if given != len(self.settings.context):
            names = ", ".join(self.settings.context) or "none"
            msg = f"{given} context features are given, but the density takes: {names}"
            raise ValueError(msg)

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the log density in physical units.

        Args:
            x: Events, shape ``(n, features)``, in the units of the training events.
            context: Context features, shape ``(n, context)``.

        Returns:
            Log density, shape ``(n,)``, in double precision.
        """
        members = self.member_log_probs(x, context)
        return members.logsumexp(0) - math.log(len(self.members))

    def member_log_probs(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the log density of each member, shape ``(members, n)``, as :meth:`log_prob`."""
        scaled = self.scale_context(context)

        def of_rows(rows: slice) -> Tensor:
            z, ladj = self.scaler(x[rows])
            c = None if scaled is None else scaled[rows]
            members = torch.stack([f.log_prob(z.float(), c).double() for f in self.flows])
            return members + ladj

        return torch.cat(list(in_chunks(of_rows, len(x), LOG_PROB_STEP)), dim=1)

    @torch.no_grad()
    def sample(
        self, n: int, context: Tensor | None = None, *, generator: Generator | None = None
    ) -> Tensor:
        """Return ``n`` events in physical units, shape ``(n, features)``, single precision.

        Args:
            n: Number of events.
            context: Context features, shape ``(n, context)``, one row per event.
            generator: Source of random numbers, on the model's device.

        Raises:
            SamplingFailed: If events keep falling outside the range of the density.
        """
        return self.draw(n, context, generator=generator).x

    @torch.no_grad()
    def draw(
        self, n: int, context: Tensor | None = None, *, generator: Generator | None = None
    ) -> Drawn:
        """Return events as :meth:`sample` does, and how many were drawn again.

        An event is drawn again if a feature is not finite, or beyond the training range by
        more than half of its width, or negative where no training event was.
        """
        c = self.scale_context(context)
        x = self._draw_all(n, c, generator)
        n_redrawn = 0
        for _ in range(MAX_ROUNDS):
            inside = (x >= self.lower) & (x <= self.upper)  # false for NaN, too
            bad = (~inside.all(dim=1)).nonzero()[:, 0]
            if len(bad) == 0:
                return Drawn(x.float(), n_redrawn, context)
            n_redrawn += len(bad)
            x[bad] = self._draw_all(len(bad), None if c is None else c[bad], generator)
        msg = (
            f"{len(bad)} of {n} events are still outside the training range after"
            f" {MAX_ROUNDS} rounds: the density is not usable, train it longer or with a"
            " lower learning rate"
        )
        raise SamplingFailed(msg)

    def _draw_all(self, n: int, c: Tensor | None, generator: Generator | None) -> Tensor:
        """Return draws from randomly chosen members, as they come."""
        device = self.lower.device
        member = torch.randint(len(self.members), (n,), generator=generator, device=device)
        z = torch.empty(n, len(self.settings.features), device=device)
        for index, flow in enumerate(self.flows):
            rows = (member == index).nonzero()[:, 0]
            for some in rows.split(SAMPLE_STEP[device.type]):
                part = None if c is None else c[some]
                z[some] = _draw(flow, flow.noise(len(some), generator), part)
        return self.scaler.inverse(z)


def _draw(flow: Flow, noise: Tensor, context: Tensor | None) -> Tensor:
    """Return a draw for each row of noise."""

    def of_rows(rows: slice) -> Tensor:
        return flow.from_noise(noise[rows], None if context is None else context[rows])

    return torch.cat(list(in_chunks(of_rows, len(noise), len(noise))))


def _check_range(settings: DensitySettings) -> None:
    """Raise if features that fill the unit box meet a density of the whole space, or vice versa."""
    if (settings.family in ON_UNIT_BOX) != (settings.scaler == UNIT_SCALER):
        msg = (
            f"models: family {settings.family!r} cannot have scaler {settings.scaler!r}: families"
            f" {list(ON_UNIT_BOX)} are densities on the unit box and need {UNIT_SCALER!r}, all"
            " others need another"
        )
        raise ValueError(msg)


def fit_density(
    density: EventDensity,
    *,
    train: tuple[Tensor, Tensor | None],
    validation: tuple[Tensor, Tensor | None],
    settings: TrainSettings,
    seed: int,
    device: torch.device,
    checkpoints: Path | None = None,
) -> pd.DataFrame:
    """Train every member of a density, each from its own seed, and leave it ready for use.

    Args:
        density: Untrained density.
        train: Events, shape ``(n, features)``, and context, ``(n, context)`` or none.
        validation: Likewise.
        settings: Settings of the training.
        seed: Seed of the training; member ``k`` derives its own from it.
        device: Where to train.
        checkpoints: Folder from which a killed training resumes.

    Returns:
        The members' histories (see :func:`bumpflow.train.fit`), with a column ``member``.
        Losses are negative log densities of scaled features [nats per event].
    """
    density.fit_scalers(*train)
    density.to(device)
    scaled = [_scale(density, *events) for events in (train, validation)]
    histories = []
    for index, flow in enumerate(density.members):
        done = None if checkpoints is None else checkpoints / f"member{index}.safetensors"
        part = None if done is None else done.with_suffix(".part.safetensors")
        member_seed = derive_seed(seed, "member", str(index))
        history = fit(
            flow,
            negative_log_prob,
            train=scaled[0],
            validation=scaled[1],
            settings=settings,
            seed=member_seed,
            device=device,
            checkpoint=part,
            finished=done,
        )
        histories.append(history.assign(member=index))
    density.eval()
    return pd.concat(histories, ignore_index=True)


def negative_log_prob(flow: Flow, z: Tensor, context: Tensor | None = None) -> Tensor:
    """Return the loss of each event: minus its log density [nats]."""
    return -flow.log_prob(z, context)


def _scale(density: EventDensity, x: Tensor, context: Tensor | None) -> list[Tensor]:
    device = density.lower.device
    z, _ = density.scaler(x.to(device))
    c = density.scale_context(None if context is None else context.to(device))
    return [tensor.float().cpu() for tensor in (z, c) if tensor is not None]


def mirror(x: Tensor, columns: Sequence[int]) -> Tensor:
    """Return events with the mirror image of each, whose ``columns`` have the other sign.

    Args:
        x: Events, shape ``(n, features)``.
        columns: Features that change sign together, such as all pseudorapidities under an
            exchange of the beams; with none, the events come back as they are.

    Returns:
        Events, shape ``(2 n, features)``, originals first.
    """
    if not columns:
        return x
    sign = torch.ones(x.shape[1], dtype=x.dtype)
    sign[list(columns)] = -1
    return torch.cat([x, x * sign])


def store(density: EventDensity) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and settings that :func:`restore` rebuilds a density from."""
    return density.state_dict(), vars(density.settings)


def restore(tensors: Mapping[str, Tensor], settings: Mapping[str, Any]) -> EventDensity:
    """Rebuild a stored density, ready to evaluate and to sample."""
    lists = {name: tuple(settings[name]) for name in ("features", "context")}
    density = EventDensity(DensitySettings(**{**settings, **lists}))
    density.load_state_dict(dict(tensors))
    return density.eval()


def load(path: str | Path, *, device: torch.device | None = None) -> EventDensity:
    """Read a density from its safetensors file.

    Raises:
        DamagedFile: If the file is damaged, or holds another kind of model.
    """
    return io.read_model(path, restore).to(device or torch.device("cpu"))


def draw_blocks(
    density: EventDensity,
    n: int,
    *,
    block_size: int,
    seed: int,
    blocks: range | None = None,
    context: Tensor | None = None,
) -> Iterator[Drawn]:
    """Yield ``n`` events block by block, or some of the blocks, with memory bounded by one.

    Each block has random numbers of its own, from the seed and its number, so that blocks can be
    drawn in any order and by different jobs.

    Args:
        density: Trained density.
        n: Number of events in all.
        block_size: Events in a block; only the last one may have fewer.
        seed: Seed of all blocks.
        blocks: Numbers of the blocks to draw; all by default.
        context: Observed context features, shape ``(m, context)``, on the density's device; each
            generated event takes those of an observed event chosen at random.
    """
    device = density.lower.device
    for number in range(count_blocks(n, block_size)) if blocks is None else blocks:
        size = min(block_size, n - number * block_size)
        generator = Generator(device).manual_seed(derive_seed(seed, "block", str(number)))
        c = None
        if context is not None:
            rows = torch.randint(len(context), (size,), generator=generator, device=device)
            c = context[rows]
        yield density.draw(size, c, generator=generator)
