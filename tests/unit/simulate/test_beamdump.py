"""B mesons from a beam dump: settings, selection, sampled spectrum, comparison."""

import numpy as np
import pytest

from bumpflow.simulate.beamdump import (
    B_MASS_GEV,
    compare_spectra,
    describe,
    fixed_target_settings,
    pick_mesons,
    sample_parametrised,
)
from bumpflow.simulate.kinematics import invariant_mass
from bumpflow.simulate.particles import Particles


def test_beam_energy_follows_from_momentum_and_mass():
    lines = dict(line.split(" = ") for line in fixed_target_settings(momentum_gev=3000.0))
    assert float(lines["Beams:eA"]) ** 2 == pytest.approx(3000.0**2 + 0.93827**2, rel=1e-12)
    assert (lines["Beams:idA"], lines["Beams:idB"]) == ("2212", "2212")


def test_neutron_target_has_its_own_code():
    lines = fixed_target_settings(momentum_gev=400.0, target="neutron", pdf_set=13)
    assert "Beams:idB = 2112" in lines
    assert "PDF:pSet = 13" in lines


def test_unknown_target_is_named():
    with pytest.raises(ValueError, match="target is 'lead', but must be one of proton, neutron"):
        fixed_target_settings(momentum_gev=400.0, target="lead")


@pytest.mark.parametrize("momentum", [10.0, 81.0])
def test_beam_below_threshold_is_refused(momentum):
    with pytest.raises(ValueError, match=r"less than the 12\.44 GeV of two B mesons"):
        fixed_target_settings(momentum_gev=momentum)
    with pytest.raises(ValueError, match=r"less than the 12\.44 GeV"):
        sample_parametrised(1, np.random.default_rng(1), beam_momentum_gev=momentum)


def test_threshold_is_where_two_mesons_and_two_protons_are_made():
    s = (2 * B_MASS_GEV + 2 * 0.93827) ** 2
    momentum = np.sqrt((s / (2 * 0.93827) - 0.93827) ** 2 - 0.93827**2)
    assert fixed_target_settings(momentum_gev=momentum + 0.01)
    with pytest.raises(ValueError, match="centre of mass"):
        fixed_target_settings(momentum_gev=momentum - 0.01)


@pytest.fixture
def particles():
    """Return three events with B mesons, some of them decayed, and others."""
    pdg = np.array([511, -521, 531, 513, -511, 22])
    return Particles(
        n_events=3,
        event=np.array([0, 0, 0, 1, 2, 2]),
        pdg=pdg,
        status=np.array([83, 84, 83, -83, 91, 91]),
        mother=np.zeros(6, dtype=int),
        momentum=np.arange(24.0).reshape(6, 4),
        weights=np.ones(3),
    )


def test_stable_b_mesons_are_picked_with_event_and_momentum(particles):
    mesons = pick_mesons(particles)
    assert mesons.pdg.tolist() == [511, -521, -511]
    assert mesons.event.tolist() == [0, 0, 2]
    assert mesons.momentum[:, 0].tolist() == [0, 4, 16]


def test_strange_b_mesons_are_picked_on_demand(particles):
    assert pick_mesons(particles, kinds=(531,)).pdg.tolist() == [531]


def test_decayed_mesons_are_not_picked(particles):
    assert len(pick_mesons(particles, kinds=(513,)).pdg) == 0


def test_sampled_mesons_are_on_their_mass_shell():
    momenta = sample_parametrised(1000, np.random.default_rng(3))
    assert momenta.shape == (1000, 4)
    assert invariant_mass(momenta) == pytest.approx(B_MASS_GEV, rel=1e-9)


def test_same_random_numbers_give_the_same_mesons():
    first, second = (sample_parametrised(10, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, second)


def test_description_of_a_known_sample():
    values = np.random.default_rng(5).normal(3.0, 2.0, 40_000)
    found = describe(values, quantiles=[0.5])
    # Exact errors of a Gaussian sample, to the few per cent that their estimates have.
    assert found["mean_error"] == pytest.approx(2 / 200, rel=0.03)
    assert found["std_error"] == pytest.approx(2 / np.sqrt(2 * 40_000), rel=0.05)
    assert found["quantile_errors"][0] == pytest.approx(np.sqrt(np.pi / 2) * 2 / 200, rel=0.1)
    assert found["mean"] == pytest.approx(3.0, abs=5 * 2 / 200)
    assert found["quantiles"][0] == pytest.approx(3.0, abs=5 * np.sqrt(np.pi / 2) * 2 / 200)


def test_one_value_has_no_moments():
    with pytest.raises(ValueError, match="a spectrum of 1 B mesons"):
        describe(np.array([1.0]))


def test_a_sample_equals_itself():
    momenta = sample_parametrised(500, np.random.default_rng(3))
    for found in compare_spectra(momenta, momenta).values():
        assert found["ks"] == 0
        assert found["first"] == found["second"]


def test_shift_shows_up_as_the_distance_of_distributions():
    momenta = np.zeros((100, 4))
    momenta[:, 2] = np.arange(100.0)
    momenta[:, 0] = 1.0
    shifted = momenta + np.array([0.0, 0.0, 25.0, 0.0])
    found = compare_spectra(momenta, shifted)
    assert found["pz_gev"]["ks"] == pytest.approx(0.25)
    assert found["pt_gev"]["ks"] == 0
    assert found["pz_gev"]["p_value"] < 0.01 < found["pt_gev"]["p_value"]


def test_comparison_holds_plain_numbers():
    momenta = sample_parametrised(500, np.random.default_rng(3))
    found = compare_spectra(momenta, momenta[:200])["pz_gev"]
    assert type(found["ks"]) is float
    assert type(found["first"]["n"]) is int
    assert all(type(value) is float for value in found["second"]["quantiles"])
