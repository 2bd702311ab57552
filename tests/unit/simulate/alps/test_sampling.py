"""Sampled events: exact distributions, conserved momenta, blocks, sets, acceptance, messages."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

from bumpflow.simulate.alps.bounds import bound_mesons, prepare_points
from bumpflow.simulate.alps.decays import decay_probability
from bumpflow.simulate.alps.sampling import (
    BLOCK_SIZE,
    acceptance,
    sample_events,
    sample_events_at,
    sample_sets,
)
from bumpflow.simulate.beamdump import sample_parametrised
from bumpflow.simulate.kinematics import invariant_mass
from tests.unit.simulate.alps.setups import (
    DISPLACED,
    M_K,
    M_KSTAR,
    SHIP,
    SHORT,
    build,
    describe,
    pulls,
    rotate_and_boost,
    weigh_events,
)

SETUP = build(SHIP)
EASY = SHIP | {"prior": {"mass_gev": [0.1, 4.5], "lifetime_m_per_gev": [0.5, 5]}}
N_EVENTS, N_TRIES = 4096, 400_000
POINTS = [
    (SHIP, 0.2, 1.0),
    (SHIP, 4.0, 1.0),
    (SHIP, 1.0, 0.1),
    (SHIP, 2.5, 300.0),
    (SHORT, 0.3, 30.0),
    (SHORT, 4.4, 0.1),
    (DISPLACED, 1.0, 1.0),
    (DISPLACED, 2.0, 30.0),
]


def photon_momenta(events):
    """Return momenta (px, py, pz, E) of both photons, shape ``(2, n, 4)``."""
    both = [events[[f"true_px{i}", f"true_py{i}", f"true_pz{i}"]].to_numpy() for i in (1, 2)]
    return np.stack(
        [np.column_stack([one, np.linalg.norm(one, axis=1)]) for one in both],
    )


def at_point(mass, lifetime, n=N_EVENTS):
    return np.tile([np.log10(mass), np.log10(lifetime)], (n, 1))


@pytest.fixture(scope="module")
def events():
    """Return events over the prior of the default set-up."""
    return sample_events(SETUP, range(3), seed=1)


@pytest.mark.parametrize(("settings", "mass", "lifetime"), POINTS)
def test_events_agree_with_weighted_ones_of_another_program(settings, mass, lifetime):
    rng = np.random.default_rng(11)
    weights, weighted = weigh_events(settings, mass, lifetime, N_TRIES, rng)
    events = sample_events_at(at_point(mass, lifetime), build(settings), seed=3)
    assert np.square(weights.sum()) / np.square(weights).sum() > 500  # enough to compare with
    found = pulls(weights, weighted, describe(events))
    assert np.abs(list(found.values())).max() < 4, found


@pytest.mark.parametrize(("settings", "mass", "lifetime"), POINTS)
def test_acceptance_agrees_with_another_program(settings, mass, lifetime):
    weights, _ = weigh_events(settings, mass, lifetime, N_TRIES, np.random.default_rng(12))
    rng = np.random.default_rng(13)
    found = acceptance(at_point(mass, lifetime, 1), build(settings), n_tries=N_TRIES, rng=rng)
    error = np.hypot(weights.std() / np.sqrt(N_TRIES), found.error[0])
    assert found.value[0] == pytest.approx(weights.mean(), abs=4 * error)
    assert 0 < found.error[0] < 0.1 * found.value[0]


def test_lifetimes_have_their_limits():
    """Far too long ones are seen in inverse proportion, far too short ones never."""
    theta = np.array([[0.0, 5.0], [0.0, 6.0], [0.0, -3.0]])
    n, seed = 100_000, 15
    value = [
        acceptance(theta[i : i + 1], SETUP, n_tries=n, rng=np.random.default_rng(seed)).value[0]
        for i in range(3)
    ]
    assert value[0] / value[1] == pytest.approx(10, rel=1e-3)
    assert value[2] < 1e-12
    events = sample_events_at(np.tile(theta[1], (50, 1)), SETUP, seed=seed)
    assert events["vertex_z"].between(32, 82).all()


def test_errors_of_acceptances_are_their_spread():
    rng = np.random.default_rng(14)
    found = acceptance(at_point(1.0, 1.0, 400), SETUP, n_tries=500, rng=rng)
    assert found.value.std() == pytest.approx(np.sqrt(np.mean(found.error**2)), rel=0.15)


def test_accepted_events_have_the_prior_exactly(events):
    low, high = np.log10([0.1, 0.05]), np.log10([4.5, 500])
    theta = events[["log10_mass", "log10_lifetime"]].to_numpy()
    for column in ((theta - low) / (high - low)).T:
        assert kstest(column, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(theta.T)[0, 1]) < 4 / np.sqrt(len(theta))
    assert len(events) == 3 * BLOCK_SIZE


def test_both_photons_have_the_mass_of_their_point(events):
    mass = invariant_mass(photon_momenta(events).sum(axis=0))
    assert mass == pytest.approx(10 ** events["log10_mass"].to_numpy(), rel=1e-3)


def test_particles_come_from_the_target(events):
    vertex = events[["vertex_x", "vertex_y", "vertex_z"]].to_numpy()
    total = photon_momenta(events).sum(axis=0)
    slope = total[:, :2] / total[:, 2:3]
    assert vertex[:, :2] == pytest.approx(slope * vertex[:, 2:], rel=1e-6, abs=1e-9)


def test_events_are_seen_in_the_set_up(events):
    vertex = events[["vertex_x", "vertex_y", "vertex_z"]].to_numpy()
    x, y, z = vertex.T
    step = (z - 32) / 50
    assert np.all((step > 0) & (step < 1))
    assert np.all(np.abs(x) < 0.6 + 1.35 * step)
    assert np.all(np.abs(y) < 1.75 + 1.25 * step)
    assert (np.abs(x) / (0.6 + 1.35 * step)).max() > 0.99
    energy = photon_momenta(events)[..., 3]
    assert np.all(energy[0] >= energy[1])
    assert energy.min() > 1
    hit = np.stack([events[[f"true_x{i}", f"true_y{i}"]].to_numpy() for i in (1, 2)])
    assert np.all(np.abs(hit[..., 0]) < 2)
    assert np.all(np.abs(hit[..., 1]) < 3)
    assert np.linalg.norm(hit[0] - hit[1], axis=1).min() > 0.1


def energies_at_rest(mass, kaons, n=2000):
    """Return energies in the rest frame of B mesons that all have one momentum."""
    meson = np.array([[0.3, -0.1, 80.0, 0.0]])
    meson[0, 3] = np.sqrt(np.square(meson[0, :3]).sum() + 5.2795**2)
    setup = build(SHIP, kaons=kaons, prior={"mass_gev": [0.1, 4], "lifetime_m": [1, 2]})
    events = sample_events_at(at_point(mass, 1.0, n), setup, seed=5, mesons=meson)
    total = photon_momenta(events).sum(axis=0)
    return (meson[0, 3] * total[:, 3] - total[:, :3] @ meson[0, :3]) / 5.2795


@pytest.mark.parametrize(("name", "kaon"), [("k", M_K), ("kstar", M_KSTAR)])
def test_energy_and_momentum_of_the_kaon_are_conserved(name, kaon):
    expected = (5.2795**2 + 1.5**2 - kaon**2) / (2 * 5.2795)
    assert energies_at_rest(1.5, [name]) == pytest.approx(expected, rel=1e-6)


def test_kaons_are_seen_by_share_and_acceptance():
    share = {"k": 0.3, "kstar": 0.7}
    energy = energies_at_rest(1.5, share, n=4000)
    star = (5.2795**2 + 1.5**2 - M_KSTAR**2) / (2 * 5.2795)
    is_star = np.isclose(energy, star, rtol=1e-4)
    momentum = np.sqrt(np.square([0.3, -0.1, 80.0]).sum())
    meson = np.array([[0.3, -0.1, 80.0, np.hypot(momentum, 5.2795)]])
    alone = {}
    for name in share:
        setup = build(SHIP, kaons=[name], prior={"mass_gev": [0.1, 4], "lifetime_m": [1, 2]})
        rng = np.random.default_rng(16)
        alone[name] = acceptance(
            at_point(1.5, 1.0, 1), setup, n_tries=200_000, rng=rng, mesons=meson
        ).value[0]
    expected = share["kstar"] * alone["kstar"]
    expected /= expected + share["k"] * alone["k"]
    assert is_star.mean() == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(4000))


@pytest.mark.parametrize("settings", [SHIP, SHORT, DISPLACED])
def test_no_seen_decay_is_more_probable_than_its_bounds(settings):
    setup = build(settings)
    rng = np.random.default_rng(17)
    n = 200_000
    theta = setup.prior.sample(n, rng)
    points, meson = prepare_points(theta, setup), sample_parametrised(n, rng)
    place, kaon = np.arange(n), np.zeros(n, dtype=int)
    limit = bound_mesons(meson, place, kaon, points, setup)
    assert np.all(limit <= points.bound * (1 + 1e-12))
    cosine, phi = rng.uniform(-1, 1, n), rng.uniform(0, 2 * np.pi, n)
    mass = 10 ** theta[:, 0]
    momentum = np.sqrt((5.2795**2 - (mass + M_K) ** 2) * (5.2795**2 - (mass - M_K) ** 2))
    momentum /= 2 * 5.2795
    energy = np.sqrt(momentum**2 + mass**2)
    alp = rotate_and_boost(energy, momentum, cosine, phi, meson, 5.2795)
    slopes = np.abs(alp[:, :2] / alp[:, 2:3])
    ends = [settings["front"], settings["back"]]
    steep = [max(max(np.abs(e[k])) / e["z_m"] for e in ends) for k in ("x_m", "y_m")]
    possible = (alp[:, 2] > 0) & (slopes < steep).all(axis=1) & (alp[:, 3] > 2)
    possible &= alp[:, 2] >= alp[:, 3] * setup.least_cosine
    probability = decay_probability(10 ** theta[possible, 1] * alp[possible, 2], setup)
    assert possible.sum() > 100
    assert np.all(probability <= limit[possible] * (1 + 1e-9))
    assert (probability / limit[possible]).max() > 0.9


def test_blocks_do_not_depend_on_how_they_are_spread():
    setup = build(EASY)
    whole = sample_events(setup, [0, 1, 2], seed=2, n_events=100)
    parts = [sample_events(setup, blocks, seed=2, n_events=100) for blocks in ([2], [0, 1])]
    pd.testing.assert_frame_equal(whole[whole["block"] == 2].reset_index(drop=True), parts[0])
    pd.testing.assert_frame_equal(whole[whole["block"] < 2], parts[1])
    assert whole["block"].tolist() == [0] * 100 + [1] * 100 + [2] * 100
    assert len(whole["vertex_z"].unique()) == 300
    other = sample_events(setup, [0], seed=3, n_events=100)
    assert not np.isin(other["log10_mass"], whole["log10_mass"]).any()


def test_given_points_keep_their_order_and_their_events():
    setup = build(EASY)
    theta = setup.prior.sample(BLOCK_SIZE + 50, np.random.default_rng(18))
    whole = sample_events_at(theta, setup, seed=2)
    assert whole[["log10_mass", "log10_lifetime"]].to_numpy().tolist() == theta.tolist()
    first = sample_events_at(theta[:BLOCK_SIZE], setup, seed=2)
    pd.testing.assert_frame_equal(whole[:BLOCK_SIZE], first)
    mass = invariant_mass(photon_momenta(whole).sum(axis=0))
    assert mass == pytest.approx(10 ** theta[:, 0], rel=1e-3)


def test_sets_hold_different_events_of_one_point():
    theta = np.array([[0.0, 0.0], [-0.5, 0.3]])
    found = sample_sets(theta, 3, SETUP, seed=4)
    assert found["set"].tolist() == [0, 0, 0, 1, 1, 1]
    assert found["event"].tolist() == [0, 1, 2, 0, 1, 2]
    assert found["log10_mass"].tolist() == [0.0, 0.0, 0.0, -0.5, -0.5, -0.5]
    assert found["vertex_z"].is_unique


def test_mesons_are_drawn_from_a_table():
    table = sample_parametrised(5, np.random.default_rng(19))
    table = table[table[:, 2] > 60]
    setup = build(EASY)
    events = sample_events_at(at_point(2.0, 1.0, 500), setup, seed=1, mesons=table)
    total = photon_momenta(events).sum(axis=0)
    products = total[:, 3:] * table[:, 3] - total[:, :3] @ table[:, :3].T
    energy = (5.2795**2 + 2.0**2 - M_K**2) / (2 * 5.2795)
    closest = np.abs(products / 5.2795 - energy).min(axis=1)
    assert closest.max() < 1e-4


def test_points_that_are_never_seen_are_named():
    theta = np.array([[0.0, 0.0], [0.0, -4.0]])
    with pytest.raises(ValueError, match=r"mass of 1 GeV and c tau / m = 0\.0001 m/GeV, nor at 0"):
        sample_events_at(theta, SETUP, seed=1, max_tries=20_000)


@pytest.mark.parametrize(
    ("mesons", "message"),
    [
        (np.zeros((3, 3)), r"mesons have shape \(3, 3\)"),
        (np.zeros((0, 4)), r"mesons have shape \(0, 4\)"),
        (np.array([[0.0, 0, 10, 11.3], [0, 0, 10, 10.5]]), "row 1 of mesons"),
        (np.array([[0.0, 0, 10, np.nan]]), "row 0 of mesons"),
    ],
)
def test_wrong_tables_of_mesons_are_named(mesons, message):
    with pytest.raises(ValueError, match=message):
        sample_events(SETUP, [0], seed=1, n_events=1, mesons=mesons)


@pytest.mark.parametrize("theta", [np.zeros(2), np.zeros((0, 2)), np.full((2, 2), np.nan)])
def test_wrong_points_are_refused(theta):
    with pytest.raises(ValueError, match="must be finite rows of log10 mass"):
        sample_events_at(theta, SETUP, seed=1)


def test_empty_sets_and_too_few_tries_are_refused():
    with pytest.raises(ValueError, match="sets of 0 events"):
        sample_sets(np.zeros((1, 2)), 0, SETUP, seed=1)
    with pytest.raises(ValueError, match="n_tries is 1"):
        acceptance(np.zeros((1, 2)), SETUP, n_tries=1, rng=np.random.default_rng(1))
