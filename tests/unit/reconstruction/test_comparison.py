import math

import numpy as np
import pytest
import torch
from scipy.stats import t

from bumpflow.reconstruction.comparison import (
    Estimates,
    compare,
    estimate_from_diphotons,
    estimate_from_draws,
    estimate_from_network,
    estimate_from_product,
    map_sensitivity,
)
from bumpflow.reconstruction.sets import EventSets, TrueSets, draw_sets
from bumpflow.simulate.alps.features import diphoton_mass
from tests.unit.reconstruction.small import measured, new_generator, random_posterior, true_sets

POSTERIOR, SETS = random_posterior(), measured()
LOG_MASS = true_sets().theta[:, 0]


def test_network_and_its_draws_agree():
    sets, log_mass = SETS.rows(slice(0, 20)), LOG_MASS[:20]
    exact = estimate_from_network(POSTERIOR, sets, log_mass)
    draws = POSTERIOR.sample(POSTERIOR.look(sets), 5000, generator=new_generator())
    drawn = estimate_from_draws(draws, log_mass)
    assert np.abs((drawn.mean - exact.mean) / exact.std).max() < 4 / math.sqrt(5000)
    np.testing.assert_allclose(drawn.level, exact.level, atol=0.04)


def test_diphoton_estimates_are_means_of_masses():
    absent = SETS.x.masked_fill(~SETS.mask[..., None], torch.nan)
    found = estimate_from_diphotons(SETS._replace(x=absent), LOG_MASS)
    for row in range(20):
        x = SETS.x[row][SETS.mask[row]].numpy()
        each, n = np.log10(diphoton_mass(x)), len(x)
        assert found.mean[row] == pytest.approx(each.mean(), rel=1e-5)
        if n == 1:
            assert np.isnan(found.std[row])
        else:
            assert found.std[row] == pytest.approx(each.std(ddof=1) / math.sqrt(n), rel=1e-4)


def test_diphoton_intervals_are_those_of_student():
    found = estimate_from_diphotons(SETS, LOG_MASS)
    pull = np.abs(found.mean - LOG_MASS.numpy()) / found.std
    for size in (2, 3, 4):
        chosen = SETS.n_events.numpy() == size
        exact = 1 - 2 * t.sf(pull[chosen], size - 1)
        np.testing.assert_allclose(found.level[chosen], exact, atol=1e-6)


def test_product_of_a_single_event_is_its_posterior():
    one = EventSets(SETS.x[:12, :1], torch.ones(12, 1, dtype=torch.bool), SETS.sigmas[:12])
    exact = estimate_from_network(POSTERIOR, one, LOG_MASS[:12])
    found = estimate_from_product(POSTERIOR, one, LOG_MASS[:12], n_lifetimes=9)
    np.testing.assert_allclose(found.mean, exact.mean, atol=2e-3)
    np.testing.assert_allclose(found.level, exact.level, atol=0.05)


def test_product_multiplies_on_the_grid(monkeypatch):
    monkeypatch.setattr("bumpflow.reconstruction.comparison.PRODUCT_CHUNK", 2)
    sets = SETS.rows((SETS.n_events == 3).nonzero()[:5, 0])
    found = estimate_from_product(POSTERIOR, sets, torch.zeros(5), n_lifetimes=30)
    mass = np.linspace(*POSTERIOR.support.log_mass, 65)
    for row in range(5):
        total = 0
        for event in range(3):
            x = sets.x[row : row + 1, event : event + 1]
            single = EventSets(x, torch.ones(1, 1, dtype=torch.bool), sets.sigmas[row : row + 1])
            total = total + POSTERIOR.on_grid(POSTERIOR.look(single), n_masses=65, n_lifetimes=30)
        density = np.exp(total[0].double().numpy() - float(total.max()))
        marginal = np.trapezoid(density, axis=1)
        fine = np.linspace(mass[0], mass[-1], 20_001)
        polygon = np.interp(fine, mass, marginal)
        mean = np.trapezoid(polygon * fine) / np.trapezoid(polygon)
        assert found.mean[row] == pytest.approx(mean, abs=2e-3)


def test_comparison_in_numbers():
    rng = np.random.default_rng(1)
    log_mass = rng.uniform(-1, 0.6, 4000)
    off = 0.02 + 0.1 * rng.standard_normal(4000)
    claimed = np.full(4000, 0.1)
    level = rng.random(4000)
    claimed[:100] = np.nan  # nothing claimed
    row = compare(Estimates(log_mass + off, claimed, level), log_mass)
    assert row["bias"] == pytest.approx(0.02, abs=4 * row["bias_error"])
    assert row["spread"] == pytest.approx(0.1, abs=4 * row["spread_error"])
    assert row["sigma"] == pytest.approx(0.1)
    assert row["pull_width"] == pytest.approx(1, abs=0.05)
    assert row["coverage95"] == pytest.approx(0.95, abs=4 * row["coverage95_error"])
    assert row["n"] == 4000


def test_nothing_claimed_is_not_a_number():
    row = compare(Estimates(np.zeros(5), np.full(5, np.nan), np.full(5, np.nan)), np.arange(5.0))
    assert row["bias"] == -2
    assert math.isnan(row["sigma"])
    assert math.isnan(row["coverage68"])


def test_sensitivity_of_each_detector():
    table = map_sensitivity(
        POSTERIOR,
        true_sets().head(80),
        energy=[0.01, 0.1],
        angle_rad=[0.001, 0.003, 0.01],
        hit_m=1e-3,
        n_events=2,
        generator=new_generator(),
    )
    assert table["energy"].round(6).tolist() == 3 * [0.01] + 3 * [0.1]
    assert table["angle_rad"].round(6).tolist() == 2 * [0.001, 0.003, 0.01]
    diphoton = table["diphoton"].to_numpy().reshape(2, 3)
    assert (np.diff(diphoton, axis=1) > 0).all()
    assert diphoton[1, 0] > diphoton[0, 0]
    assert np.isfinite(table[["sigma", "spread"]]).all(axis=None)


def test_map_is_what_single_detectors_give():
    given = {"energy": [0.05, 0.02], "angle_rad": [0.005], "hit_m": 1e-3, "n_events": 3}
    table = map_sensitivity(POSTERIOR, true_sets(), generator=new_generator(), **given)
    twice = TrueSets(true_sets().photons.repeat(2, 1, 1, 1), true_sets().theta.repeat(2, 1))
    first, second = ([[1e-3, energy, 0.005, 0.005]] for energy in (0.05, 0.02))
    sets = draw_sets(
        twice,
        torch.full((600,), 3),
        torch.tensor(300 * first + 300 * second),
        POSTERIOR.drawing.setup,
        wrap=True,
        generator=new_generator(),
    )
    found = estimate_from_network(POSTERIOR, sets, twice.theta[:, 0])
    off = found.mean - twice.theta[:, 0].numpy()
    np.testing.assert_allclose(table["sigma"], found.std.reshape(2, 300).mean(1), rtol=1e-4)
    rms = np.sqrt(np.square(off).reshape(2, 300).mean(1))
    np.testing.assert_allclose(table["spread"], rms, rtol=1e-4)
