import numpy as np
import pytest

from bumpflow.simulate.hard.form_factors import grid_points, tabulate_form_factors
from bumpflow.simulate.hard.hh_process import DoubleHiggs
from bumpflow.simulate.kinematics import invariant_mass

EIGHT = [21, 21, 25, 25, 5, -5, 22, 22]


@pytest.fixture(scope="module")
def process():
    table = tabulate_form_factors(*grid_points(40, 10), n_nodes=96)
    return DoubleHiggs(table, energy_gev=14000.0, pdf="nnpdf23lo")


@pytest.fixture(scope="module")
def partons(process):
    return process.draw(20_000, np.random.default_rng(1))


def test_events_are_decay_chains_that_conserve_momentum(partons):
    p = partons.momenta
    np.testing.assert_array_equal(partons.pdg, np.tile(EIGHT, (20_000, 1)))
    assert partons.status.tolist() == [-1, -1, 2, 2, 1, 1, 1, 1]
    for parents, products in (([0, 1], [2, 3]), ([2], [4, 5]), ([3], [6, 7])):
        before, after = p[:, parents].sum(axis=1), p[:, products].sum(axis=1)
        np.testing.assert_allclose(before, after, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(
        invariant_mass(p)[:, :4], np.tile([0, 0, 125, 125], (20_000, 1)), atol=2e-2
    )
    np.testing.assert_allclose(invariant_mass(p[:, 4] + p[:, 5]), 125, rtol=1e-6)
    np.testing.assert_allclose(partons.scale, invariant_mass(p[:, 2] + p[:, 3]) / 2, rtol=1e-9)
    assert np.all((p[:, :2, 3] > 0) & (p[:, :2, 3] < 7000))
    assert np.all(partons.weights >= 1)
    assert partons.weights.mean() < 1.001


def test_colour_flows_between_gluons_and_between_quarks(partons):
    first = partons.colours[0].tolist()
    assert first[0] == first[1][::-1]
    assert first[4][0] == first[5][1] != 0
    assert first[2] == first[3] == first[6] == first[7] == [0, 0]


def test_same_random_numbers_give_the_same_events(process):
    one, two = (process.draw(30, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.momenta, two.momenta)
    assert len(one) == 30


def test_unweighted_masses_follow_the_weights(process, partons):
    rng = np.random.default_rng(7)
    low, high = process._factors.range_gev
    mass = low + (high - low) * rng.random(400_000) ** 2
    density = 1 / (2 * np.sqrt((mass - low) * (high - low)))
    weights = process._weights(mass, *rng.uniform(-1, 1, (2, 400_000))) / density
    for edge in (350.0, 420.0, 600.0):
        expected = weights[mass < edge].sum() / weights.sum()
        error = np.sqrt(expected * (1 - expected) / 20_000) + 2e-3
        assert np.mean(2 * partons.scale < edge) == pytest.approx(expected, abs=4 * error)
    total = 4 * weights.mean()  # the volume of position and cosine
    assert process.pair_crosssection_pb == pytest.approx(
        total, abs=4 * 4 * weights.std() / np.sqrt(400_000)
    )


def test_higgs_bosons_decay_isotropically(partons):
    boson, photon = partons.momenta[:, 3], partons.momenta[:, 6]
    direction = boson[:, :3] / np.linalg.norm(boson[:, :3], axis=1)[:, None]
    speed = np.linalg.norm(boson[:, :3], axis=1) / boson[:, 3]
    along = (photon[:, :3] * direction).sum(axis=1)
    cosine = (along / photon[:, 3] - speed) / (1 - speed * along / photon[:, 3])
    assert np.mean(cosine) == pytest.approx(0, abs=4 / np.sqrt(3 * 20_000))
    for first, second in ((4, 5), (6, 7)):
        ahead = partons.momenta[:, first, 2] > partons.momenta[:, second, 2]
        assert np.mean(ahead) == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(20_000))
    assert np.mean(cosine**2) == pytest.approx(1 / 3, abs=4 * np.sqrt(4 / 45 / 20_000))


def test_branching_fraction_is_in_the_crosssection(process):
    factor = process.crosssection_pb / process.pair_crosssection_pb
    assert factor == pytest.approx(2 * 0.5824 * 0.00227)
    assert 0 < process.crosssection_error_pb < 0.01 * process.crosssection_pb


def test_beams_without_enough_energy_are_refused():
    table = tabulate_form_factors(*grid_points(14, 4), n_nodes=48)
    with pytest.raises(ValueError, match=r"beams of 200.0 GeV cannot make a pair"):
        DoubleHiggs(table, energy_gev=200.0, pdf="nnpdf23lo")
