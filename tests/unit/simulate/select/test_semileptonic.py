"""Selection and features of the HIGGS benchmark on events made by hand."""

import numpy as np
import pytest

from bumpflow.ingest.layout import HIGGS_FEATURES
from bumpflow.simulate.kinematics import decay_two_body, invariant_mass
from bumpflow.simulate.select.semileptonic import (
    W_MASS_GEV,
    find_w_boson,
    neutrino_momentum,
    select_semileptonic,
)
from tests.unit.simulate.handmade import make_events, make_objects, momentum

JETS = [
    momentum(pt, eta, phi) for pt, eta, phi in ((90, 0, 0), (70, 1, 2), (50, -1, -2), (30, 0.5, 1))
]
MISSING = [30.0, 10.0]


def one_event(tags=(0, 2, 0, 1), **changes):
    parts = {
        "electrons": make_objects([momentum(40, 0.3, -1)]),
        "jets": make_objects(JETS, tags=[tags]),
        "missing": [MISSING],
    }
    return make_events(1, **(parts | changes))


def random_w_decays(n=2000):
    """Return leptons and neutrinos of W bosons with momenta of all directions."""
    rng = np.random.default_rng(4)
    boson = np.column_stack([rng.normal(0, 60, (n, 3)), np.zeros(n)])
    boson[:, 3] = np.sqrt(np.square(boson).sum(axis=1) + W_MASS_GEV**2)
    cosine, phi = rng.uniform(-1, 1, n), rng.uniform(0, 2 * np.pi, n)
    return decay_two_body(boson, 0, 0, cos_theta=cosine, phi=phi)


def test_neutrinos_solve_the_mass_of_the_w_boson():
    lepton, neutrino = random_w_decays()
    found = neutrino_momentum(lepton, neutrino[:, :2])
    assert found[:, :2] == pytest.approx(neutrino[:, :2])
    # Where both solutions merge, rounding decides whether there are any.
    assert invariant_mass(lepton + found) == pytest.approx(W_MASS_GEV, rel=1e-5)
    right = np.isclose(found[:, 2], neutrino[:, 2], rtol=1e-4, atol=1e-3)
    assert 0.5 < right.mean() < 0.9
    assert np.all(np.abs(found[~right, 2]) < np.abs(neutrino[~right, 2]))


def test_without_solution_the_mass_is_the_transverse_one():
    lepton, missing = np.array([momentum(50, 0.8, 0)]), np.array([[-70.0, 5.0]])
    found = neutrino_momentum(lepton, missing)
    pt = np.hypot(*missing[0])
    m_t = np.sqrt(2 * 50 * (pt + 70))
    assert invariant_mass(lepton + found) == pytest.approx([m_t])
    for shift in (-1.0, 1.0):  # any other longitudinal momentum is farther off
        other = np.array([[*missing[0], found[0, 2] + shift, np.hypot(pt, found[0, 2] + shift)]])
        assert invariant_mass(lepton + other) > m_t


def test_features_have_the_names_and_order_of_the_benchmark():
    selected = select_semileptonic(one_event())
    assert tuple(selected.features.columns) == HIGGS_FEATURES
    row = selected.features.iloc[0]
    low = [40, 0.3, -1, np.hypot(*MISSING), np.arctan2(10, 30)]
    low += [90, 0, 0, 0, 70, 1, 2, 2, 50, -1, -2, 0, 30, 0.5, 1, 1]
    assert row.to_numpy()[:21] == pytest.approx(low)


def test_tagged_jets_come_first_in_masses():
    row = select_semileptonic(one_event()).features.iloc[0]
    first, second, third, fourth = np.array(JETS)
    assert row["m_bb"] == pytest.approx(invariant_mass(second + fourth))
    assert row["m_jj"] == pytest.approx(invariant_mass(first + third))
    single = select_semileptonic(one_event(tags=(0, 0, 1, 0))).features.iloc[0]
    assert single["m_bb"] == pytest.approx(invariant_mass(first + third))
    three = select_semileptonic(one_event(tags=(0, 1, 2, 2))).features.iloc[0]
    assert three["m_bb"] == pytest.approx(invariant_mass(second + third))


