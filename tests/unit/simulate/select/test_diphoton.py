"""Selection and features of two photons and two b jets, on events made by hand."""

import numpy as np
import pytest

from bumpflow.simulate.kinematics import invariant_mass
from bumpflow.simulate.select.diphoton import select_diphoton
from tests.unit.simulate.handmade import make_events, make_objects, momentum

SETTINGS = {
    "bjet_pt_gev": [30, 20],
    "photon_pt_gev": [30, 20],
    "max_abs_eta": 2.4,
    "min_dr_photon_bjet": 1.0,
    "mass_window_gev": [90, 180],
}
PHOTONS = [momentum(70, 0.2, 0), momentum(55, -0.3, 2.4)]
BJETS = [momentum(60, 0.5, -2.5, 9), momentum(45, -0.6, -1.2, 7)]


def one_event(photons=PHOTONS, jets=BJETS, tags=(2, 1)):
    return make_events(
        1, photons=make_objects(photons), jets=make_objects(jets, tags=[tags]), weights=[0.5]
    )


def select(*args, **changes):
    return select_diphoton(*args, settings=SETTINGS | changes)


def test_features_of_an_event():
    selected = select(one_event())
    row = selected.features.iloc[0]
    gg, bb = sum(np.array(PHOTONS)), sum(np.array(BJETS))
    assert row["m_gg"] == pytest.approx(invariant_mass(gg))
    assert row["m_bb"] == pytest.approx(invariant_mass(bb))
    assert row["m_bbgg"] == pytest.approx(invariant_mass(bb + gg))
    assert row["pt_bb"] == pytest.approx(np.hypot(bb[0], bb[1]))
    assert row["pt_gg"] == pytest.approx(np.hypot(gg[0], gg[1]))
    assert row["pt_gg_over_m"] == pytest.approx(row["pt_gg"] / row["m_gg"])
    assert row["dr_bb"] == pytest.approx(np.hypot(1.1, 1.3))
    assert row["dr_gg"] == pytest.approx(np.hypot(0.5, 2.4))
    assert row["dr_b1g2"] == pytest.approx(np.hypot(0.8, 2 * np.pi - 4.9))
    assert row["dr_b2g1"] == pytest.approx(np.hypot(0.8, 1.2))
    found = [row[f"b2_{what}"] for what in ("pt", "eta", "phi", "mass", "energy")]
    assert found == pytest.approx([45, -0.6, -1.2, 7, BJETS[1][3]])
    assert row["g1_pt"] == pytest.approx(70)
    assert selected.weights.tolist() == [0.5]


@pytest.mark.parametrize(
    ("photons", "jets", "tags", "last"),
    [
        (PHOTONS, BJETS, (2, 1), "mass_window"),
        (PHOTONS[:1], BJETS, (2, 1), None),
        ([momentum(70, 0.2), momentum(19, 0, 2.4)], BJETS, (2, 1), None),
        ([momentum(70, 2.5), momentum(55, -0.3, 2.4)], BJETS, (2, 1), None),
        (PHOTONS, BJETS, (2, 0), "two_photons"),
        (PHOTONS, [momentum(29, 0.5, -2.5), momentum(25, -0.6, -1.2)], (2, 2), "two_photons"),
        (PHOTONS, [momentum(60, 0.5, -2.5), momentum(45, 0, 0.9)], (2, 2), "two_bjets"),
        ([momentum(70, 0.2), momentum(55, -0.3, 1.0)], BJETS, (2, 1), "distance"),
    ],
)
def test_cutflow(photons, jets, tags, last):
    cutflow = select(one_event(photons, jets, tags)).cutflow
    steps = ["two_photons", "two_bjets", "distance", "mass_window"]
    assert list(cutflow) == steps
    n_passed = 0 if last is None else steps.index(last) + 1
    assert list(cutflow.values()) == [1] * n_passed + [0] * (4 - n_passed)


def test_hardest_tagged_central_jets_are_the_candidates():
    jets = [momentum(200, 0, -2), momentum(90, 2.45, -2), *BJETS, momentum(25, 1.5, -2)]
    row = select(one_event(jets=jets, tags=(0, 2, 2, 1, 2))).features.iloc[0]
    assert row[["b1_pt", "b2_pt"]].tolist() == pytest.approx([60, 45])


def test_window_contains_its_lower_end_only():
    m_gg = float(invariant_mass(sum(np.array(PHOTONS))))
    assert len(select(one_event(), mass_window_gev=[m_gg, 200]).event) == 1
    assert len(select(one_event(), mass_window_gev=[50, m_gg]).event) == 0


def test_events_keep_their_numbers():
    events = make_events(
        3,
        photons=make_objects(PHOTONS, PHOTONS[:1], PHOTONS),
        jets=make_objects([], BJETS, BJETS, tags=[[], [1, 1], [1, 1]]),
    )
    selected = select(events)
    assert selected.event.tolist() == [2]
    assert selected.features.index.tolist() == [0]


def test_no_event_passes():
    selected = select(make_events(2))
    assert len(selected.features) == 0
    assert "m_gg" in selected.features.columns
    assert set(selected.cutflow.values()) == {0}
