import math

import numpy as np
import pandas as pd
import pytest
import torch

from bumpflow import io
from bumpflow.compatibility import posteriors
from bumpflow.compatibility.grids import Axis
from bumpflow.compatibility.posteriors import (
    CLIFF,
    Posterior,
    PosteriorSettings,
    interpolate,
    joint_loss,
    load_posterior,
    store_posterior,
    train_posterior,
)
from bumpflow.simulate.alps.features import FEATURES, observe
from bumpflow.simulate.alps.sampling import PARAMETERS, sample_events
from bumpflow.simulate.alps.settings import Resolution
from bumpflow.train import TrainSettings
from tests.unit.simulate.alps.setups import SHIP, build

SETUP = build(SHIP)
RESOLUTION = {"hit_m": 1e-3, "energy": 0.05, "theta_rad": 0.01, "phi_rad": 0.01}
POOR = Resolution.from_settings(RESOLUTION)
SETTINGS = PosteriorSettings(
    n_masses=40,
    n_lifetimes=6,
    n_vertices=24,
    hidden_features=16,
    blocks=1,
    rank=3,
    members=2,
    validation_fraction=0.1,
)
TRAINING = TrainSettings(learning_rate=1e-2, batch_size=64, max_epochs=2, patience=5)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def events():
    """Features and true parameters of simulated events."""
    table = sample_events(SETUP, [0], seed=1, n_events=600)
    features = observe(table, SETUP, POOR, rng=np.random.default_rng(2))
    both = features[list(FEATURES)], table[list(PARAMETERS)]
    return tuple(torch.tensor(part.to_numpy(), dtype=torch.float32) for part in both)


@pytest.fixture
def untrained(events):
    """Posteriors with random weights, whose inputs are standardised."""
    torch.manual_seed(3)
    posterior = Posterior.build(SETTINGS, SETUP, POOR)
    for network in posterior.networks:
        network.standardise_by(posterior.pack(events[0]))
        torch.nn.init.normal_(network.average)
        torch.nn.init.normal_(network.sharpness.weight, std=0.3)
    return posterior


def train(events, **changes):
    settings = {"settings": SETTINGS, "setup": SETUP, "resolution": POOR, "training": TRAINING}
    return train_posterior(*events, **(settings | {"seed": 1, "device": CPU} | changes))


def test_interpolation_is_linear():
    axis = Axis(-1.0, 1.0, 9)
    rng = np.random.default_rng(4)
    logs, at = rng.normal(size=(50, 9)), rng.uniform(-1.2, 1.2, 50)
    found = interpolate(torch.from_numpy(logs), torch.from_numpy(at), axis)
    exact = [np.interp(x, axis.points, y) for x, y in zip(at, logs, strict=True)]
    np.testing.assert_allclose(found, exact, atol=1e-6)


def test_ratios_average_to_one_over_the_prior(untrained, events):
    grid = untrained.grid
    for log_ratio, weights in (
        (untrained.log_ratio(events[0]), grid.mass.weights),
        (untrained.joint_log_ratio(events[0]), grid.joint_weights),
    ):
        assert log_ratio.shape == (600, len(weights))
        assert float(log_ratio.std()) > 0.1
        torch.testing.assert_close(log_ratio.exp() @ weights, torch.ones(600), atol=2e-5, rtol=0)


def test_joint_posterior_has_that_of_the_mass_as_its_marginal(untrained, events):
    joint = untrained.joint_log_ratio(events[0]).view(600, 40, 6)
    marginal = (joint.exp() @ untrained.grid.lifetime.weights).log()
    torch.testing.assert_close(marginal, untrained.log_ratio(events[0]), atol=1e-4, rtol=0)


def test_members_are_averaged(untrained, events):
    alone = [untrained._replace(networks=[one]).log_ratio(events[0]) for one in untrained.networks]
    assert not torch.allclose(*alone)
    mean = (alone[0].exp() + alone[1].exp()) / 2
    torch.testing.assert_close(untrained.log_ratio(events[0]).exp(), mean)


@pytest.mark.parametrize("name", ["log_ratio", "joint_log_ratio"])
def test_results_do_not_depend_on_chunks(untrained, events, monkeypatch, name):
    whole = getattr(untrained, name)(events[0])
    for size in ("CHUNK", "JOINT_CHUNK"):
        monkeypatch.setattr(posteriors, size, 7)
    torch.testing.assert_close(getattr(untrained, name)(events[0]), whole, atol=2e-3, rtol=0)


