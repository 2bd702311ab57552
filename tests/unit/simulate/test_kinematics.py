"""Four-momenta: exact cases and invariances."""

import numpy as np
import pytest

from bumpflow.simulate.kinematics import (
    azimuth,
    boost,
    decay_two_body,
    delta_phi,
    delta_r,
    directions,
    from_pt_eta_phi_mass,
    invariant_mass,
    minkowski,
    pseudorapidity,
    transverse_momentum,
    two_body_momentum,
)


def random_momenta(n=200, seed=0, mass=5.0):
    rng = np.random.default_rng(seed)
    p = rng.normal(0, 50, (n, 3))
    return np.column_stack([p, np.sqrt(np.square(p).sum(axis=1) + mass**2)])


def test_components_of_a_momentum():
    p = np.array([3.0, 4.0, 12.0, 14.0])
    assert transverse_momentum(p) == 5
    assert invariant_mass(p) == pytest.approx(np.sqrt(196 - 169))
    assert pseudorapidity(p) == pytest.approx(np.arctanh(12 / 13))
    assert azimuth(p) == pytest.approx(np.arctan2(4, 3))


def test_along_the_beam_pseudorapidity_is_infinite():
    assert pseudorapidity(np.array([0.0, 0.0, -5.0, 5.0])) == -np.inf


def test_spacelike_momenta_have_no_mass():
    assert invariant_mass(np.array([3.0, 0.0, 0.0, 2.0])) == 0


def test_momenta_follow_from_their_coordinates():
    p = random_momenta()
    coordinates = transverse_momentum(p), pseudorapidity(p), azimuth(p), invariant_mass(p)
    assert from_pt_eta_phi_mass(*coordinates) == pytest.approx(p)


def test_differences_of_azimuths_wrap():
    assert delta_phi(np.array(3.0), np.array(-3.0)) == pytest.approx(6 - 2 * np.pi)
    assert delta_phi(np.array(np.pi), np.array(0.0)) == pytest.approx(-np.pi)
    assert delta_r(*map(np.array, (0.3, 3.1, 0.0, -3.1))) == pytest.approx(
        np.hypot(0.3, 2 * np.pi - 6.2)
    )


def test_boosts_keep_products_and_move_the_frame():
    p, q, frame = random_momenta(seed=1), random_momenta(seed=2), random_momenta(seed=3)
    assert minkowski(boost(p, frame), boost(q, frame)) == pytest.approx(minkowski(p, q))
    at_rest = np.tile([0.0, 0.0, 0.0, 5.0], (200, 1))
    assert boost(at_rest, frame) == pytest.approx(frame)


def test_directions_are_unit_vectors():
    vector = directions(np.array([0.6, 1.0]), np.array([0.0, 2.0]))
    assert vector == pytest.approx(np.array([[0.8, 0, 0.6], [0, 0, 1]]), abs=1e-12)


def test_momentum_of_a_decay():
    assert two_body_momentum(10.0, 0.0, 0.0) == 5
    assert two_body_momentum(10.0, 6.0, 2.0) == pytest.approx(np.sqrt(36 * 84) / 20)
    assert two_body_momentum(5.0, 4.0, 2.0) == 0


def test_decays_conserve_momentum_and_masses():
    rng = np.random.default_rng(4)
    parent = random_momenta(seed=5, mass=80)
    angles = {"cos_theta": rng.uniform(-1, 1, 200), "phi": rng.uniform(0, 6, 200)}
    first, second = decay_two_body(parent, 3.0, 20.0, **angles)
    assert first + second == pytest.approx(parent)
    assert invariant_mass(first) == pytest.approx(3, rel=1e-4)
    assert invariant_mass(second) == pytest.approx(20, rel=1e-6)


def test_angles_of_decays_are_those_in_the_frame_of_the_parent():
    parent = np.array([[0.0, 0.0, 0.0, 10.0]])
    first, _ = decay_two_body(parent, 0, 0, cos_theta=np.array([0.6]), phi=np.array([0.5]))
    assert first[0, :3] == pytest.approx([4 * np.cos(0.5), 4 * np.sin(0.5), 3])
