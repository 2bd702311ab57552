"""Correction of the energy scale of jets, on responses that are known."""

import numpy as np
import pandas as pd
import pytest

from bumpflow.simulate.detector.jet_scale import (
    derive_jet_scale,
    measure_responses,
    scale_factors,
)
from bumpflow.simulate.detector.matching import match_partons
from bumpflow.simulate.detector.settings import detector_settings as build
from tests.unit.simulate.handmade import PERFECT, make_particles, momentum

LOSS = {"b": 0.85, "light": 0.95}


def made_up_pairs(seed, n=20_000):
    """Return pairs with a response that rises with pT, smeared by 15 %, of a falling spectrum."""
    rng = np.random.default_rng(seed)
    tables = []
    for group, loss in LOSS.items():
        parton = 15 + rng.exponential(40, n)
        response = loss * (1 - 2 / parton) * rng.normal(1, 0.15, n)
        tables.append(
            pd.DataFrame(
                {"group": group, "parton_pt_gev": parton, "jet_pt_gev": parton * response}
            )
        )
    return pd.concat(tables)


def test_factors_invert_the_response():
    table = derive_jet_scale(made_up_pairs(1))
    assert table.columns.tolist() == ["group", "pt_gev", "factor", "uncertainty", "n"]
    for group, loss in LOSS.items():
        rows = table[table["group"] == group]
        parton = rows["pt_gev"] * rows["factor"]
        expected = 1 / (loss * (1 - 2 / parton))
        # The fit's own shape adds a little to the statistical uncertainty.
        assert np.all(np.abs(rows["factor"] - expected) < 4 * rows["uncertainty"] + 0.005)


def test_correction_closes_on_other_pairs():
    responses = measure_responses(made_up_pairs(3), derive_jet_scale(made_up_pairs(2)))
    hard = responses[responses["pt_gev"] > 30]
    assert set(hard["group"]) == {"b", "light"}
    assert np.all(np.abs(hard["corrected"] - 1) < 0.01 + 3.5 * hard["corrected_error"])
    assert np.all(hard["response"] < 0.98)
    assert np.all(hard["pt_low_gev"] < hard["pt_gev"])


def test_uncertainty_is_that_of_the_scatter_of_corrections():
    tables = [derive_jet_scale(made_up_pairs(seed, n=2000)) for seed in range(10, 30)]
    place = 5  # a bin in the middle
    factors = [table["factor"][place] for table in tables]
    mean = np.mean([table["uncertainty"][place] for table in tables])
    assert np.std(factors, ddof=1) == pytest.approx(mean, rel=4 / np.sqrt(2 * 19))


def test_tags_choose_the_factor_and_ends_are_constant():
    table = pd.DataFrame(
        {
            "group": ["b", "light", "light"],
            "pt_gev": [50.0, 100.0, 25.0],
            "factor": [1.3, 1.0, 1.2],
        }
    )
    pt = np.array([50.0, 50.0, 5.0, 1000.0])
    tagged = np.array([True, False, False, False])
    assert scale_factors(pt, tagged, table) == pytest.approx([1.3, 1.1, 1.2, 1.0])
    assert scale_factors(pt, tagged, None).tolist() == [1, 1, 1, 1]


def test_too_few_pairs_are_refused():
    pairs = made_up_pairs(1)
    few = pd.concat([pairs[pairs["group"] == "b"][:50], pairs[pairs["group"] == "light"]])
    with pytest.raises(ValueError, match=r"50 pairs of a jet of group 'b'.*generate more"):
        derive_jet_scale(few)


def test_jets_are_matched_to_isolated_quarks():
    pytest.importorskip("fastjet")
    event = [
        (5, momentum(60), -23, 0),
        (211, momentum(50, 0.1)),
        (2, momentum(40, 1.5, 2), -23, 0),
        (211, momentum(38, 1.5, 2.1)),
        (-1, momentum(70, -1.5, -2), -23, 0),  # too near to the next one
        (3, momentum(30, -1.5, -1.4), -23, 0),
        (211, momentum(66, -1.5, -2)),
        (4, momentum(30, 0, -1), -23, 0),  # without a jet
        (1, momentum(80, 2, 0), -51, 0),  # of the shower
        (211, momentum(70, 2, 0)),
    ]
    lepton = [(-3, momentum(50), -23, 0), (11, momentum(40, 0.5), 23, 0), (211, momentum(49))]
    particles = make_particles([], event, lepton)
    pairs = match_partons(particles, build(PERFECT), np.random.default_rng(0))
    assert pairs["group"].tolist() == ["b", "light"]
    assert pairs["parton_pt_gev"].tolist() == pytest.approx([60, 40])
    assert pairs["jet_pt_gev"].tolist() == pytest.approx([50, 38])


def test_the_nearest_jet_is_taken_before_its_correction():
    pytest.importorskip("fastjet")
    near, nearer = (211, momentum(50, 0.28)), (211, momentum(12, -0.2))
    particles = make_particles([(5, momentum(60), -23, 0), near, nearer])
    pairs = match_partons(particles, build(PERFECT), np.random.default_rng(0))
    assert pairs["jet_pt_gev"].tolist() == pytest.approx([12])
