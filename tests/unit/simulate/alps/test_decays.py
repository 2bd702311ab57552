"""Decays in the vessel: probabilities, vertices, photons, and what can be seen of them."""

import numpy as np
import pytest
from scipy.stats import kstest, truncexpon

from bumpflow.simulate.alps.decays import (
    decay_probability,
    decay_to_photons,
    largest_probability,
    least_energy,
    place_vertices,
)
from bumpflow.simulate.kinematics import invariant_mass
from tests.unit.simulate.alps.setups import SHIP, SHORT, build

SETUP = build(SHIP)


def along(pz, mass, n=1, slope=0.0):
    """Return momenta of particles along the beam, or with a slope in x."""
    row = [slope * pz, 0.0, pz, np.sqrt((1 + slope**2) * pz**2 + mass**2)]
    return np.tile(row, (n, 1))


def test_probability_is_that_of_an_exponential_between_both_ends():
    length = np.array([3.0, 50.0, 1e7])
    expected = np.exp(-32 / length) - np.exp(-82 / length)
    assert decay_probability(length, SETUP) == pytest.approx(expected, rel=1e-6)
    assert decay_probability(np.array([1e15]), SETUP) == pytest.approx(50 / 1e15, rel=1e-9)


def test_largest_probability_is_no_less_than_any_in_the_range():
    grid = np.geomspace(0.5, 5000, 4001)
    values = decay_probability(grid, SETUP)
    rng = np.random.default_rng(2)
    first, last = np.sort(rng.integers(0, len(grid), (2, 200)), axis=0)
    found = largest_probability(grid[first], grid[last], SETUP)
    best = np.array([values[a : b + 1].max() for a, b in zip(first, last, strict=True)])
    assert np.all(found >= best * (1 - 1e-12))
    assert found == pytest.approx(best, rel=1e-4)


def test_vertices_are_distributed_as_a_truncated_exponential():
    n = 20_000
    for pz, lifetime in ((60.0, 0.05), (60.0, 1.0), (20.0, 1e6)):
        rng = np.random.default_rng(4)
        vertex = place_vertices(along(pz, 15.0, n, slope=0.5), np.full(n, lifetime), SETUP, rng)
        length = lifetime * pz
        expected = truncexpon(b=50 / length, loc=32, scale=length)
        assert kstest(vertex[:, 2], expected.cdf).pvalue > 1e-3
        assert vertex[:, 0] == pytest.approx(0.5 * vertex[:, 2], rel=1e-12)
        assert np.all(vertex[:, 1] == 0)


def test_photons_have_momentum_and_mass_of_what_decays():
    rng = np.random.default_rng(5)
    n = 2000
    mass = rng.uniform(0.1, 4.5, n)
    momentum = np.column_stack([rng.normal(0, 1, (n, 2)), rng.uniform(5, 100, n), np.zeros(n)])
    momentum[:, 3] = np.sqrt((momentum[:, :3] ** 2).sum(axis=1) + mass**2)
    vertex = momentum[:, :3] * (50 / momentum[:, 2])[:, None]
    found = decay_to_photons(momentum, vertex, mass, SETUP, rng).momentum
    assert found.sum(axis=0) == pytest.approx(momentum, rel=1e-9)
    size = np.linalg.norm(found[..., :3], axis=-1)
    assert found[..., 3] == pytest.approx(size, rel=1e-9)
    assert np.all(found[0, :, 3] >= found[1, :, 3])
    assert invariant_mass(found.sum(axis=0)) == pytest.approx(mass, rel=1e-4)


def test_photons_have_no_preferred_direction():
    n = 20_000
    momentum, vertex = along(30.0, 3.0, n), np.tile([0.0, 0.0, 40.0], (n, 1))
    rng = np.random.default_rng(6)
    first = decay_to_photons(momentum, vertex, np.full(n, 3.0), SETUP, rng).momentum[0]
    energy, size = momentum[0, 3], 30.0
    cosine = (2 * first[:, 3] / energy - 1) * energy / size
    assert kstest(cosine, "uniform").pvalue > 1e-3  # of the more energetic one: from 0 to 1
    phi = np.arctan2(first[:, 1], first[:, 0])
    assert kstest((phi + np.pi) / (2 * np.pi), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(cosine, np.cos(phi))[0, 1]) < 4 / np.sqrt(n)


