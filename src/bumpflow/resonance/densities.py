"""Densities of features at a given mass, trained on bootstraps of the events."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.quasirandom import SobolEngine

from bumpflow import io
from bumpflow.flows.density import DensitySettings, EventDensity, fit_density, restore, store
from bumpflow.preprocess import Rank
from bumpflow.splits import assign_splits
from bumpflow.train import TrainSettings
from bumpflow.workflow import derive_seed

CLOSEST = 1e-12  # of a quasi-random number to 0 and 1, whose images are infinite
PROPOSAL_EVENTS = 20_000


class Trained(NamedTuple):
    """Trained densities, and their losses, one row per epoch of each member of each density."""

    densities: list[EventDensity]
    history: pd.DataFrame


def smearing_widths(x: Tensor, scale: float) -> Tensor:
    """Return ``scale`` standard deviations of each feature of events, shape ``(features,)``."""
    return scale * x.double().std(0)


def smear(x: Tensor, widths: Tensor, *, generator: Generator | None = None) -> Tensor:
    """Return events with Gaussian noise, which softens hard edges.

    Args:
        x: Events, shape ``(n, features)``.
        widths: Standard deviation of each feature's noise, shape ``(features,)``, in its units.
        generator: Source of the noise.
    """
    noise = torch.randn(x.shape, generator=generator, dtype=torch.float64, device=x.device)
    return x.double() + widths * noise


def train_bootstraps(
    x: Tensor,
    mass: Tensor,
    *,
    settings: DensitySettings,
    n_bootstraps: int,
    training: TrainSettings,
    validation_fraction: float,
    seed: int,
    device: torch.device,
    checkpoints: Path | None = None,
) -> Trained:
    """Train one density on each of several bootstraps of the events.

    Args:
        x: Events, shape ``(n, features)``.
        mass: Their masses, shape ``(n,)``: the context.
        settings: What to build; its context is the mass.
        n_bootstraps: Densities, each with its own bootstrap; 0 trains a single density on the
            events as they are.
        training: Settings of the training.
        validation_fraction: Share of the events set aside for early stopping, other ones for
            each density.
        seed: Seed of everything random; each density derives its own.
        device: Where to train.
        checkpoints: Folder from which a killed training resumes.

    Returns:
        The densities, and their histories (see :func:`bumpflow.flows.density.fit_density`) with
        a column ``bootstrap``.
    """
    densities, histories = [], []
    for index in range(max(1, n_bootstraps)):
        own = derive_seed(seed, "bootstrap", str(index))
        parts = split_events(
            x,
            mass,
            validation_fraction=validation_fraction,
            seed=own,
            with_replacement=n_bootstraps > 0,
        )
        density = EventDensity(settings, seed=own)
        history = fit_density(
            density,
            train=parts[0],
            validation=parts[1],
            settings=training,
            seed=own,
            device=device,
            checkpoints=None if checkpoints is None else checkpoints / f"bootstrap{index}",
        )
        densities.append(density)
        histories.append(history.assign(bootstrap=index))
    return Trained(densities, pd.concat(histories, ignore_index=True))


def split_events(
    x: Tensor,
    mass: Tensor,
    *,
    validation_fraction: float,
    seed: int,
    with_replacement: bool,
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return training and validation events, features and context each.

    Every event belongs to one of them before any is drawn, so copies never fall on both sides.

    Args:
        x: Events, shape ``(n, features)``.
        mass: Their masses, shape ``(n,)``.
        validation_fraction: Share of the events for validation.
        seed: Seed of the split and the draws.
        with_replacement: Whether to draw ``n`` events, or to take them as they are.
    """
    context = mass[:, None]
    fractions = {"train": 1 - validation_fraction, "validation": validation_fraction}
    columns = torch.cat([x, context], dim=1).cpu().numpy().T
    held = assign_splits(columns, fractions=fractions, salt=derive_seed(seed, "split")) == 1
    rows = np.arange(len(x))
    if with_replacement:
        rows = np.random.default_rng(derive_seed(seed, "draws")).choice(rows, size=len(x))
    train, validation = (torch.from_numpy(part) for part in (rows[~held[rows]], rows[held[rows]]))
    return (x[train], context[train]), (x[validation], context[validation])


@torch.no_grad()
def log_densities(densities: Sequence[EventDensity], x: Tensor, mass: Tensor) -> Tensor:
    """Return each density's logarithm, shape ``(n_densities, n)``, in double precision.

    A density is the arithmetic mean of its members' densities, in the features' units.

    Args:
        densities: Trained densities, on the device of the events.
        x: Events, shape ``(n, features)``.
        mass: Their masses, shape ``(n,)``.
    """
    return torch.stack([density.log_prob(x, mass[:, None]) for density in densities])


