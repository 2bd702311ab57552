"""Events of a few particles, reconstructed."""

import numpy as np
import pandas as pd
import pytest

from bumpflow.simulate.detector.objects import leading_momenta, sort_objects, take
from bumpflow.simulate.detector.pairing import leading_positions, line_up, pair_up
from bumpflow.simulate.detector.reconstruction import reconstruct
from bumpflow.simulate.detector.settings import detector_settings as build
from tests.unit.simulate.handmade import (
    PERFECT,
    make_objects,
    make_particles,
    momentum,
    perfect_with,
)

pytest.importorskip("fastjet")

SCALE = pd.DataFrame(
    {
        "group": ["b", "b", "light", "light"],
        "pt_gev": [10, 100] * 2,
        "factor": [1.5] * 2 + [1.1] * 2,
    }
)


def run(*events, settings=PERFECT, seed=0, weights=None, **options):
    particles = make_particles(*events, weights=weights)
    return reconstruct(particles, build(settings), np.random.default_rng(seed), **options)


def test_single_photon_is_isolated_and_no_jet():
    events = run([(22, momentum(50, 0.5, 1.0))], [])
    assert events.photons.event.tolist() == [0]
    assert events.photons.momentum == pytest.approx(np.array([momentum(50, 0.5, 1.0)]))
    assert events.photons.charge.tolist() == [0]
    assert len(events.jets) == 0


@pytest.mark.parametrize(
    ("pt", "distance", "n_photons"), [(4.9, 0.2, 1), (5.1, 0.2, 0), (5.1, 0.31, 1), (0.4, 0.1, 1)]
)
def test_isolation_looks_into_a_cone_around(pt, distance, n_photons):
    # Across the end of the azimuth, with a limit of 10 % of 50 GeV.
    around = (211, momentum(pt, 0.0, -np.pi + distance / 2))
    events = run([(22, momentum(50, 0.0, np.pi - distance / 2)), around])
    assert len(events.photons) == n_photons
    assert len(events.jets) == 1 - n_photons


def test_particles_of_other_events_do_not_spoil_isolation():
    events = run([(13, momentum(50))], [(211, momentum(40))], [(13, momentum(30))])
    assert events.muons.event.tolist() == [0, 2]


def test_many_soft_particles_count_together_if_they_are_hard_enough():
    shower = [(22, momentum(0.6, 0.01 * k)) for k in range(9)]
    assert len(run([(11, momentum(50)), *shower]).electrons) == 0
    soft = [(22, momentum(0.49, 0.01 * k)) for k in range(20)]
    assert len(run([(11, momentum(50)), *soft]).electrons) == 1


def test_absolute_limit_adds_to_the_relative_one():
    isolation = PERFECT["photons"]["isolation"] | {"absolute_gev": 2.0}
    settings = perfect_with("photons.isolation", isolation)
    event = [(22, momentum(50)), (211, momentum(6.9, 0.1))]
    assert len(run(event, settings=settings).photons) == 1
    assert len(run(event).photons) == 0


def test_leptons_have_charges_and_are_sorted():
    events = run([(11, momentum(20)), (-11, momentum(30, 1)), (13, momentum(25, -1))])
    assert events.electrons.charge.tolist() == [1, -1]
    assert events.electrons.pt == pytest.approx([30, 20])
    assert events.muons.charge.tolist() == [-1]


def test_efficiency_depends_on_pseudorapidity():
    efficiency = {"abs_eta": [1.0, 2.0], "values": [0.8, 0.2]}
    settings = perfect_with("muons.efficiency", efficiency)
    n = 2000
    event = [(13, momentum(20, 0.5)), (13, momentum(20, 1.5)), (13, momentum(20, 2.2))]
    muons = run(*[event] * n, settings=settings).muons
    for low, high, expected in ((0, 1, 0.8), (1, 2, 0.2), (2, 3, 0.0)):
        found = np.count_nonzero((muons.eta > low) & (muons.eta < high)) / n
        assert found == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / n))


