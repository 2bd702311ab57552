from itertools import product as combinations

import numpy as np
import pytest

from bumpflow.simulate.hard.qqaa_amplitude import (
    gluons_squared,
    line_amplitudes,
    quarks_squared,
    two_line_amplitudes,
)
from bumpflow.simulate.hard.weyl import polarisations
from bumpflow.simulate.kinematics import boost, decay_two_body, minkowski

N = 40
CHARGES = {"charge_initial": 2 / 3, "charge_final": -1 / 3}
UP, DOWN = 2 / 3, -1 / 3


def collide(rng, n=N, *, energy=500.0, soft=None):
    """Momenta of two incoming and four outgoing massless particles, the last two soft if wanted."""

    def directions(count):
        return {"cos_theta": rng.uniform(-1, 1, count), "phi": rng.uniform(-np.pi, np.pi, count)}

    at_rest = np.tile([0, 0, 0, energy], (n, 1))
    if soft is None:
        pairs = decay_two_body(
            at_rest, rng.uniform(50, 200, n), rng.uniform(50, 200, n), **directions(n)
        )
        out = [p for pair in pairs for p in decay_two_body(pair, 0, 0, **directions(n))]
    else:
        out = list(decay_two_body(at_rest, 0, 0, **directions(n)))
        massless = [decay_two_body(at_rest, 0, 0, **directions(n))[0] for _ in range(2)]
        out += [soft * momentum for momentum in massless]
    total = sum(out)
    rest = np.concatenate([0 * total[:, :3], np.sqrt(minkowski(total, total))[:, None]], axis=1)
    beams = [boost(p, total) for p in decay_two_body(rest, 0, 0, **directions(n))]
    return np.stack([*beams, *out], axis=1)


def absorbed(momenta):
    """Gluons, quark, antiquark and photons, the latter absorbed; components first."""
    lines = list(momenta.transpose(1, 2, 0))
    return [*lines[:4], -lines[4], -lines[5]]


def rotate(momenta, angle):
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[1, 0, 0, 0], [0, c, s, 0], [0, -s, c, 0], [0, 0, 0, 1]])
    return momenta @ turn.T


@pytest.mark.parametrize("place", range(4))
def test_longitudinal_bosons_decouple_from_gluons_amplitudes(place):
    lines = absorbed(collide(np.random.default_rng(0)))
    bosons = [lines[0], lines[1], lines[4], lines[5]]
    vectors = [polarisations(boson) for boson in bosons]
    vectors[place][:, 0] = bosons[place]
    for amplitude in line_amplitudes(lines, vectors):
        longitudinal, transverse = np.moveaxis(np.abs(amplitude), place, 0)
        # By the largest amplitude that a boson of this energy has.
        scale = transverse.max(axis=(0, 1, 2)) * np.abs(bosons[place][3])
        assert np.max(longitudinal.max(axis=(0, 1, 2)) / scale) < 1e-10


def test_quarks_can_come_in_and_gluons_go_out():
    gluon, quark_in, quark, gluon_out, *photons = collide(np.random.default_rng(8)).transpose(
        1, 2, 0
    )
    lines = [gluon, -gluon_out, quark, -quark_in, *(-photon for photon in photons)]
    vectors = [polarisations(lines[k]) for k in (0, 1, 4, 5)]
    vectors[1][:, 0] = lines[1]
    for amplitude in line_amplitudes(lines, vectors):
        scale = np.abs(amplitude[:, 1]).max(axis=(0, 1, 2)) * np.abs(lines[1][3])
        assert np.max(np.abs(amplitude[:, 0]).max(axis=(0, 1, 2)) / scale) < 1e-10


@pytest.mark.parametrize("place", range(2))
def test_longitudinal_photons_decouple_from_two_quark_lines(place):
    beam_1, beam_2, *rest = absorbed(collide(np.random.default_rng(1)))
    lines = [-beam_2, -beam_1, *rest]
    vectors = [polarisations(photon) for photon in lines[4:]]
    vectors[place][:, 0] = lines[4 + place]
    for amplitude in two_line_amplitudes(lines, charge_1=UP, charge_2=DOWN, vectors=vectors):
        longitudinal, transverse = np.moveaxis(np.abs(amplitude), place, 0)
        scale = transverse.max(axis=0) * np.abs(lines[4 + place][3])
        assert np.max(longitudinal.max(axis=0) / scale) < 1e-10


def angle(p, q):
    """Size of the spinor product of two massless momenta."""
    return np.sqrt(np.abs(2 * minkowski(p, q)))


