"""A small network for sets of decays, whose weights are random, and sets for it."""

from functools import cache

import numpy as np
import torch

from bumpflow.reconstruction.amortised import SetPosterior
from bumpflow.reconstruction.network import NetworkSettings
from bumpflow.reconstruction.sets import Detectors, Drawing, EventSets, TrueSets, as_true_sets
from bumpflow.simulate.alps.sampling import sample_sets
from tests.unit.simulate.alps.setups import SHORT, build

SETUP = build(SHORT)
DETECTORS = Detectors((0.01, 0.1), (0.001, 0.01), (0.001, 0.01))
DRAWING = Drawing(SETUP, DETECTORS, (1, 4))
SETTINGS = NetworkSettings(
    n_masses=65,
    n_lifetimes=9,
    n_conditions=17,
    n_vertices=32,
    hidden_features=16,
    blocks=1,
    embedding=6,
    lifetime_features=12,
)
CPU = torch.device("cpu")


def new_generator(seed: int = 1) -> torch.Generator:
    """Return random numbers."""
    return torch.Generator().manual_seed(seed)


@cache
def true_sets(n: int = 300, n_events: int = 4, seed: int = 1) -> TrueSets:
    """Return decays at parameters from the prior."""
    theta = SETUP.prior.sample(n, np.random.default_rng(seed))
    return as_true_sets(sample_sets(theta, n_events, SETUP, seed=seed))


@cache
def measured() -> EventSets:
    """Return measured sets of different sizes."""
    return DRAWING.draw(true_sets(), new_generator())


@cache
def random_posterior() -> SetPosterior:
    """Return posteriors whose weights are all random, with plausible inputs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        posterior = SetPosterior.build(SETTINGS, DRAWING)
        for parameter in posterior.network.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    posterior.network.standardise_by(measured())
    posterior.network.eval()
    return posterior
