"""Decays of B mesons: kinematic limits and shares of kaons."""

import numpy as np
import pytest

from bumpflow.simulate.alps.kaons import heaviest_alp, share_kaons

BOTH = (("k", None), ("kstar", None))


def test_heaviest_particle_takes_all_but_the_kaon():
    assert heaviest_alp(["k"]) == pytest.approx(5.2795 - 0.49564)
    assert heaviest_alp(["kstar"]) == pytest.approx(5.2795 - 0.893655)
    assert heaviest_alp(["kstar", "k"]) == heaviest_alp(["k"])


def test_form_factors_at_rest_give_known_rates():
    # f0(0) = 0.330 and A0(0) = 0.374, and massless particles: momenta (mB^2 - mK^2) / 2 mB.
    share = share_kaons(np.array([1e-6]), BOTH)[0]
    gap, gap_star = 5.2795**2 - 0.49564**2, 5.2795**2 - 0.893655**2
    expected = 0.374**2 * gap_star**3 / (0.330**2 * gap**3)
    assert share[1] / share[0] == pytest.approx(expected, rel=1e-3)
    assert share.sum() == pytest.approx(1)


def test_rates_follow_form_factors_and_phase_space_at_a_mass():
    mass, b, k, s = 2.0, 5.2795, 0.49564, 0.893655
    f0 = 0.330 / (1 - mass**2 / 37.46)
    a0 = 1.364 / (1 - mass**2 / 5.28**2) - 0.990 / (1 - mass**2 / 36.78)

    def kallen(x, y, z):
        return x**4 + y**4 + z**4 - 2 * (x * y) ** 2 - 2 * (y * z) ** 2 - 2 * (x * z) ** 2

    first = f0**2 * (b**2 - k**2) ** 2 * kallen(b, k, mass) ** 0.5
    second = a0**2 * kallen(b, s, mass) ** 1.5
    share = share_kaons(np.array([mass]), BOTH)[0]
    assert share == pytest.approx(np.array([first, second]) / (first + second), rel=1e-9)


def test_closed_decays_have_no_share():
    mass = np.array([4.38, 4.39])
    share = share_kaons(mass, BOTH)
    assert share[0, 1] > 0
    assert share[1].tolist() == [1, 0]
    fixed = share_kaons(mass, (("k", 0.2), ("kstar", 0.8)))
    assert fixed == pytest.approx(np.array([[0.2, 0.8], [1, 0]]))


def test_mass_without_open_decay_is_named():
    with pytest.raises(ValueError, match=r"cannot decay to k or kstar and a particle of 4\.9 GeV"):
        share_kaons(np.array([1.0, 4.9]), BOTH)