def test_masses_of_a_top_pair_are_found_exactly():
    rng = np.random.default_rng(1)
    for _ in range(20):
        cosines, phis = rng.uniform(-1, 1, 4), rng.uniform(0, 2 * np.pi, 4)
        tops = [momentum(60, 0.5, 1, 172.5), momentum(60, -0.7, -2, 172.5)]
        parts = []
        for top, cosine, phi in zip(tops, cosines[:2], phis[:2], strict=True):
            angles = {"cos_theta": np.array([cosine]), "phi": np.array([phi])}
            w, b = decay_two_body(top[None], W_MASS_GEV, 5, **angles)
            q, r = decay_two_body(
                w, 0, 0, cos_theta=np.array([cosines[2]]), phi=np.array([phis[2]])
            )
            parts.append((b[0], q[0], r[0]))
        (b_1, q, r), (b_2, lepton, neutrino) = parts
        jets, tags = [q, b_2, b_1, r], [0, 2, 2, 0]
        events = make_events(
            1,
            muons=make_objects([lepton]),
            jets=make_objects(jets, tags=[tags]),
            missing=[neutrino[:2]],
        )
        row = select_semileptonic(events).features.iloc[0]
        assert row["m_jj"] == pytest.approx(W_MASS_GEV)
        assert row["m_lv"] == pytest.approx(W_MASS_GEV, rel=1e-5)
        assert row["m_jjj"] == pytest.approx(172.5)
        if neutrino_momentum(lepton[None], neutrino[None, :2])[0, 2] == pytest.approx(neutrino[2]):
            assert row["m_jlv"] == pytest.approx(172.5)
            assert row["m_wwbb"] == pytest.approx(invariant_mass(sum(np.array(tops))))


@pytest.mark.parametrize(("pt", "larger"), [(40, 1), (400, 0)])
def test_m_wbb_is_the_larger_mass(pt, larger):
    lepton = momentum(pt, 0.3, -1)
    events = one_event(electrons=make_objects([lepton]))
    row = select_semileptonic(events).features.iloc[0]
    first, second, third, fourth = np.array(JETS)
    leptonic = lepton + neutrino_momentum(lepton[None], np.array([MISSING]))[0]
    masses = [invariant_mass(w + second + fourth) for w in (leptonic, first + third)]
    assert np.argmax(masses) == larger
    assert row["m_wbb"] == pytest.approx(masses[larger])


def test_w_boson_is_looked_for_in_all_other_jets():
    b_1, b_2 = momentum(100, 0, 0), momentum(90, 0, 2)
    light = [
        momentum(80, 1, -1),
        momentum(70, -1, -2),
        momentum(40.2, 2, 0),
        momentum(40.2, 2, np.pi),
    ]
    events = one_event(jets=make_objects([b_1, b_2, *light], tags=[[2, 2, 0, 0, 0, 2]]))
    row = select_semileptonic(events).features.iloc[0]
    assert row["m_jj"] == pytest.approx(80.4)  # of the last two
    assert row["m_bb"] == pytest.approx(invariant_mass(b_1 + b_2))
    total = b_1 + b_2 + light[2] + light[3] + momentum(40, 0.3, -1)
    neutrino = neutrino_momentum(momentum(40, 0.3, -1)[None], np.array([MISSING]))[0]
    assert row["m_wwbb"] == pytest.approx(invariant_mass(total + neutrino))


def test_missing_jets_make_no_w_boson():
    jets = np.zeros((1, 6, 4))
    jets[0, :2] = momentum(500, 0, 0), momentum(400, 1, 2)
    assert find_w_boson(jets)[0] == pytest.approx(jets[0, 0] + jets[0, 1])


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, (1, 1, 1)),
        ({"muons": make_objects([momentum(30)])}, (0, 0, 0)),
        ({"electrons": make_objects([])}, (0, 0, 0)),
        ({"jets": make_objects(JETS[:3], tags=[[2, 2, 2]])}, (1, 0, 0)),
        ({"tags": (0, 0, 0, 0)}, (1, 1, 0)),
        # Only the four hardest count.
        (
            {"jets": make_objects([*JETS, momentum(25, 0, 3)], tags=[[0, 0, 0, 0, 2]])},
            (1, 1, 0),
        ),
    ],
)
def test_cutflow(changes, counts):
    selected = select_semileptonic(one_event(**changes))
    assert tuple(selected.cutflow.values()) == counts
    assert len(selected.features) == counts[-1]


def test_number_of_tags_can_be_asked_for():
    events = one_event(tags=(0, 1, 0, 0))
    assert [len(select_semileptonic(events, min_btags=n).event) for n in (0, 1, 2)] == [1, 1, 0]


def test_selected_events_keep_their_weights():
    events = make_events(
        3,
        muons=make_objects([], [momentum(40)], [momentum(50)]),
        jets=make_objects([], JETS[:2], JETS, tags=[[], [2, 2], [1, 0, 0, 0]]),
        weights=[1, 2, 3],
    )
    selected = select_semileptonic(events)
    assert selected.event.tolist() == [2]
    assert selected.weights.tolist() == [3]
    assert selected.features["lepton_pT"].tolist() == pytest.approx([50])
