import numpy as np
import pandas as pd
import pytest

from bumpflow.simulate import scorecard
from bumpflow.simulate.beamdump import sample_parametrised
from bumpflow.summary import merge


def by_name(quantities):
    merge([quantities])  # names occur once
    return {quantity.quantity: quantity for quantity in quantities}


def test_sample_has_crosssections_with_units():
    record = {"n_generated": 10}
    for key in ("crosssection", "selected"):
        record |= {f"{key}_fb": 4.0, f"{key}_error_fb": 0.5}
    record |= {"efficiency": 0.25, "efficiency_error": 0.1}
    found = by_name(scorecard.sample_quantities("bbaa", record))
    assert found["simulation.bbaa.selected"].unit == "fb"
    assert found["simulation.bbaa.efficiency"].uncertainty == 0.1


def test_peaks_are_found_beside_the_masses():
    rng = np.random.default_rng(1)
    events = pd.DataFrame({"m_gg": rng.normal(125, 1.5, 4000), "m_bb": rng.normal(118, 14, 4000)})
    found = by_name(scorecard.peak_quantities("hh", "hhbbaa", events, rng))
    assert found["simulation.hh.peak_m_gg"].value == pytest.approx(125, abs=0.5)
    assert found["simulation.hh.peak_m_bb"].value == pytest.approx(118, abs=2)
    assert found["simulation.hh.peak_m_bb"].reference == 125
    assert scorecard.peak_quantities("hh", "hhbbaa", events[:20], rng) == []
    assert scorecard.peak_quantities("bbaa", "bbaa", events, rng) == []


def test_mesons_are_compared_with_the_first_sample():
    spectra = {
        name: pd.DataFrame(
            sample_parametrised(5000, np.random.default_rng(seed)),
            columns=["px", "py", "pz", "energy"],
        )
        for name, seed in (("one", 1), ("other", 2))
    }
    found = by_name(scorecard.meson_quantities(spectra))
    assert found["simulation.one.mean_pz"].value == pytest.approx(90.9, abs=3)
    assert found["simulation.other.ks_pz"].value < 1.95 * np.sqrt(2 / 5000)  # p = 0.001
    assert "simulation.one.ks_pz" not in found


def test_benchmark_has_both_classes_and_variants():
    record = {"n_test": [3, 4], "resmlp": {"auc": 0.8, "auc_uncertainty": 0.1}}
    record["trees"] = record["resmlp"]
    classes = {"background": record, "signal": record}
    found = by_name(scorecard.benchmark_quantities(classes | {"without_m_lv": classes}))
    assert len(found) == 8
    assert found["simulation.benchmarksignal.c2st_auc_trees.without_m_lv"].n == 7


def test_double_higgs_ratios():
    total = pd.DataFrame(
        {
            "kappa_lambda": [0.0, 1.0, 2.45],
            "crosssection_fb": [40.0, 20.0, 8.0],
            "crosssection_error_fb": [0.4, 0.2, 0.1],
        }
    )
    found = by_name(scorecard.double_higgs_quantities(total))
    assert found["simulation.doublehiggs.ratio.kappa0"].value == 2
    assert found["simulation.doublehiggs.ratio.kappa2_45"].reference == 0.42
    alone = by_name(scorecard.double_higgs_quantities(total[1:2]))
    assert list(alone) == ["simulation.doublehiggs.crosssection"]


def test_responses_are_weighted_means():
    responses = pd.DataFrame(
        {
            "group": ["b", "b", "light"],
            "n": [1, 3, 2],
            "response": [0.8, 0.9, 0.95],
            "response_error": [0.1, 0.1, 0.1],
            "corrected": [1.0, 1.0, 1.0],
            "corrected_error": [0.1, 0.1, 0.1],
        }
    )
    found = by_name(scorecard.response_quantities("cmspp8", responses))
    assert found["simulation.cmspp8.response.b"].value == pytest.approx(0.875)
    assert found["simulation.cmspp8.corrected.light"].value == 1


def test_categories_are_counted():
    quantity = scorecard.category_quantity(pd.DataFrame({"n_events": [3, 2]}))
    assert (quantity.value, quantity.n) == (2, 5)
