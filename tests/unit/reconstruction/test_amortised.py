import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from bumpflow.reconstruction.amortised import train_sets
from bumpflow.train import TrainSettings
from tests.unit.reconstruction.small import (
    CPU,
    DRAWING,
    SETTINGS,
    measured,
    new_generator,
    random_posterior,
    true_sets,
)

POSTERIOR = random_posterior()
SETS = measured().rows(slice(0, 6))
BELIEFS = POSTERIOR.look(SETS)
TRAINING = TrainSettings(learning_rate=3e-3, batch_size=50, max_epochs=3, patience=5)


def train(**changes):
    settings = {"settings": SETTINGS, "drawing": DRAWING, "training": TRAINING}
    more = {"seed": 1, "device": CPU}
    return train_sets(true_sets(), true_sets(100, 4, 2), **(settings | more | changes))


def test_density_is_normalised_in_the_parameters():
    mass, lifetime = torch.meshgrid(
        torch.linspace(-1.02, 0.68, 501), torch.linspace(-1.8, 3.1, 701), indexing="ij"
    )
    theta = torch.stack([mass, lifetime], dim=-1).flatten(0, 1)
    logs = POSTERIOR.log_prob(BELIEFS, theta.expand(6, -1, 2)).double()
    area = 1.7 / 500 * 4.9 / 700
    np.testing.assert_allclose(logs.exp().sum(1) * area, 1, atol=0.01)


def test_no_density_outside_of_the_prior():
    outside = torch.tensor([[0.0, 2.1], [-1.1, 0.5], [0.7, 0.0], [-0.5, -0.7]])
    assert torch.all(POSTERIOR.log_prob(BELIEFS.rows(slice(0, 4)), outside) == -torch.inf)


def test_draws_of_the_mass_follow_its_density():
    draws = POSTERIOR.sample(BELIEFS, 4000, generator=new_generator())
    assert draws.shape == (6, 4000, 2)
    for row in range(6):
        chosen = torch.full((4000,), row)
        rank = POSTERIOR.mass_below(BELIEFS.rows(chosen), draws[row, :, 0])
        assert kstest(rank, "uniform").pvalue > 1e-4


def test_draws_of_the_lifetime_follow_the_density_at_their_mass():
    draws = POSTERIOR.sample(BELIEFS, 500, generator=new_generator())
    unit = POSTERIOR.support.to_unit(draws)
    fine = torch.linspace(0, 1, 401)
    places = torch.stack(torch.broadcast_tensors(unit[..., :1], fine), dim=-1).flatten(1, 2)
    logs = POSTERIOR.log_prob(BELIEFS, POSTERIOR.support.to_theta(places)).double()
    density = logs.exp().unflatten(1, (500, 401)).flatten(0, 1)
    below = torch.cumulative_trapezoid(density / torch.trapezoid(density)[:, None])
    index = (unit[..., 1].flatten() * 400).long().clamp(1, 399)
    rank = below.gather(1, index[:, None] - 1)[:, 0]
    assert kstest(rank, "uniform").pvalue > 1e-4
    assert float(density.std(1).mean() / density.mean()) > 0.1


def test_single_places_and_many_agree():
    theta = POSTERIOR.sample(BELIEFS, 3, generator=new_generator())
    many = POSTERIOR.log_prob(BELIEFS, theta)
    torch.testing.assert_close(POSTERIOR.log_prob(BELIEFS, theta[:, 1]), many[:, 1])
    unit = POSTERIOR.support.to_unit(theta[:, 1])
    with torch.no_grad():
        exact = POSTERIOR.network.log_density(BELIEFS, unit.clamp(0, 1))
    torch.testing.assert_close(many[:, 1], exact - POSTERIOR.support.log_area)


def test_chunks_do_not_matter(monkeypatch):
    theta = POSTERIOR.sample(BELIEFS, 30, generator=new_generator())
    whole = POSTERIOR.log_prob(BELIEFS, theta)
    for name, size in (("CHUNK", 2), ("ROWS", 60)):
        monkeypatch.setattr(f"bumpflow.reconstruction.amortised.{name}", size)
    again = POSTERIOR.look(SETS)
    torch.testing.assert_close(POSTERIOR.log_prob(again, theta), whole, atol=1e-4, rtol=1e-4)
    same = POSTERIOR.sample(again, 30, generator=new_generator())
    torch.testing.assert_close(same, theta, atol=1e-4, rtol=1e-4)


def test_grid_is_the_density_over_the_prior():
    grid = POSTERIOR.on_grid(BELIEFS, n_masses=40, n_lifetimes=12)
    theta = POSTERIOR.grid_theta(n_masses=40, n_lifetimes=12).flatten(0, 1)
    exact = POSTERIOR.log_prob(BELIEFS, theta.expand(6, -1, 2)) + POSTERIOR.support.log_area
    torch.testing.assert_close(grid.flatten(1), exact, atol=2e-3, rtol=1e-3)


def test_summaries_are_those_of_draws():
    summary = POSTERIOR.summarise(BELIEFS)
    mass = POSTERIOR.sample(BELIEFS, 20_000, generator=new_generator())[..., 0].double()
    off = mass - summary.mean[:, None]
    for values, exact in ((off, 0), (off.square(), summary.std.square())):
        error = values.std(1) / math.sqrt(20_000)
        assert float(((values.mean(1) - exact) / error).abs().max()) < 4
    below = POSTERIOR.mass_below(BELIEFS, summary.median)
    np.testing.assert_allclose(below, 0.5, atol=1e-5)
    share = (mass < -0.3).double().mean(1)
    found = POSTERIOR.mass_below(BELIEFS, torch.full((6,), -0.3))
    np.testing.assert_allclose(found, share, atol=0.015)


def test_training_learns_and_repeats_itself():
    (one, history), (same, _) = train(), train()
    assert history["validation_loss"].iloc[-1] < history["validation_loss"].iloc[0] < 0
    for parts in zip(one.network.parameters(), same.network.parameters(), strict=True):
        assert torch.equal(*parts)
    other, _ = train(seed=2)
    assert not torch.equal(one.network.mass.weight, other.network.mass.weight)


def test_sets_without_events_are_refused():
    mask = SETS.mask.clone()
    mask[2] = False
    with pytest.raises(ValueError, match=r"sets \[2\] have no events"):
        POSTERIOR.look(SETS._replace(mask=mask))


def test_numbers_that_are_none_are_refused():
    x, sigmas = SETS.x.clone(), SETS.sigmas.clone()
    x[3, 0, 4], sigmas[1, 2] = torch.nan, 0
    with pytest.raises(ValueError, match="event 0 of set 3 has a feature that is not finite"):
        POSTERIOR.look(SETS._replace(x=x))
    with pytest.raises(ValueError, match="set 1 has resolutions"):
        POSTERIOR.look(SETS._replace(sigmas=sigmas))
