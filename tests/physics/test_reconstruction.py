"""Reconstruction of showered events: closure of the jets' energy scale, and known masses."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from bumpflow.simulate.detector.jet_scale import derive_jet_scale, measure_responses
from bumpflow.simulate.detector.matching import match_partons
from bumpflow.simulate.detector.reconstruction import reconstruct
from bumpflow.simulate.detector.settings import detector_settings
from bumpflow.simulate.particles import unpack_batch
from bumpflow.simulate.peaks import find_peak
from bumpflow.simulate.select.semileptonic import select_semileptonic
from tests.unit.simulate.handmade import PERFECT

pytestmark = pytest.mark.physics
pytest.importorskip("fastjet")
pythia8 = pytest.importorskip("pythia8mc")

N_BATCHES, BATCH = 14, 500
TOPS = (
    "Beams:eCM = 8000.",
    "Print:quiet = on",
    "Random:setSeed = on",
    "Random:seed = 11",
    "PartonLevel:MPI = off",
    "Top:gg2ttbar = on",
    "Top:qqbar2ttbar = on",
    "24:onMode = off",
    "24:onPosIfAny = 11 13",
    "24:onNegIfAny = 1 2 3 4 5",
)
W_MASS, TOP_MASS = 80.4, 172.5


@pytest.fixture(scope="module")
def detector():
    """CMS, as configured."""
    config = Path(__file__).parents[2] / "config" / "config.yaml"
    return detector_settings(yaml.safe_load(config.read_text())["detectors"]["cms"])


@pytest.fixture(scope="module")
def batches():
    """Batches of semileptonic decays of top quark pairs."""
    pythia = pythia8.Pythia("", False)
    for line in TOPS:
        assert pythia.readString(line), line
    assert pythia.init()
    return [unpack_batch(pythia.nextBatch(BATCH)) for _ in range(N_BATCHES)]


@pytest.fixture(scope="module")
def jet_scale(batches, detector):
    """Correction from the first half of the events."""
    return derive_jet_scale(pairs_of(batches[: N_BATCHES // 2], detector, seed=1))


@pytest.fixture(scope="module")
def selected(batches, detector, jet_scale):
    """Features of all events, before and after the correction."""
    tables = {}
    for name, table in (("raw", None), ("corrected", jet_scale)):
        rng = np.random.default_rng(2)
        events = (reconstruct(b, detector, rng, jet_scale=table) for b in batches)
        tables[name] = pd.concat([select_semileptonic(e).features for e in events])
    return tables


def pairs_of(batches, detector, seed):
    rng = np.random.default_rng(seed)
    return pd.concat([match_partons(b, detector, rng) for b in batches])


def test_correction_closes_on_independent_events(batches, detector, jet_scale):
    responses = measure_responses(pairs_of(batches[N_BATCHES // 2 :], detector, 3), jet_scale)
    hard = responses[responses["pt_low_gev"] >= 30]
    uncertainty = np.hypot(hard["corrected_error"], 0.005)  # about that of the correction itself
    assert np.all(np.abs(hard["corrected"] - 1) < 0.02 + 3 * uncertainty)
    for _, rows in hard.groupby("group"):
        weight = rows["corrected_error"] ** -2.0
        assert np.average(rows["corrected"], weights=weight) == pytest.approx(1, abs=0.02)
        assert np.all(rows["response"][rows["pt_gev"] < 100] < 0.97)


def test_jets_of_b_quarks_need_the_larger_correction(jet_scale):
    factors = jet_scale[jet_scale["pt_gev"].between(25, 120)].groupby("group")["factor"].mean()
    assert factors["b"] > factors["light"] + 0.02


@pytest.mark.parametrize(
    ("feature", "mass", "limits", "width"),
    [
        ("m_jj", W_MASS, (50, 110), 4),
        ("m_jjj", TOP_MASS, (120, 230), 6),
        ("m_jlv", TOP_MASS, (120, 230), 6),
    ],
)
def test_masses_peak_where_they_should(selected, feature, mass, limits, width):
    rng = np.random.default_rng(4)
    peaks = {
        name: find_peak(
            table[feature].to_numpy(), low=limits[0], high=limits[1], width=width, rng=rng
        )
        for name, table in selected.items()
    }
    after, before = peaks["corrected"], peaks["raw"]
    assert after.position == pytest.approx(mass, abs=0.04 * mass + 3 * after.uncertainty)
    assert before.position < after.position - 2


def test_nothing_lost_leaves_what_neutrinos_carry(batches):
    particles = batches[0]
    detector = detector_settings(PERFECT)
    hermetic = replace(
        detector,
        tracker=replace(
            detector.tracker,
            efficiency=replace(detector.tracker.efficiency, abs_eta=(50.0,)),
        ),
        ecal=replace(detector.ecal, max_abs_eta=50.0),
        hcal=replace(detector.hcal, max_abs_eta=50.0),
    )
    events = reconstruct(particles, hermetic, np.random.default_rng(5))
    neutrino = (particles.status > 0) & np.isin(np.abs(particles.pdg), (12, 14, 16))
    expected = np.stack(
        [
            np.bincount(particles.event[neutrino], particles.momentum[neutrino, axis], BATCH)
            for axis in (0, 1)
        ],
        axis=1,
    )
    # Transverse momenta are conserved to the rounding of long chains of boosts.
    assert events.missing == pytest.approx(expected, abs=0.05)


def test_heavy_flavours_of_jets_are_those_of_top_decays(batches, detector):
    jets = reconstruct(batches[0], detector, np.random.default_rng(6)).jets
    n_b = np.bincount(jets.event, jets.flavour == 5, minlength=BATCH)
    assert 1.4 < n_b.mean() < 2.1
    tagged = [np.mean(jets.tag[(jets.flavour == f) & (jets.pt > 30)] > 0) for f in (5, 4, 0)]
    assert 0.55 < tagged[0] < 0.75
    assert tagged[1] < 0.35
    assert tagged[2] < 0.03


def test_weighted_tags_select_the_same_rate(batches, detector):
    particles = batches[1]
    sums = {}
    for tagging in ("draw", "weight"):
        weights = []
        for seed in range(5):
            events = reconstruct(
                particles, detector, np.random.default_rng(seed), tagging=tagging, min_tags=2
            )
            weights.append(select_semileptonic(events, min_btags=2).weights)
        sums[tagging] = np.concatenate(weights)
    total = {name: w.sum() for name, w in sums.items()}
    error = np.sqrt(sum(np.square(w).sum() for w in sums.values()))
    assert total["draw"] == pytest.approx(total["weight"], abs=3 * error)
    assert len(sums["weight"]) > 1.5 * len(sums["draw"])


def test_same_seed_gives_the_same_events(batches, detector):
    first, second = (reconstruct(batches[0], detector, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first.jets.momentum, second.jets.momentum)
    assert np.array_equal(first.jets.tag, second.jets.tag)
    assert np.array_equal(first.missing, second.missing)
