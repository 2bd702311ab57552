"""Settings of detectors, and what they measure of single particles."""

import numpy as np
import pytest

from bumpflow.simulate.detector.response import respond
from bumpflow.simulate.detector.settings import EnergyResolution, Regions, TrackResolution
from bumpflow.simulate.detector.settings import detector_settings as build
from tests.unit.simulate.handmade import PERFECT, make_particles, momentum, perfect_with


def resolution(**terms):
    none = {"abs_eta": [5.0], "constant": [0], "stochastic_sqrt_gev": [0], "noise_gev": [0]}
    return none | {name: [value] for name, value in terms.items()}


def test_settings_become_tuples_of_numbers():
    detector = build(PERFECT)
    assert detector.tracker.efficiency == Regions(abs_eta=(5.0,), values=(1.0,))
    assert detector.btags.loose.b == (1.0, 10.0, 1.0, 0.0)


def test_regions_end_at_their_last_edge():
    regions = Regions(abs_eta=(1.5, 2.5), values=(0.9, 0.7))
    assert regions(np.array([0.0, 1.5, 1.6, 2.5, 2.6])).tolist() == [0.9, 0.9, 0.7, 0.7, 0.0]


def test_resolutions_add_in_quadrature_and_go_on_beyond_the_last_edge():
    track = TrackResolution(abs_eta=(1.0, 2.0), constant=(0.03, 0.06), slope_per_gev=(0.0004, 0))
    assert track(np.array([0.5, 9.0]), np.array([100.0, 1.0])) == pytest.approx([0.05, 0.06])
    energy = EnergyResolution((1.0,), (0.01,), (0.2,), (2.0,))
    expected = np.sqrt(0.01**2 + 0.2**2 / 100 + (2 / 100) ** 2)
    assert energy(np.array([0.0]), np.array([100.0])) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("jets.radios", 0.4, r"detector.jets has no setting 'radios'; did you mean 'radius'"),
        ("muons.efficiency.abs_eta", [1.0, 2.0], "values has 1 values for 2 regions"),
        ("muons.efficiency", {"abs_eta": [2, 1], "values": [1, 1]}, "must ascend"),
    ],
)
def test_wrong_settings_are_named(path, value, message):
    with pytest.raises(ValueError, match=message):
        build(perfect_with(path, value))


def test_missing_settings_are_named():
    settings = {name: value for name, value in PERFECT.items() if name != "ecal"}
    with pytest.raises(ValueError, match="detector lacks the setting 'ecal'"):
        build(settings)


def test_without_resolutions_momenta_are_those_of_the_particles():
    kinds = [211, -11, 13, 22, 130]
    momenta = [momentum(20 + k, 0.1 * k, 0.3 * k, 0.5) for k in range(5)]
    particles = make_particles(list(zip(kinds, momenta, strict=True)))
    flow = respond(particles, build(PERFECT), np.random.default_rng(0))
    assert flow.pdg.tolist() == kinds
    assert flow.momentum == pytest.approx(np.array(momenta))
    assert flow.pt == pytest.approx([20, 21, 22, 23, 24])


def test_neutrinos_decayed_particles_and_the_beam_are_not_seen():
    beam = np.array([0.0, 0.0, 50.0, 50.0])
    nothing = np.zeros(4)
    particles = make_particles(
        [
            (14, momentum(30)),
            (111, momentum(30), -91, 0),
            (22, beam),
            (22, nothing),
            (211, momentum(5, 6.0)),
            (13, momentum(5, 5.5)),
            (22, momentum(7)),
        ]
    )
    detector = build(perfect_with("ecal.min_energy_gev", 0.1))
    flow = respond(particles, detector, np.random.default_rng(0))
    assert flow.pt == pytest.approx([7])


@pytest.mark.parametrize(
    ("pdg", "path", "terms", "relative"),
    [
        (211, "tracker.resolution", {"constant": 0.03, "slope_per_gev": 0.0004}, 0.05),
        (13, "tracker.resolution", {"constant": 0.03, "slope_per_gev": 0.0004}, 0.05),
        (22, "ecal.resolution", {"stochastic_sqrt_gev": 0.5}, 0.05),
        (11, "ecal.resolution", {"noise_gev": 5.0}, 0.05),
        (2112, "hcal.resolution", {"stochastic_sqrt_gev": 1.5}, 0.15),
    ],
)
def test_each_kind_has_the_resolution_of_its_part(pdg, path, terms, relative):
    n = 4000
    if path.startswith("tracker"):
        value = {"abs_eta": [5.0]} | {name: [term] for name, term in terms.items()}
    else:
        value = resolution(**terms)
    particles = make_particles([(pdg, momentum(100.0))] * n)
    detector = build(perfect_with(path, value))
    pt = respond(particles, detector, np.random.default_rng(1)).pt / 100
    assert pt.mean() == pytest.approx(1, abs=4 * relative / np.sqrt(n))
    # A log-normal of this width has nearly the normal's fourth moment.
    assert pt.std() == pytest.approx(relative, rel=6 / np.sqrt(2 * n))


def test_large_resolutions_keep_the_mean_and_the_sign():
    n = 20_000
    particles = make_particles([(2112, momentum(1.0))] * n)
    detector = build(perfect_with("hcal.resolution", resolution(stochastic_sqrt_gev=1.0)))
    pt = respond(particles, detector, np.random.default_rng(2)).pt
    assert pt.min() > 0
    assert pt.mean() == pytest.approx(1, abs=4 / np.sqrt(n))


def test_missed_tracks_are_measured_by_the_hadronic_calorimeter():
    n = 4000
    settings = perfect_with("tracker.efficiency", {"abs_eta": [5.0], "values": [0.7]})
    settings["hcal"] = settings["hcal"] | {"resolution": resolution(constant=0.1)}
    particles = make_particles([(211, momentum(10.0))] * n)
    flow = respond(particles, build(settings), np.random.default_rng(3))
    assert len(flow.pt) == n
    smeared = np.mean(np.abs(flow.pt - 10) > 1e-9)
    assert smeared == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / n))


def test_soft_particles_are_lost():
    settings = perfect_with("tracker.min_pt_gev", 0.5)
    settings["ecal"] = settings["ecal"] | {"min_energy_gev": 1.0}
    particles = make_particles([(211, momentum(0.4)), (22, momentum(0.9)), (130, momentum(0.3))])
    flow = respond(particles, build(settings), np.random.default_rng(0))
    assert flow.pdg.tolist() == [130]


def test_same_random_state_gives_the_same_response():
    particles = make_particles([(2112, momentum(10.0))] * 5)
    detector = build(perfect_with("hcal.resolution", resolution(constant=0.1)))
    first, second = (respond(particles, detector, np.random.default_rng(9)) for _ in range(2))
    assert np.array_equal(first.momentum, second.momentum)
