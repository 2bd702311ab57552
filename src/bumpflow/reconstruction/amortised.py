"""Posteriors of mass and lifetime from sets of any size, measured by any detector of a range.

One network serves all, see :mod:`bumpflow.reconstruction.network`. Its densities are those of a
prior that is flat in the logarithms; :mod:`bumpflow.reconstruction.weights` turns them into those
of another.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from torch import Generator, Tensor

from bumpflow.memory import in_chunks
from bumpflow.reconstruction import polygons
from bumpflow.reconstruction.network import Beliefs, NetworkSettings, SetNet, loss
from bumpflow.reconstruction.sets import Drawing, EventSets, TrueSets
from bumpflow.reconstruction.support import Support
from bumpflow.train import TrainSettings, fit
from bumpflow.workflow import derive_seed

CHUNK = 512
"""Sets that the network looks at in one go."""
ROWS = 32_768
"""Lifetimes that are drawn, or densities that are computed, in one go."""
N_STANDARD = 4096
"""Sets that inputs are standardised by."""


class Summary(NamedTuple):
    """Posteriors of the mass in numbers, shape ``(n_sets,)`` each; logarithms are decadic.

    Attributes:
        mean: Means of log10(m / GeV).
        std: Their standard deviations.
        median: Medians.
    """

    mean: Tensor
    std: Tensor
    median: Tensor


class SetPosterior(NamedTuple):
    """Trained posteriors of sets of decays.

    Attributes:
        network: The network.
        drawing: What it was trained for.
    """

    network: SetNet
    drawing: Drawing

    @classmethod
    def build(cls, settings: NetworkSettings, drawing: Drawing) -> "SetPosterior":
        """Return untrained posteriors."""
        return cls(SetNet(settings, drawing.setup), drawing)

    @property
    def support(self) -> Support:
        """Where the prior is."""
        return self.network.support

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.network.masses.device

    @torch.no_grad()
    def look(self, sets: EventSets) -> Beliefs:
        """Return what sets tell: what all other methods start from.

        Args:
            sets: Measured sets, each with one event at least.

        Raises:
            ValueError: If a set is empty, or a number of a present event is not finite.
        """
        _check_sets(sets)
        parts = in_chunks(
            lambda rows: self.network(*sets.rows(rows).to(self.device)), len(sets.x), CHUNK
        )
        return Beliefs(*(torch.cat(part) for part in zip(*parts, strict=True)))

    @torch.no_grad()
    def log_prob(self, beliefs: Beliefs, theta: Tensor) -> Tensor:
        """Return log densities in log10 of mass and lifetime; minus infinity outside of the prior.

        Args:
            beliefs: Of some sets.
            theta: log10 of mass [GeV] and lifetime, c tau / m [m/GeV], shape ``(n_sets, 2)``, or
                ``(n_sets, k, 2)``.

        Returns:
            Shape ``(n_sets,)`` or ``(n_sets, k)``.
        """
        places = theta if theta.ndim == 3 else theta[:, None]
        unit = self.support.to_unit(places.to(self.device).double()).float()
        inside = self.support.contains(places.to(self.device))
        unit = unit.clamp(0, 1)
        mass = polygons.log_density(beliefs.mass, unit[..., 0])
        lifetime = self._by_rows(
            beliefs,
            unit,
            lambda logits, some: polygons.log_density(logits, some[:, 1]),
        )
        logs = (mass + lifetime - self.support.log_area).masked_fill(~inside, -torch.inf)
        return logs.view(theta.shape[:-1])

    @torch.no_grad()
    def sample(self, beliefs: Beliefs, n: int, *, generator: Generator) -> Tensor:
        """Return parameters drawn from posteriors.

        Args:
            beliefs: Of some sets.
            n: Draws of each set.
            generator: Random numbers, on the network's device.

        Returns:
            log10 of mass [GeV] and lifetime, c tau / m [m/GeV], shape ``(n_sets, n, 2)``.
        """
        shape = (len(beliefs.mass), n, 2)
        uniform = torch.rand(shape, generator=generator, device=self.device)
        mass = polygons.quantiles(polygons.to_heights(beliefs.mass), uniform[..., 0])
        wanted = torch.stack([mass, uniform[..., 1]], dim=-1)
        lifetime = self._by_rows(
            beliefs,
            wanted,
            lambda logits, some: polygons.quantiles(polygons.to_heights(logits), some[:, 1:])[
                :, 0
            ],
        )
        return self.support.to_theta(torch.stack([mass, lifetime], dim=-1))

    @torch.no_grad()
    def on_grid(self, beliefs: Beliefs, *, n_masses: int, n_lifetimes: int) -> Tensor:
        """Return log ratios of posterior and prior on a grid of the unit square.

        Args:
            beliefs: Of some sets.
            n_masses: Points in log mass, from end to end.
            n_lifetimes: Points in log lifetime.

        Returns:
            Shape ``(n_sets, n_masses, n_lifetimes)``; :meth:`grid_theta` has the parameters.
        """
        mass = torch.linspace(0, 1, n_masses, device=self.device)
        lifetime = torch.linspace(0, 1, n_lifetimes, device=self.device)
        n = len(beliefs.mass)
        of_mass = polygons.log_density(beliefs.mass, mass.expand(n, -1))
        of_lifetime = self._by_rows(
            beliefs,
            mass.expand(n, -1)[..., None],
            lambda logits, some: polygons.log_density(logits, lifetime.expand(len(some), -1)),
        )
        return of_mass[..., None] + of_lifetime

    def grid_theta(self, *, n_masses: int, n_lifetimes: int) -> Tensor:
        """Return the parameters of a grid's points, shape ``(n_masses, n_lifetimes, 2)``."""
        axes = (torch.linspace(0, 1, n, device=self.device) for n in (n_masses, n_lifetimes))
        return self.support.to_theta(torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1))

    def summarise(self, beliefs: Beliefs) -> Summary:
        """Return mean, standard deviation and median of the log mass of sets."""
        heights = polygons.to_heights(beliefs.mass)
        mean, std = polygons.moments(heights)
        middle = torch.full((len(heights), 1), 0.5, device=heights.device)
        median = polygons.quantiles(heights, middle)[:, 0]
        low, high = self.support.log_mass
        width = high - low
        return Summary(low + width * mean, width * std, low + width * median)

    def mass_below(self, beliefs: Beliefs, log_mass: Tensor) -> Tensor:
        """Return the probabilities of smaller masses, shape ``(n_sets,)``.

        Args:
            beliefs: Of some sets.
            log_mass: log10 of masses [GeV], shape ``(n_sets,)``.
        """
        low, high = self.support.log_mass
        place = (log_mass.to(self.device) - low) / (high - low)
        return polygons.distribution(polygons.to_heights(beliefs.mass), place[:, None])[:, 0]

    def _by_rows(
        self, beliefs: Beliefs, unit: Tensor, function: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """Return a function of the lifetimes' logits at places ``(n_sets, k, ...)``, by chunks."""
        k, conditions = unit.shape[1], self.network.conditions

        def of_rows(rows: slice) -> Tensor:
            table = self.network.lifetime_table(beliefs.rows(rows)).flatten(0, 1)
            below, fraction = conditions.place(unit[rows, :, 0])
            first = torch.arange(len(below), device=table.device) * conditions.n_points
            below = (below + first[:, None]).flatten()
            logits = torch.lerp(table[below], table[below + 1], fraction.flatten()[:, None])
            return function(logits, unit[rows].flatten(0, 1)).unflatten(0, (-1, k))

        return torch.cat(list(in_chunks(of_rows, len(unit), max(ROWS // k, 1))))


def train_sets(
    train: TrueSets,
    validation: TrueSets,
    *,
    settings: NetworkSettings,
    drawing: Drawing,
    training: TrainSettings,
    seed: int,
    device: torch.device,
    checkpoint: Path | None = None,
    finished: Path | None = None,
) -> tuple[SetPosterior, pd.DataFrame]:
    """Train posteriors of sets, which are measured anew in every epoch.

    Args:
        train: Decays at parameters from the prior, at least as many in a set as any set has.
        validation: Others of the kind.
        settings: Sizes of the network.
        drawing: Sizes of sets and detectors to train for.
        training: Settings of the training.
        seed: Seed of weights and of all measurements.
        device: Where to train.
        checkpoint: File to resume from.
        finished: File from which a repeated call returns.

    Returns:
        The posteriors, and one row per epoch (see :func:`bumpflow.train.fit`); losses are minus
        log ratios of posterior and prior at the truth [nat per set].
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "weights"))
        posterior = SetPosterior.build(settings, drawing)
    start = torch.Generator().manual_seed(derive_seed(seed, "standard"))
    posterior.network.standardise_by(drawing.draw(train.head(N_STANDARD), start))
    size = training.batch_size
    history = fit(
        posterior.network,
        loss,
        train=drawing.stream(train.to(device), batch_size=size, seed=seed),
        validation=drawing.stream(
            validation.to(device), batch_size=size, seed=derive_seed(seed, "validation")
        ),
        settings=training,
        seed=derive_seed(seed, "training"),
        device=device,
        checkpoint=checkpoint,
        finished=finished,
    )
    return posterior, history


def _check_sets(sets: EventSets) -> None:
    """Raise if there is nothing to learn from a set, or nonsense."""
    empty = (sets.n_events == 0).nonzero()[:, 0].tolist()
    if empty:
        msg = f"sets {empty[:5]} have no events: leave them out, their posterior is the prior"
        raise ValueError(msg)
    wrong = (~torch.isfinite(sets.x).all(-1) & sets.mask).nonzero().tolist()
    if wrong:
        msg = f"event {wrong[0][1]} of set {wrong[0][0]} has a feature that is not finite"
        raise ValueError(msg)
    if not bool((sets.sigmas > 0).all()):
        index = int((~(sets.sigmas > 0).all(1)).nonzero()[0])
        msg = f"set {index} has resolutions {sets.sigmas[index].tolist()}: all must be positive"
        raise ValueError(msg)
