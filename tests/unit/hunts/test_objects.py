"""Objects refined to candidates, and the categories of events."""

import itertools

import numpy as np
import pytest

from bumpflow.hunts.objects import (
    KINDS,
    category_codes,
    category_counts,
    category_name,
    read_objects,
    refine,
    z_pairs,
)
from bumpflow.simulate.kinematics import invariant_mass
from tests.unit.hunts.handmade import make_table, random_table

PI = np.pi


def names(*events):
    return [
        category_name(code) for code in category_codes(refine(read_objects(make_table(*events))))
    ]


def test_the_closest_of_two_pairs_that_share_a_lepton_becomes_the_z():
    far, near, shared = (42.0, 0, PI, -1), (45.6, 0, PI, -1), (45.6, 0, 0, 1)
    objects = refine(read_objects(make_table({}, {"electron": [far, near, shared]})))
    assert [KINDS[kind] for kind in objects.kind] == ["e", "z"]
    assert objects.event.tolist() == [1, 1]
    np.testing.assert_allclose(invariant_mass(objects.momentum), [0, 91.2], atol=1e-5)
    np.testing.assert_allclose(np.hypot(*objects.momentum[0, :2]), 42)


def test_only_same_flavour_and_opposite_charge_within_the_window_make_a_z():
    def pair(mass, charge=-1):
        return [(mass / 2, 0, 0, 1), (mass / 2, 0, PI, charge)]

    electron, muon = pair(91)
    inside, outside = [76.3, 106.1], [76.1, 106.3]
    assert names(*({"muon": pair(m)} for m in inside)) == ["0e0m0g1z0v0t0h"] * 2
    assert names(*({"muon": pair(m)} for m in outside)) == ["0e2m0g0z0v0t0h_os"] * 2
    assert names({"muon": pair(91, 1)}) == ["0e2m0g0z0v0t0h_ss"]
    assert names({"electron": [electron], "muon": [muon]}) == ["1e1m0g0z0v0t0h_os"]


def reference_pairs(objects):
    """Pair leptons event by event, the closest to the Z boson's mass first."""
    chosen = set()
    for event in range(objects.n_events):
        rows = [i for i in np.flatnonzero(objects.event == event) if objects.kind[i] < 2]
        pairs = {}
        for a, b in itertools.combinations(rows, 2):
            mass = float(invariant_mass(objects.momentum[a] + objects.momentum[b]))
            opposite = objects.charge[a] == -objects.charge[b]
            if objects.kind[a] == objects.kind[b] and opposite and abs(mass - 91.18) <= 15:
                pairs[a, b] = abs(mass - 91.18)
        while pairs:
            best = min(pairs, key=pairs.get)
            chosen.add(best)
            pairs = {pair: d for pair, d in pairs.items() if not set(pair) & set(best)}
    return chosen


def test_pairs_are_those_of_a_loop_over_events():
    objects = read_objects(random_table(300, seed=1, most=5))
    pairs = set(zip(*z_pairs(objects), strict=True))
    assert len(pairs) > 100
    assert max(np.bincount([objects.event[a] for a, _ in pairs])) > 1
    assert pairs == reference_pairs(objects)


def test_jets_are_told_apart_by_mass():
    masses = [5, 59.9, 60.1, 109.9, 110.1, 199.9, 200.1]
    event = {"jet": [(1000 - i, 0, i, mass) for i, mass in enumerate(masses)]}
    objects = refine(read_objects(make_table(event)))
    assert "".join(KINDS[kind] for kind in objects.kind) == "vvtthjj"
    assert objects.rank.tolist() == [0, 1, 0, 1, 0, 0, 1]
    assert names(event) == ["0e0m0g0z2v2t1h"]


def test_objects_are_sorted_by_momentum_and_counted():
    event = {"photon": [(30, 0, 0), (50, 0, 1)], "electron": [(25, 1, 0, 1)]}
    objects = refine(read_objects(make_table(event, {}, event)))
    np.testing.assert_allclose(np.hypot(*objects.momentum[:3, :2].T), [25, 50, 30])
    assert objects.counts.tolist() == [[1, 0, 2, 0, 0, 0, 0, 0], [0] * 8, [1, 0, 2, 0, 0, 0, 0, 0]]
    codes = category_codes(objects)
    assert [category_counts(code) for code in codes] == [tuple(row[:7]) for row in objects.counts]


def test_events_without_objects_or_no_events_at_all():
    assert names({}) == ["0e0m0g0z0v0t0h"]
    assert names() == []


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match=r"no columns \['jet_mass'\]"):
        read_objects(make_table({}).drop_columns(["jet_mass"]))


def test_lists_of_different_lengths_name_the_event():
    table = make_table({}, {"muon": [(30, 0, 0, 1)]})
    other = make_table({}, {}).column("muon_eta")
    place = table.column_names.index("muon_eta")
    with pytest.raises(ValueError, match=r"event 1 .* 1 entries in muon_pt but 0 in muon_eta"):
        read_objects(table.set_column(place, "muon_eta", other))
