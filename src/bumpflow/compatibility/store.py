"""All trained networks of ALP hunts, read from their files, and what they say of events."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, device

from bumpflow import io
from bumpflow.compatibility.ensembles import ensemble_scores, restore_pair_networks
from bumpflow.compatibility.grids import Axis
from bumpflow.compatibility.hunting import Pool, Scorer
from bumpflow.compatibility.networks import PairNet
from bumpflow.compatibility.pairs import pair_scores
from bumpflow.compatibility.populations import Population, log10_diphoton_mass
from bumpflow.compatibility.posteriors import Posterior, load_posterior
from bumpflow.compatibility.ratio import RatioNet, log_ratios, restore_ratio, store_ratio
from bumpflow.compatibility.windows import resolution_at

FIELDS = {"features": "x", "posteriors": "published"}
"""What of an event networks for pairs look at, by architecture."""


class PublishedPosterior(NamedTuple):
    """Posteriors of the mass by ratio estimation.

    Attributes:
        network: The network.
        axis: Masses of the grid.
    """

    network: RatioNet
    axis: Axis

    def log_ratio(self, x: Tensor) -> Tensor:
        """Return log ratios of posterior and prior of the mass, shape ``(n, n_masses)``."""
        return log_ratios(self.network, x, self.axis.points, self.axis.weights)


class Hunters(NamedTuple):
    """Trained networks.

    Attributes:
        posterior: Posteriors on a grid.
        published: Published ones.
        networks: Networks for pairs, and their architecture, by hunt.
    """

    posterior: Posterior
    published: PublishedPosterior
    networks: Mapping[str, tuple[str, Sequence[PairNet]]]

    def pool(self, population: Population) -> Pool:
        """Return events with what networks say of them."""
        x = population.x.to(self.posterior.device)
        fields = {FIELDS[architecture] for architecture, _ in self.networks.values()}
        published = self.published.log_ratio(x) if "published" in fields else x[:, :0]
        mass = log10_diphoton_mass(x)
        resolution = resolution_at(mass, *self.posterior.mass_resolution)
        return Pool(x, self.posterior.log_ratio(x), published, mass, resolution)

    def scorers(self) -> dict[str, Scorer]:
        """Return the networks' scores of pairs, by hunt."""
        return {
            name: Scorer(FIELDS[architecture], partial(ensemble_scores, networks))
            for name, (architecture, networks) in self.networks.items()
        }

    def closed_form(self) -> Scorer:
        """Return the scores of pairs that follow from posteriors alone."""
        weights = self.posterior.grid.mass.weights.to(self.posterior.device)
        return Scorer("log_ratio", lambda x, mask: pair_scores(x, weights, mask=mask))


def store_published(published: PublishedPosterior) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and settings that :func:`load_published` needs."""
    tensors, settings = store_ratio(published.network)
    return tensors, settings | {"axis": vars(published.axis)}


def load_published(path: Path, *, on: device) -> PublishedPosterior:
    """Read posteriors by ratio estimation, ready for use on a device.

    Raises:
        DamagedFile: If the file is damaged, or holds another kind of model.
    """

    def restore(tensors: dict[str, Tensor], settings: dict[str, Any]) -> PublishedPosterior:
        network = restore_ratio(tensors, settings, device=on)
        return PublishedPosterior(network, Axis(**settings["axis"]))

    return io.read_model(path, restore)


def load_hunters(posterior: Path, ratio: Path, networks: Sequence[Path], *, on: device) -> Hunters:
    """Read trained networks; those for pairs are named as their files.

    Raises:
        DamagedFile: If a file is damaged, or holds another kind of model.
    """

    def restore(
        tensors: dict[str, Tensor], settings: dict[str, Any]
    ) -> tuple[str, Sequence[PairNet]]:
        trained = restore_pair_networks(tensors, settings, device=on)
        return settings["architecture"], trained

    pairs = {path.stem: io.read_model(path, restore) for path in networks}
    return Hunters(load_posterior(posterior, device=on), load_published(ratio, on=on), pairs)