def test_without_a_network_the_vertex_decides(untrained, events):
    network = untrained.networks[0]
    for layer in (network.mass, network.sharpness):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    inputs = untrained.pack(events[0][:50])
    found = untrained._replace(networks=[network]).log_ratio(events[0][:50])
    points = untrained.grid.mass.points.double().numpy() * math.log(10)
    ln_u = inputs[:, :1].double().numpy() - points
    axis = network.vertices.points.double().numpy()
    scans = inputs[:, -24:].double().numpy()
    exact = np.stack([np.interp(u, axis, scan) for u, scan in zip(ln_u, scans, strict=True)])
    beyond = np.maximum(axis[0] - ln_u, 0) + np.maximum(ln_u - axis[-1], 0)
    exact -= np.minimum((beyond / (axis[1] - axis[0])) ** 2, CLIFF)
    weights = untrained.grid.mass.weights.double().numpy()
    exact -= np.log(np.exp(exact) @ weights)[:, None]
    np.testing.assert_allclose(found, exact, atol=5e-3)


def test_loss_is_the_joint_posterior_at_the_truth(untrained, events):
    network, grid = untrained.networks[0], untrained.grid
    rng = torch.Generator().manual_seed(5)
    i, j = torch.randint(40, (600,), generator=rng), torch.randint(6, (600,), generator=rng)
    theta = torch.stack([grid.mass.points[i], grid.lifetime.points[j]], 1)
    loss = joint_loss(network, untrained.pack(events[0]), theta)
    joint = untrained._replace(networks=[network]).joint_log_ratio(events[0]).view(600, 40, 6)
    torch.testing.assert_close(loss, -joint[torch.arange(600), i, j], atol=1e-3, rtol=0)


def test_loss_is_linear_between_points(untrained, events):
    network, grid = untrained.networks[0], untrained.grid
    inputs = untrained.pack(events[0][:1]).expand(3, -1)
    shift = torch.tensor([0.0, 0.25, 1.0])
    mass = grid.mass.points[10] + shift * grid.mass.step
    theta = torch.stack([mass, grid.lifetime.points[2].expand(3)], 1)
    log_mass, numbers = network(inputs)
    of_mass = joint_loss(network, inputs, theta) + network.lifetimes(numbers, mass)[:, 2]
    torch.testing.assert_close(of_mass, torch.lerp(-log_mass[:, 10], -log_mass[:, 11], shift))
    theta = torch.stack(
        [mass[:1].expand(3), grid.lifetime.points[2] + shift * grid.lifetime.step], 1
    )
    loss = joint_loss(network, inputs, theta)
    torch.testing.assert_close(loss, torch.lerp(loss[:1], loss[2:], shift))


def test_gradients_reach_all_parameters(untrained, events):
    network = untrained.networks[0]
    joint_loss(network, untrained.pack(events[0]), events[1]).mean().backward()
    assert all(float(part.grad.abs().max()) > 0 for part in network.parameters())


def test_training_learns_and_repeats(events):
    before = torch.get_rng_state()
    posterior, history = train(events)
    assert torch.equal(torch.get_rng_state(), before)
    assert history["member"].tolist() == [0, 0, 1, 1]
    losses = history["validation_loss"].to_numpy().reshape(2, 2)
    assert np.all(losses[:, 1] < losses[:, 0])
    assert losses[0, 0] != losses[1, 0]
    again, _ = train(events)
    assert torch.equal(again.log_ratio(events[0]), posterior.log_ratio(events[0]))


def test_seeds_make_weights_and_shuffling(events, monkeypatch):
    seeds = []

    def fit(*_, seed, **__):
        seeds.append(seed)
        return pd.DataFrame({"epoch": [0]})

    monkeypatch.setattr(posteriors, "fit", fit)
    first, again, other = (train(events, seed=seed)[0].networks[0].shapes for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert seeds[:2] == seeds[2:4]
    assert len(set(seeds)) == 4


def test_inputs_are_standardised_by_training_events(events):
    still = TrainSettings(learning_rate=0.0, batch_size=64, max_epochs=1, patience=1)
    changed = [part.clone() for part in events]
    changed[0][540:, 0] += 1.0
    one, other = (train(x, training=still)[0].networks[0] for x in (events, changed))
    assert torch.equal(one.mean, other.mean)
    assert torch.equal(one.std, other.std)


def test_training_resumes_from_checkpoints(events, tmp_path):
    first, history = train(events, checkpoints=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= {"member0.safetensors"}
    again, same = train(events, checkpoints=tmp_path)
    assert torch.equal(first.log_ratio(events[0]), again.log_ratio(events[0]))
    assert history["validation_loss"].equals(same["validation_loss"])


def test_stored_posteriors_come_back(untrained, events, tmp_path):
    tensors, settings = store_posterior(untrained, {"setup": SHIP, "resolution": RESOLUTION})
    io.write_tensors(tmp_path / "posterior.safetensors", tensors, settings=settings)
    loaded = load_posterior(tmp_path / "posterior.safetensors", device=CPU)
    assert loaded[1:-1] == untrained[1:-1]
    assert torch.equal(loaded.mass_resolution, untrained.mass_resolution)
    assert loaded.device == CPU
    assert torch.equal(loaded.joint_log_ratio(events[0]), untrained.joint_log_ratio(events[0]))