def test_hits_lie_on_straight_lines_from_the_vertex():
    n = 500
    rng = np.random.default_rng(7)
    vertex = np.column_stack([rng.uniform(-1, 1, (n, 2)), rng.uniform(32, 82, n)])
    photons = decay_to_photons(along(60.0, 1.0, n), vertex, np.ones(n), SETUP, rng)
    for momentum, hit in zip(photons.momentum, photons.hit, strict=True):
        line = np.column_stack([hit, np.full(n, 93.0)]) - vertex
        cross = np.cross(line, momentum[:, :3])
        assert np.abs(cross).max() < 1e-6


def seen(momentum, vertex, mass, **changes):
    """Return the photons of many decays of one kind, and which of them are seen."""
    n = 4000
    rng = np.random.default_rng(8)
    photons = decay_to_photons(
        np.tile(momentum, (n, 1)),
        np.tile(vertex, (n, 1)),
        np.full(n, mass),
        build(SHIP, **changes),
        rng,
    )
    return photons, photons.seen


def test_every_condition_on_photons_counts():
    momentum, vertex = along(12.0, 0.3)[0], np.array([1.5, 0.5, 78.0])
    photons, found = seen(momentum, vertex, 0.3)
    energy, pz, hit = photons.momentum[..., 3], photons.momentum[..., 2], photons.hit
    apart = np.hypot(hit[0, :, 0] - hit[1, :, 0], hit[0, :, 1] - hit[1, :, 1])
    inside = (np.abs(hit[..., 0]) < 2) & (np.abs(hit[..., 1]) < 3)
    forward = (pz > 0).all(axis=0)
    conditions = [forward, inside.all(axis=0), (energy > 1).all(axis=0), apart > 0.1]
    assert found.tolist() == np.all(conditions, axis=0).tolist()
    assert 0 < found.mean() < 1
    low_energy = seen(momentum, vertex, 0.3, min_energy_gev=0.01)[1]
    assert low_energy.sum() > found.sum()
    far_apart = seen(momentum, vertex, 0.3, min_separation_m=0.8)[1]
    assert 0 < far_apart.sum() < found.sum()


def test_photons_that_fly_backward_are_not_seen():
    photons, found = seen(along(1.0, 4.0)[0], np.array([0.0, 0.0, 60.0]), 4.0)
    backward = (photons.momentum[..., 2] <= 0).any(axis=0)
    assert backward.mean() > 0.5
    assert not found[backward].any()


def test_close_photons_are_not_seen():
    photons, found = seen(along(200.0, 0.2)[0], np.array([0.0, 0.0, 81.0]), 0.2)
    apart = np.linalg.norm(photons.hit[0] - photons.hit[1], axis=1)
    assert (apart < 0.1).mean() > 0.5
    assert not found[apart < 0.1].any()


@pytest.mark.parametrize("settings", [SHIP, SHORT])
def test_nothing_below_the_least_energy_is_seen(settings):
    setup = build(settings)
    n = 200_000
    rng = np.random.default_rng(9)
    mass = 10 ** rng.uniform(-1, np.log10(4.5), n)
    limit = least_energy(mass, setup)
    energy = limit * rng.uniform(0.9, 1.3, n)
    mass, limit, energy = (value[energy > mass] for value in (mass, limit, energy))
    n = len(mass)
    front, length, _ = setup.distances
    vertex = np.zeros((n, 3))
    vertex[:, 2] = front + length * rng.random(n)
    vertex[:, 1] = 0.03 * vertex[:, 2]
    size = np.sqrt(energy**2 - mass**2)
    momentum = np.column_stack([vertex / np.linalg.norm(vertex, axis=1)[:, None], energy])
    momentum[:, :3] *= size[:, None]
    found = decay_to_photons(momentum, vertex, mass, setup, rng).seen
    assert not found[energy < limit].any()
    assert found[energy >= limit].any()