@torch.no_grad()
def normalisation(
    density: EventDensity,
    masses: Sequence[float],
    *,
    seed: int,
    n_points: int = 16_384,
    n_repeats: int = 8,
) -> pd.DataFrame:
    r"""Integrate a density over all features at given masses.

    The integral is the mean of :math:`p(x)/g(x)` over scrambled Sobol points that follow a
    Gaussian copula :math:`g` with the marginals and rank correlations of the density's own
    draws; it covers the whole space. The geometric mean of members, which is what averaging
    their log densities amounts to, has an integral below 1 wherever members differ.

    Args:
        density: Trained density, on the CPU.
        masses: Masses to integrate at.
        seed: Seed of draws and points.
        n_points: Points per integral, a power of 2.
        n_repeats: Independent integrals, whose spread is the uncertainty.

    Returns:
        One row per mass and ``density``: ``integral`` and ``uncertainty`` of each ``member
        <number>``, of the ``arithmetic`` and the ``geometric`` mean, and of the ``ratio`` of
        the latter to the former.

    References:
        Owen (1997), https://doi.org/10.1214/aos/1031594731
    """
    tables = []
    for index, mass in enumerate(masses):
        own = derive_seed(seed, "normalisation", str(index))
        values = _integrals(density, mass, seed=own, n_points=n_points, n_repeats=n_repeats)
        names = [f"member {number}" for number in range(len(density.members))]
        tables.append(
            pd.DataFrame(
                {
                    "mass": mass,
                    "density": [*names, "arithmetic", "geometric", "ratio"],
                    "integral": values.mean(1),
                    "uncertainty": values.std(1, ddof=1) / math.sqrt(n_repeats),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _integrals(
    density: EventDensity, mass: float, *, seed: int, n_points: int, n_repeats: int
) -> NDArray:
    """Return the integrals in :func:`normalisation`'s order, shape ``(members + 3, repeats)``."""
    n_features = len(density.settings.features)
    context = torch.full((PROPOSAL_EVENTS, 1), mass, dtype=torch.float64)
    drawn = density.sample(PROPOSAL_EVENTS, context, generator=torch.Generator().manual_seed(seed))
    marginals = Rank(n_features).fit(drawn)
    scores = torch.special.ndtri(marginals(drawn)[0].clamp(CLOSEST, 1 - CLOSEST))
    root = torch.linalg.cholesky(torch.corrcoef(scores.T).reshape(n_features, n_features))
    log_volume = root.diagonal().log().sum()
    columns = []
    for repeat in range(n_repeats):
        own = derive_seed(seed, "points", str(repeat))
        points = SobolEngine(n_features, scramble=True, seed=own).draw(
            n_points, dtype=torch.float64
        )
        normal = torch.special.ndtri(points.clamp(CLOSEST, 1 - CLOSEST))
        correlated = normal @ root.T
        x = marginals.inverse(torch.special.ndtr(correlated))
        log_copula = (correlated.square() - normal.square()).sum(1) / 2 - log_volume
        log_members = density.member_log_probs(x, context[:1].expand(n_points, 1))
        log_ratios = log_members - marginals(x)[1] - log_copula
        members = log_ratios.exp().mean(1)
        arithmetic, geometric = members.mean(), log_ratios.mean(0).exp().mean()
        means = torch.stack([arithmetic, geometric, geometric / arithmetic])
        columns.append(torch.cat([members, means]))
    return torch.stack(columns, dim=1).numpy()


def store_densities(densities: Sequence[EventDensity]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and settings that :func:`restore_densities` rebuilds densities from."""
    tensors: dict[str, Tensor] = {}
    settings = []
    for index, density in enumerate(densities):
        own, chosen = store(density)
        tensors |= {f"{index}.{name}": tensor for name, tensor in own.items()}
        settings.append(chosen)
    return tensors, {"densities": settings}


def restore_densities(
    tensors: Mapping[str, Tensor], settings: Mapping[str, Any]
) -> list[EventDensity]:
    """Rebuild stored densities, ready to evaluate and to sample."""
    own: list[dict[str, Tensor]] = [{} for _ in settings["densities"]]
    for name, tensor in tensors.items():
        index, _, rest = name.partition(".")
        own[int(index)][rest] = tensor
    return [restore(*parts) for parts in zip(own, settings["densities"], strict=True)]


def load_densities(path: str | Path, *, device: torch.device | None = None) -> list[EventDensity]:
    """Read densities from their safetensors file.

    Raises:
        DamagedFile: If the file is damaged, or holds another kind of model.
    """
    restored = io.read_model(path, restore_densities)
    return [density.to(device or torch.device("cpu")) for density in restored]