def test_helicity_amplitudes_are_those_of_parke_and_taylor():
    momenta = collide(np.random.default_rng(2))
    g1, g2, quark, antiquark, a1, a2 = momenta.transpose(1, 0, 2)
    lines = absorbed(momenta)
    vectors = [polarisations(lines[k]) for k in (0, 1, 4, 5)]
    circular = []
    for vector, momentum in zip(vectors, (g1, g2, a1, a2), strict=True):
        x, y = vector[:, 0], vector[:, 1]
        handed = np.cross(x[:3].T, y[:3].T)  # along or against the momentum
        y = y * np.sign((handed * momentum[:, :3]).sum(axis=1))
        circular.append(np.stack([x + 1j * y, x - 1j * y], axis=1) / np.sqrt(2))
    # The first one belongs to negative helicity, if all bosons are taken as outgoing.
    ordered = line_amplitudes(lines, circular)
    photons = 1.0
    for photon in (a1, a2):
        photons = (
            photons * angle(quark, antiquark) / angle(quark, photon) / angle(photon, antiquark)
        )
    for amplitude, first, last in ((ordered.second_last, g1, g2), (ordered.first_last, g2, g1)):
        chain = (angle(quark, last) * angle(last, first) * angle(first, antiquark)) * angle(
            antiquark, quark
        )
        for helicities in combinations((0, 1), repeat=4):
            size = np.abs(amplitude[helicities])
            if sum(helicities) in (0, 4):
                assert np.max(size / np.abs(amplitude).max(axis=(0, 1, 2, 3))) < 1e-10
            elif sum(helicities) in (1, 3):
                odd = helicities.index(1 if sum(helicities) == 1 else 0)
                boson = (g1, g2, a1, a2)[odd]
                near, far = (quark, antiquark) if sum(helicities) == 3 else (antiquark, quark)
                expected = angle(near, boson) ** 3 * angle(far, boson) / chain * photons
                # Each vertex has a factor root two, which others put into the coupling.
                np.testing.assert_allclose(size, 4 * expected, rtol=1e-7)


def test_soft_photons_leave_the_cross_section_of_two_quarks():
    momenta = collide(np.random.default_rng(3), soft=1e-5)
    g1, g2, quark, antiquark, *photons = momenta.transpose(1, 0, 2)
    s, t, u = (2 * minkowski(g1, p) * sign for p, sign in ((g2, 1), (quark, -1), (antiquark, -1)))
    eikonal = [
        2 * minkowski(quark, antiquark) / minkowski(quark, k) / minkowski(antiquark, k)
        for k in photons
    ]
    analytic = (t**2 + u**2) * (1 / (6 * t * u) - 3 / (8 * s**2))
    expected = analytic * eikonal[0] * eikonal[1] / 2  # identical photons
    np.testing.assert_allclose(gluons_squared(momenta).total, expected, rtol=3e-3)
    expected = 4 / 9 * (t**2 + u**2) / s**2 / 2
    for k in photons:
        charges = (UP, -UP, -DOWN, DOWN)
        legs = (g1, g2, quark, antiquark)
        flow = sum(q * p / minkowski(p, k)[:, None] for q, p in zip(charges, legs, strict=True))
        expected = expected * -minkowski(flow, flow)
    np.testing.assert_allclose(quarks_squared(momenta, **CHARGES), expected, rtol=3e-3)


def test_rotations_change_nothing():
    momenta = collide(np.random.default_rng(4))
    turned = rotate(momenta, 0.7)
    np.testing.assert_allclose(
        gluons_squared(turned).total, gluons_squared(momenta).total, rtol=1e-8
    )
    np.testing.assert_allclose(
        quarks_squared(turned, **CHARGES), quarks_squared(momenta, **CHARGES), rtol=1e-8
    )


def test_exchange_of_photons_gluons_and_quarks():
    momenta = collide(np.random.default_rng(5))
    before = gluons_squared(momenta)
    for order in ([0, 1, 2, 3, 5, 4], [1, 0, 2, 3, 4, 5], [0, 1, 3, 2, 4, 5]):
        after = gluons_squared(momenta[:, order])
        np.testing.assert_allclose(after.total, before.total, rtol=1e-8)
        flipped = order[:4] != [0, 1, 2, 3]
        second = after.first_last if flipped else after.second_last
        np.testing.assert_allclose(second, before.second_last, rtol=1e-8)
    before = quarks_squared(momenta, **CHARGES)
    for order in ([0, 1, 2, 3, 5, 4], [1, 0, 3, 2, 4, 5]):
        np.testing.assert_allclose(quarks_squared(momenta[:, order], **CHARGES), before, rtol=1e-8)
    one_pair = quarks_squared(momenta[:, [0, 1, 3, 2, 4, 5]], **CHARGES)
    assert np.max(np.abs(one_pair / before - 1)) > 0.1


def test_beams_along_the_axis_are_no_exception():
    momenta = collide(np.random.default_rng(6))
    total = momenta[:, :2].sum(axis=1)
    rest = np.concatenate([-total[:, :3], total[:, 3:]], axis=1)
    momenta = boost(momenta, rest[:, None])
    along = np.zeros_like(momenta[:, :2])
    along[..., 3] = momenta[:, :2, 3]
    along[:, 0, 2], along[:, 1, 2] = along[:, 0, 3], -along[:, 1, 3]
    momenta[:, :2] = along
    for squared in (lambda p: gluons_squared(p).total, lambda p: quarks_squared(p, **CHARGES)):
        np.testing.assert_allclose(squared(momenta), squared(rotate(momenta, 0.3)), rtol=1e-8)


def test_events_do_not_depend_on_their_neighbours():
    momenta = collide(np.random.default_rng(7), n=1100)
    everything = gluons_squared(momenta).total
    np.testing.assert_allclose(gluons_squared(momenta[700:705]).total, everything[700:705])
    everything = quarks_squared(momenta, **CHARGES)
    np.testing.assert_allclose(quarks_squared(momenta[700:705], **CHARGES), everything[700:705])
