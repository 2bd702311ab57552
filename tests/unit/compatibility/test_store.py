import numpy as np
import pytest
import torch

from bumpflow import io
from bumpflow.compatibility.ensembles import ensemble_scores, store_pair_networks
from bumpflow.compatibility.grids import Axis
from bumpflow.compatibility.networks import build_pair_network
from bumpflow.compatibility.populations import Population
from bumpflow.compatibility.posteriors import Posterior, PosteriorSettings, store_posterior
from bumpflow.compatibility.ratio import RatioNet
from bumpflow.compatibility.store import (
    FIELDS,
    Hunters,
    PublishedPosterior,
    load_hunters,
    load_published,
    store_published,
)
from bumpflow.simulate.alps.features import diphoton_mass, observe
from bumpflow.simulate.alps.sampling import sample_events
from bumpflow.simulate.alps.settings import Resolution
from tests.unit.simulate.alps.setups import SHIP, build

RESOLUTION = {"hit_m": 1e-3, "energy": 0.05, "theta_rad": 0.01, "phi_rad": 0.01}
SIZES = PosteriorSettings(
    n_masses=20,
    n_lifetimes=4,
    n_vertices=12,
    hidden_features=8,
    blocks=1,
    rank=2,
    members=1,
    validation_fraction=0.1,
)
NETWORKS = {
    "eco": ("features", {"features": 10, "hidden_features": 8, "layers": 1}),
    "other": ("posteriors", {"features": 15, "channels": [4], "hidden_features": 4, "layers": 1}),
}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def made():
    """Return networks with random weights."""
    torch.manual_seed(1)
    posterior = Posterior.build(SIZES, build(SHIP), Resolution.from_settings(RESOLUTION))
    table = torch.tensor([[-1.0, 0.0, 0.5], [0.2, 0.1, 0.3]], dtype=torch.float64)
    posterior = posterior._replace(mass_resolution=table)
    published = PublishedPosterior(RatioNet(10, hidden_features=8, layers=2), Axis(-1, 0.6, 15))
    pairs = {
        name: (architecture, [build_pair_network(architecture, **sizes).eval() for _ in range(2)])
        for name, (architecture, sizes) in NETWORKS.items()
    }
    return Hunters(posterior, published, pairs)


@pytest.fixture(scope="module")
def loaded(made, tmp_path_factory):
    """Return the same networks, read from files."""
    folder = tmp_path_factory.mktemp("networks")
    stored = {
        "posterior": store_posterior(made.posterior, {"setup": SHIP, "resolution": RESOLUTION}),
        "ratio": store_published(made.published),
    }
    for name, (architecture, networks) in made.networks.items():
        stored[name] = store_pair_networks(networks, architecture)
    paths = {name: folder / f"{name}.safetensors" for name in stored}
    for name, (tensors, settings) in stored.items():
        io.write_tensors(paths[name], tensors, settings=settings)
    pairs = [paths[name] for name in NETWORKS]
    return load_hunters(paths["posterior"], paths["ratio"], pairs, on=CPU)


@pytest.fixture(scope="module")
def population():
    table = sample_events(build(SHIP), [0], seed=1, n_events=40)
    resolution = Resolution.from_settings(RESOLUTION)
    features = observe(table, build(SHIP), resolution, rng=np.random.default_rng(2))
    x = torch.tensor(features.to_numpy(), dtype=torch.float32)
    return Population(x, torch.zeros(40, 2))


def test_files_give_the_same_networks_back(made, loaded, population):
    for one, other in zip(made.pool(population), loaded.pool(population), strict=True):
        assert torch.equal(one, other)
    pool = made.pool(population)
    for name, scorer in made.scorers().items():
        x = getattr(pool, scorer.field)[None]
        assert torch.equal(scorer.scores(x, None), loaded.scorers()[name].scores(x, None))


def test_published_posteriors_come_back_alone(made, tmp_path, population):
    tensors, settings = store_published(made.published)
    io.write_tensors(tmp_path / "ratio.safetensors", tensors, settings=settings)
    found = load_published(tmp_path / "ratio.safetensors", on=CPU)
    assert found.axis == made.published.axis
    assert torch.equal(found.log_ratio(population.x), made.published.log_ratio(population.x))


def test_published_ratios_average_to_one(made, population):
    found = made.published.log_ratio(population.x)
    assert found.shape == (40, 15)
    mean = found.exp() @ made.published.axis.weights
    torch.testing.assert_close(mean, torch.ones(40), atol=1e-5, rtol=0)
    # Up to that, they are the network's log odds.
    odds = made.published.network.eval()(population.x, made.published.axis.points[None]).detach()
    shift = odds - found
    torch.testing.assert_close(shift, shift[:, :1].expand(-1, 15), atol=1e-5, rtol=0)


def test_pools_hold_what_networks_say(made, population):
    pool = made.pool(population)
    assert torch.equal(pool.x, population.x)
    assert torch.equal(pool.log_ratio, made.posterior.log_ratio(population.x))
    assert torch.equal(pool.published, made.published.log_ratio(population.x))
    mass = diphoton_mass(population.x.numpy())
    np.testing.assert_allclose(pool.log10_mass, np.log10(mass), atol=1e-6)
    masses, widths = made.posterior.mass_resolution.numpy()
    expected = np.interp(np.log10(mass), masses, widths)
    np.testing.assert_allclose(pool.resolution, expected, rtol=1e-5)


def test_scorers_look_at_what_their_architecture_needs(loaded, population):
    scorers = loaded.scorers()
    assert list(scorers) == list(NETWORKS)
    pool = loaded.pool(population)
    for name, (architecture, _) in NETWORKS.items():
        assert scorers[name].field == FIELDS[architecture]
        x, mask = getattr(pool, FIELDS[architecture])[None], torch.arange(40)[None] < 30
        exact = ensemble_scores(loaded.networks[name][1], x, mask)
        assert torch.equal(scorers[name].scores(x, mask), exact)


def test_closed_form_is_the_bayes_factor(made, population):
    scorer = made.closed_form()
    ratio = getattr(made.pool(population), scorer.field).double().exp()
    factor = torch.einsum("ig,jg,g->ij", ratio, ratio, made.posterior.grid.mass.weights.double())
    found = scorer.scores(ratio.log().float()[None], torch.ones(1, 40, dtype=torch.bool))[0]
    torch.testing.assert_close(found.double(), factor / (1 + factor), atol=1e-5, rtol=0)


def test_published_posteriors_are_computed_if_a_network_needs_them(made, population):
    hunters = made._replace(networks={"eco": made.networks["eco"]})
    pool = hunters.pool(population)
    assert pool.published.shape == (40, 0)
    assert torch.equal(pool.log_ratio, made.pool(population).log_ratio)
