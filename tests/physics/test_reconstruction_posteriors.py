"""Posteriors of masses and lifetimes from simulated decays, after a short training."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bumpflow.reconstruction.amortised import train_sets
from bumpflow.reconstruction.checks import check_prediction
from bumpflow.reconstruction.comparison import (
    compare,
    estimate_from_diphotons,
    estimate_from_network,
    estimate_from_product,
    map_sensitivity,
)
from bumpflow.reconstruction.diagnostics import diagnose, place_truths
from bumpflow.reconstruction.network import NetworkSettings
from bumpflow.reconstruction.sets import Detectors, Drawing, as_true_sets
from bumpflow.reconstruction.weights import log_rate, reweight, tabulate_acceptance
from bumpflow.simulate.alps.sampling import sample_sets
from bumpflow.train import TrainSettings
from tests.unit.simulate.alps.setups import SHORT, build

pytestmark = pytest.mark.physics

SETUP = build(SHORT)
ALL = Detectors((0.01, 0.1), (0.001, 0.01), (0.001, 0.01))
DRAWING = Drawing(SETUP, ALL, (1, 6))
SETTINGS = NetworkSettings(
    n_masses=257,
    n_lifetimes=24,
    n_conditions=65,
    n_vertices=64,
    hidden_features=64,
    blocks=1,
    embedding=32,
    lifetime_features=48,
)
TRAINING = TrainSettings(
    learning_rate=3e-3, batch_size=256, max_epochs=6, patience=6, restart_epochs=6
)
CPU = torch.device("cpu")


def simulate(n, seed, *, at=None):
    """Return sets of six decays at parameters from the prior, or at one point."""
    theta = SETUP.prior.sample(n, np.random.default_rng(seed))
    if at is not None:
        theta = np.tile(np.log10(at), (n, 1))
    return as_true_sets(sample_sets(theta, 6, SETUP, seed=seed))


@pytest.fixture(scope="module")
def posterior():
    """Posteriors from a training of less than a minute."""
    found, _ = train_sets(
        simulate(16_000, 1),
        simulate(1000, 2),
        settings=SETTINGS,
        drawing=DRAWING,
        training=TRAINING,
        seed=1,
        device=CPU,
    )
    return found


TEST = simulate(3000, 3)


def new_generator(seed=4):
    return torch.Generator().manual_seed(seed)


def measure(true, n_events, *, detectors=ALL):
    drawing = Drawing(SETUP, detectors, (n_events, n_events))
    return drawing.draw(true, new_generator())


def poor(true, n_events):
    """Return sets of the worst detector."""
    return measure(
        true, n_events, detectors=replace(ALL, energy=(0.1, 0.1), angle_rad=(0.01,) * 2)
    )


@pytest.mark.parametrize("n_events", [2, 3, 6])
def test_posteriors_cover_truths_of_the_prior(posterior, n_events):
    sets, generator = measure(TEST, n_events), new_generator()
    beliefs = posterior.look(sets)

    def draw(chosen):
        some = beliefs.rows(chosen)
        draws = posterior.sample(some, 199, generator=generator)
        truth = posterior.log_prob(some, TEST.theta[chosen])
        return draws, posterior.log_prob(some, draws), truth

    placed = place_truths(draw, TEST.theta, posterior.support, generator=generator)
    found = diagnose(placed, posterior.support, rng=np.random.default_rng(5))
    assert found.tarp.deviation.value < 0.05
    assert found.density.deviation.value < 0.06
    assert all(one.distance < 0.05 for one in found.uniformity.values())
    assert found.contraction["log10_mass"].value > 0.95


def test_more_events_and_better_detectors_tell_more(posterior):
    def information(sets):
        logs = posterior.log_prob(posterior.look(sets), TEST.theta)
        return float(logs.mean()) + posterior.support.log_area

    good = replace(ALL, energy=(0.01, 0.01), angle_rad=(0.001, 0.001))
    by_number = [information(measure(TEST, n)) for n in (1, 2, 3, 6)]
    assert np.all(np.diff(by_number) > 0.2)
    assert information(poor(TEST, 3)) + 1 < information(measure(TEST, 3, detectors=good))


@pytest.mark.parametrize("mass", [0.2, 1.0, 4.0])
def test_networks_beat_the_diphoton_mass_of_poor_detectors(posterior, mass):
    true = simulate(400, 6, at=(mass, 1 / mass))
    sets, log_mass = poor(true, 3), true.theta[:, 0]
    rows = [
        compare(estimates, log_mass.numpy())
        for estimates in (
            estimate_from_network(posterior, sets, log_mass),
            estimate_from_diphotons(sets, log_mass),
        )
    ]
    assert rows[0]["spread"] < 0.6 * rows[1]["spread"]
    assert abs(rows[0]["bias"]) < 0.5 * rows[0]["spread"]


def test_sets_tell_as_much_as_products_of_their_events(posterior):
    sets, log_mass = measure(TEST.head(300), 3), TEST.theta[:300, 0]
    ours = estimate_from_network(posterior, sets, log_mass)
    product = estimate_from_product(posterior, sets, log_mass, n_lifetimes=24)
    spreads = [np.median(np.abs(one.mean - log_mass.numpy())) for one in (ours, product)]
    assert spreads[0] < 1.1 * spreads[1]
    assert np.corrcoef(ours.mean, product.mean)[0, 1] > 0.98


def test_number_of_events_sharpens_the_lifetime(posterior):
    table = tabulate_acceptance(
        SETUP, n_masses=15, n_lifetimes=21, n_tries=2000, rng=np.random.default_rng(7)
    )
    true = simulate(50, 8, at=(1, 0.3))
    draws = posterior.sample(posterior.look(measure(true, 3)), 2000, generator=new_generator())
    expected = 3 / float(table(true.theta[:1]).exp())
    known = reweight(draws, log_rate(table(draws), 3, n_decays=(0.8 * expected, 1.2 * expected)))
    life = draws[..., 1].double()
    mean = (known.weights * life).sum(1, keepdim=True)
    std = (known.weights * (life - mean) ** 2).sum(1).sqrt()
    assert float((std / life.std(1)).mean()) < 0.9
    assert float((mean[:, 0] - true.theta[:, 1]).abs().mean()) < float(
        (life.mean(1) - true.theta[:, 1]).abs().mean()
    )


def test_predictions_hold_observed_sets(posterior):
    sets = measure(TEST.head(20), 3)
    draws = posterior.sample(posterior.look(sets), 100, generator=new_generator())
    p = [
        check_prediction(sets.rows(slice(i, i + 1)), draws[i], DRAWING, seed=i).p
        for i in range(20)
    ]
    assert min(p) > 0.001
    assert 0.25 < np.mean(p) < 0.8


def test_map_of_detectors_is_smooth_and_rises(posterior):
    table = map_sensitivity(
        posterior,
        simulate(200, 9, at=(1, 1)),
        energy=[0.01, 0.03, 0.1],
        angle_rad=[0.001, 0.003, 0.01],
        hit_m=1e-3,
        n_events=3,
        generator=new_generator(),
    )
    sigma = table["sigma"].to_numpy().reshape(3, 3)
    assert (np.diff(sigma, axis=1) > 0).all()
    assert (np.diff(sigma, axis=0) > 0).all()
