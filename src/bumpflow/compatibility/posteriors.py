r"""Posteriors of mass and lifetime of single events, on a grid, from one network.

The network holds the logarithm of :math:`r(m \mid x) = p(m \mid x) / \pi(m)` at the points of a
grid in :math:`\log_{10} m`, linear between them, as the likelihood of the decay vertex
(:mod:`bumpflow.compatibility.diphotons`) plus a correction that it learns, and
:math:`p(\tau \mid m, x)` as a softmax over lifetimes. Minus the log density at the truth is the
loss, so that the posterior of the prior that trained it comes out normalised.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from bumpflow import io
from bumpflow.compatibility.diphotons import N_SUMMARY, VertexScan, describe
from bumpflow.compatibility.grids import Axis, ParameterGrid
from bumpflow.compatibility.populations import log10_diphoton_mass
from bumpflow.compatibility.windows import measure_resolution
from bumpflow.memory import map_chunks
from bumpflow.simulate.alps.settings import BeamDump, Resolution
from bumpflow.train import TrainSettings, fit
from bumpflow.workflow import derive_seed

CHUNK = 4096
"""Events that a network looks at in one go."""
JOINT_CHUNK = 256
"""The same for posteriors of mass and lifetime."""
CLIFF = 10.0
"""Largest penalty on masses whose vertex lies beyond the scan."""
CORRECTION_KNOTS = 8
"""Masses between which corrections of the vertex's likelihood are interpolated. Each knot more has
fewer events to learn from: of 8 to 400, 8 had the lowest validation loss at 150 000 events."""
LIFETIME_KNOTS = 12
"""Masses between which what lifetimes look like is interpolated."""


@dataclass(frozen=True)
class PosteriorSettings:
    """Settings of posteriors on a grid.

    Attributes:
        n_masses: Points of the grid in mass.
        n_lifetimes: Points of the grid in lifetime.
        n_vertices: Distances of the decay vertex to scan.
        hidden_features: Width of the network.
        blocks: Residual blocks.
        rank: Numbers that describe an event's lifetime.
        members: Networks, whose posteriors are averaged.
        validation_fraction: Share of the events that decides when to stop.
    """

    n_masses: int
    n_lifetimes: int
    n_vertices: int
    hidden_features: int
    blocks: int
    rank: int
    members: int
    validation_fraction: float


class Block(nn.Module):
    """A residual block."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(features),
            nn.Linear(features, features),
            nn.SiLU(),
            nn.Linear(features, features),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` and what the block adds, shape ``(n, features)``."""
        return x + self.layers(x)


class PosteriorNet(nn.Module):
    """Network from described events to posteriors on a grid.

    Args:
        settings: Sizes.
        grid: Masses and lifetimes.
        vertices: Distances at which events have the likelihood of their vertex.
    """

    mean: Tensor
    std: Tensor
    log_weights: Tensor
    masses: Tensor

    def __init__(
        self, settings: PosteriorSettings, grid: ParameterGrid, vertices: VertexScan
    ) -> None:
        super().__init__()
        inputs, width = N_SUMMARY + vertices.n_points, settings.hidden_features
        self.grid, self.vertices = grid, vertices
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("std", torch.ones(inputs))
        self.register_buffer("log_weights", grid.mass.weights.log(), persistent=False)
        self.register_buffer("masses", grid.mass.points * math.log(10), persistent=False)
        self.trunk = nn.Sequential(
            nn.Linear(inputs, width),
            *(Block(width) for _ in range(settings.blocks)),
            nn.LayerNorm(width),
            nn.SiLU(),
        )
        self.mass = nn.Linear(width, CORRECTION_KNOTS)
        self.sharpness = nn.Linear(width, 1)
        nn.init.zeros_(self.sharpness.weight)
        nn.init.zeros_(self.sharpness.bias)
        self.lifetime = nn.Linear(width, settings.rank)
        shape = (LIFETIME_KNOTS, grid.lifetime.n_points)
        self.shapes = nn.Parameter(0.05 * torch.randn(*shape, settings.rank))
        self.average = nn.Parameter(torch.zeros(*shape))
        self.knots = Axis(grid.mass.low, grid.mass.high, LIFETIME_KNOTS)

    def standardise_by(self, inputs: Tensor) -> None:
        """Take mean and spread of the network's inputs from events, see :func:`pack`."""
        self.mean.copy_(inputs[:, 1:].mean(0))
        self.std.copy_(inputs[:, 1:].std(0) + 1e-6)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return posteriors of the mass, and numbers that describe those of the lifetime.

        Args:
            inputs: Events, see :func:`pack`, shape ``(n, 1 + N_SUMMARY + n_vertices)``.

        Returns:
            The log ratio of posterior and prior at each mass, shape ``(n, n_masses)``, and
            numbers for :meth:`lifetimes`, shape ``(n, rank)``.
        """
        hidden = self.trunk((inputs[:, 1:] - self.mean) / self.std)
        correction = functional.interpolate(
            self.mass(hidden)[:, None], len(self.masses), mode="linear", align_corners=True
        )[:, 0]
        logs = correction + self.sharpness(hidden).exp() * self._from_vertex(inputs)
        evidence = (logs + self.log_weights).logsumexp(1, keepdim=True)
        return logs - evidence, self.lifetime(hidden)

    def _from_vertex(self, inputs: Tensor) -> Tensor:
        """Return the vertex's log likelihood at each mass of the grid, shape ``(n, n_masses)``."""
        scan = inputs[:, 1 + N_SUMMARY :]
        axis = Axis(self.vertices.low, self.vertices.high, self.vertices.n_points)
        wanted = inputs[:, :1] - self.masses
        below, fraction = axis.place(wanted)
        logs = torch.lerp(scan.gather(1, below), scan.gather(1, below + 1), fraction)
        beyond = (wanted - wanted.clamp(axis.low, axis.high)) / axis.step
        return logs - (beyond**2).clamp(max=CLIFF)

    def lifetimes(self, numbers: Tensor, log10_mass: Tensor) -> Tensor:
        """Return log ratios of posterior and prior of the lifetime, given a mass for each event.

        Args:
            numbers: What describes each event, shape ``(n, rank)``.
            log10_mass: Masses [decadic logarithm of GeV], shape ``(n,)``.

        Returns:
            Shape ``(n, n_lifetimes)``.
        """
        below, fraction = self.knots.place(log10_mass)
        shapes = torch.lerp(self.shapes[below], self.shapes[below + 1], fraction[:, None, None])
        average = torch.lerp(self.average[below], self.average[below + 1], fraction[:, None])
        return self._normalised((shapes @ numbers[:, :, None])[:, :, 0] + average)

    def joint(self, log_mass_ratio: Tensor, numbers: Tensor) -> Tensor:
        """Return log ratios of posterior and prior of mass and lifetime.

        Args:
            log_mass_ratio: Those of the mass, shape ``(n, n_masses)``.
            numbers: What describes each event, shape ``(n, rank)``.

        Returns:
            Shape ``(n, n_masses, n_lifetimes)``.
        """
        below, fraction = self.knots.place(self.grid.mass.points.to(numbers.device))
        shapes = torch.lerp(self.shapes[below], self.shapes[below + 1], fraction[:, None, None])
        average = torch.lerp(self.average[below], self.average[below + 1], fraction[:, None])
        each = torch.einsum("mtr,nr->nmt", shapes, numbers) + average
        return log_mass_ratio[:, :, None] + self._normalised(each)

    def _normalised(self, logs: Tensor) -> Tensor:
        """Return log ratios whose mean over the prior of lifetimes is 1, in the last dimension."""
        weights = self.grid.lifetime.weights.to(logs.device)
        return logs - (logs + weights.log()).logsumexp(-1, keepdim=True)


def interpolate(log_ratio: Tensor, log10_mass: Tensor, axis: Axis) -> Tensor:
    """Return log ratios at a mass for each event, linear between the grid's points, shape ``(n,)``.

    Args:
        log_ratio: Log ratios of posterior and prior, shape ``(n, n_masses)``.
        log10_mass: Masses [decadic logarithm of GeV], shape ``(n,)``.
        axis: The grid's masses.
    """
    below, fraction = axis.place(log10_mass)
    ends = log_ratio.gather(1, torch.stack([below, below + 1], dim=1))
    return torch.lerp(ends[:, 0], ends[:, 1], fraction)


def joint_loss(network: PosteriorNet, inputs: Tensor, theta: Tensor) -> Tensor:
    """Return minus the log ratio of posterior and prior at the truth [nat], shape ``(n,)``.

    Args:
        network: The network.
        inputs: Events, see :func:`pack`.
        theta: True parameters, shape ``(n, 2)``.
    """
    log_ratio, numbers = network(inputs)
    mass = interpolate(log_ratio, theta[:, 0], network.grid.mass)
    below, fraction = network.grid.lifetime.place(theta[:, 1])
    each = network.lifetimes(numbers, theta[:, 0])
    ends = each.gather(1, torch.stack([below, below + 1], dim=1))
    return -mass - torch.lerp(ends[:, 0], ends[:, 1], fraction)


class Posterior(NamedTuple):
    """Trained posteriors of single events.

    Attributes:
        networks: Networks whose posteriors are averaged.
        settings: Their sizes.
        grid: Masses and lifetimes.
        setup: Where events were simulated.
        resolution: How they were measured.
        mass_resolution: How well that measures the diphoton mass of training events, see
            :func:`bumpflow.compatibility.windows.measure_resolution`, shape ``(2, n_rows)``.
    """

    networks: Sequence[PosteriorNet]
    settings: PosteriorSettings
    grid: ParameterGrid
    setup: BeamDump
    resolution: Resolution
    mass_resolution: Tensor

    @classmethod
    def build(
        cls, settings: PosteriorSettings, setup: BeamDump, resolution: Resolution
    ) -> "Posterior":
        """Return untrained posteriors."""
        grid = ParameterGrid.of(
            setup.prior, n_masses=settings.n_masses, n_lifetimes=settings.n_lifetimes
        )
        vertices = VertexScan.of(setup, settings.n_vertices)
        networks = [PosteriorNet(settings, grid, vertices) for _ in range(settings.members)]
        return cls(networks, settings, grid, setup, resolution, torch.empty(2, 0))

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.networks[0].mean.device

    def log_ratio(self, x: Tensor) -> Tensor:
        """Return log ratios of posterior and prior of the mass [nat].

        Args:
            x: Features, shape ``(n, 10)``.

        Returns:
            Shape ``(n, n_masses)``, on the networks' device.
        """
        return self._averaged(x, joint=False)

    def joint_log_ratio(self, x: Tensor) -> Tensor:
        """Return those of mass and lifetime, shape ``(n, n_masses * n_lifetimes)``, masses outside.

        Args:
            x: Features, shape ``(n, 10)``.
        """
        return self._averaged(x, joint=True)

    def _averaged(self, x: Tensor, *, joint: bool) -> Tensor:
        def average(chunk: Tensor) -> Tensor:
            """Return the log ratios of some events."""
            inputs, members = self.pack(chunk), []
            for network in self.networks:
                log_ratio, numbers = network(inputs)
                members.append(
                    network.joint(log_ratio, numbers).flatten(1) if joint else log_ratio
                )
            return torch.stack(members).logsumexp(0) - math.log(len(members))

        return map_chunks(average, x, JOINT_CHUNK if joint else CHUNK)

    def pack(self, x: Tensor) -> Tensor:
        """Return events as the networks take them, shape ``(n, 1 + N_SUMMARY + n_vertices)``."""
        vertices = self.networks[0].vertices
        x = x.to(self.device)
        described = describe(x, self.setup, self.resolution, vertices=vertices)
        return torch.cat(
            [described.log_mass_distance[:, None], described.summary, described.scan], dim=1
        )


def train_posterior(
    x: Tensor,
    theta: Tensor,
    *,
    settings: PosteriorSettings,
    setup: BeamDump,
    resolution: Resolution,
    training: TrainSettings,
    seed: int,
    device: torch.device,
    checkpoints: Path | None = None,
) -> tuple[Posterior, pd.DataFrame]:
    """Train posteriors on simulated events.

    Args:
        x: Features, shape ``(n, 10)``.
        theta: True parameters, shape ``(n, 2)``, from the prior of ``setup``.
        settings: Sizes of the networks.
        setup: Where the events were simulated.
        resolution: How they were measured.
        training: Settings of the training.
        seed: Seed of weights and shuffling; each member derives its own.
        device: Where to train.
        checkpoints: Folder from which a killed training resumes.

    Returns:
        The posteriors, and one row per epoch and member (see :func:`bumpflow.train.fit`).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "weights"))
        posterior = Posterior.build(settings, setup, resolution)
    inputs = map_chunks(posterior.pack, x, CHUNK)
    theta = theta.float()
    n_train = len(x) - max(1, round(settings.validation_fraction * len(x)))
    histories = []
    for index, network in enumerate(posterior.networks):
        network.standardise_by(inputs[:n_train])
        finished = None if checkpoints is None else checkpoints / f"member{index}.safetensors"
        history = fit(
            network,
            joint_loss,
            train=(inputs[:n_train], theta[:n_train]),
            validation=(inputs[n_train:], theta[n_train:]),
            settings=training,
            seed=derive_seed(seed, "member", str(index)),
            device=device,
            checkpoint=None if finished is None else finished.with_suffix(".part.safetensors"),
            finished=finished,
        )
        histories.append(history.assign(member=index))
    measured = measure_resolution(log10_diphoton_mass(x[:n_train]), theta[:n_train, 0])
    trained = posterior._replace(mass_resolution=measured)
    return trained, pd.concat(histories, ignore_index=True)


def store_posterior(
    posterior: Posterior, blocks: Mapping[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and settings that :func:`load_posterior` rebuilds posteriors from.

    Args:
        posterior: The posteriors.
        blocks: ``setup`` and ``resolution`` as the configuration has them.
    """
    tensors = {
        f"{index}.{name}": tensor.cpu()
        for index, network in enumerate(posterior.networks)
        for name, tensor in network.state_dict().items()
    }
    tensors["mass_resolution"] = posterior.mass_resolution.cpu()
    return tensors, {**blocks, "settings": vars(posterior.settings)}


def load_posterior(path: str | Path, *, device: torch.device) -> Posterior:
    """Read stored posteriors, ready for use on ``device``.

    Raises:
        DamagedFile: If the file is damaged, or holds another kind of model.
    """
    posterior = io.read_model(path, _restore_posterior)
    for network in posterior.networks:
        network.to(device).eval()
    return posterior._replace(mass_resolution=posterior.mass_resolution.to(device))


def _restore_posterior(tensors: Mapping[str, Tensor], stored: Mapping[str, Any]) -> Posterior:
    """Return posteriors that :func:`store_posterior` stored."""
    posterior = Posterior.build(
        PosteriorSettings(**stored["settings"]),
        BeamDump.from_settings(stored["setup"]),
        Resolution.from_settings(stored["resolution"]),
    )
    for index, network in enumerate(posterior.networks):
        own = f"{index}."
        parts = {name.removeprefix(own): t for name, t in tensors.items() if name.startswith(own)}
        network.load_state_dict(parts)
    return posterior._replace(mass_resolution=tensors["mass_resolution"])