def test_missing_momentum_balances_what_is_seen():
    events = run(
        [(211, momentum(30)), (22, momentum(40, 1, np.pi / 2)), (12, momentum(50, 0, 2))], []
    )
    assert events.missing == pytest.approx(np.array([[-30, -40], [0, 0]]))


def test_b_jets_are_tagged_and_corrected_as_such():
    b_jet = [(511, momentum(30), -83, 0), (211, momentum(30))]
    light = [(211, momentum(40, 1.0, 2.0))]
    jets = run(b_jet + light, jet_scale=SCALE).jets
    assert jets.flavour.tolist() == [5, 0]
    assert jets.tag.tolist() == [1, 0]
    assert jets.pt == pytest.approx([45, 44])
    assert run(b_jet + light).jets.pt == pytest.approx([40, 30])


def test_threshold_counts_after_the_correction():
    event = [(511, momentum(14), -83, 0), (211, momentum(14)), (211, momentum(17, 0, 2))]
    assert run(event, jet_scale=SCALE).jets.pt == pytest.approx([21])
    assert len(run(event).jets) == 0
    light = [(211, momentum(18.5, 0, 2))]
    assert run(light, jet_scale=SCALE).jets.pt == pytest.approx([1.1 * 18.5])


def test_forward_jets_are_left_out_but_balance():
    events = run([(211, momentum(50, 2.7))])
    assert len(events.jets) == 0
    assert events.missing == pytest.approx(np.array([[-50, 0]]))


def test_weights_of_tags_multiply_those_of_events():
    settings = perfect_with("btags.loose", {"b": [0] * 4, "c": [0] * 4, "light": [0.1, 0]})
    event = [(211, momentum(50)), (211, momentum(40, 0, 2)), (211, momentum(30, 0, -2))]
    events = run(event, event[:1], settings=settings, weights=[2, 3], tagging="weight", min_tags=2)
    assert events.weights == pytest.approx([2 * (3 * 0.01 * 0.9 + 0.001), 0])
    assert np.count_nonzero(events.jets.tag[events.jets.event == 0]) >= 2
    drawn = run(event, event[:1], settings=settings, weights=[2, 3])
    assert drawn.weights.tolist() == [2, 3]


def test_jets_too_soft_to_count_are_never_tagged():
    settings = perfect_with("btags.loose", {"b": [0] * 4, "c": [0] * 4, "light": [0.1, 0]})
    event = [(211, momentum(50)), (211, momentum(15, 0, 2))]
    options = {"settings": settings, "tagging": "weight", "min_tags": 1}
    assert run(event, **options).weights == pytest.approx([0.1])
    assert run(event, **options, jet_scale=SCALE).weights == pytest.approx([0.19])


def test_pairs_are_those_of_the_same_event():
    first, second = pair_up(np.array([0, 2, 2]), np.array([0, 0, 1, 2]), 3)
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [
        (0, 0),
        (0, 1),
        (1, 3),
        (2, 3),
    ]


def test_leading_objects_are_padded():
    objects = make_objects([momentum(30), momentum(20)], [], [momentum(10)])
    positions = leading_positions(objects.event, 3, 2)
    assert positions.tolist() == [[0, 1], [-1, -1], [2, -1]]
    assert line_up(np.array([5, 6, 7]), positions, fill=-1).tolist() == [[5, 6], [-1, -1], [7, -1]]
    momenta = leading_momenta(objects, 3, 1)
    assert momenta[:, 0] == pytest.approx(np.array([momentum(30), np.zeros(4), momentum(10)]))


def test_objects_are_sorted_within_events():
    jets = make_objects([momentum(10), momentum(20)], [momentum(5)], tags=[[1, 2], [0]])
    assert sort_objects(jets).tag.tolist() == [2, 1, 0]
    assert take(jets, jets.tag > 0).event.tolist() == [0, 0]
