import numpy as np
import pandas as pd
import pytest

from bumpflow.reconstruction import scorecard
from bumpflow.summary import as_records


def by_name(quantities):
    found = list(quantities)
    as_records(found)  # refuses what occurs twice
    return {quantity.quantity: quantity for quantity in found}


def sharpness():
    rows = [
        ("e1a1", "amortised", -1.5, 1.0),
        ("e1a1", "published", -1.2, 0.8),
        ("e1a1", "single", -1.55, 1.02),
        ("e5a5", "amortised", -0.5, 1.0),
        ("e5a5", "single", -0.6, 1.04),
    ]
    table = pd.DataFrame(rows, columns=["detector", "method", "loss", "ratio"])
    return table.assign(sigma=0.006, sigma_error=1e-4, loss_error=0.02, ratio_error=0.01, n=400)


def record(p=0.3, deviation=0.01):
    parameters = {name: {"p_ranks": p} for name in ("mass", "lifetime")}
    first = parameters | {"tarp": {"deviation": [0.005, 0.001]}, "n": 500}
    second = {"mass": {"p_ranks": 0.9}, "lifetime": {"p_ranks": 0.02}}
    return [first, second | {"tarp": {"deviation": [deviation, 0.002]}, "n": 400}]


def comparison():
    rows = [
        (name, energy, angle, method, 0.1 * factor * (1 + 50 * energy) * (1 + 100 * angle))
        for name in ("m0p2", "m1")
        for energy in (0.01, 0.1)
        for angle in (0.001, 0.01)
        for method, factor in (("amortised", 0.6 if name == "m1" else 0.9), ("diphoton", 1))
    ]
    table = pd.DataFrame(rows, columns=["benchmark", "energy", "angle_rad", "method", "spread"])
    return table.assign(spread_error=0.03 * table["spread"], n=100.0)


def test_loss_and_width_are_those_at_the_published_detector():
    found = by_name(scorecard.sharpness_quantities(sharpness(), slides="e1a1"))
    losses = {name: one for name, one in found.items() if "loss" in name}
    assert {name.removeprefix("cinn.slides."): one.value for name, one in losses.items()} == {
        "validation_loss": -1.5,
        "validation_loss.published": -1.2,
        "validation_loss.single": -1.55,
    }
    assert {one.reference for one in losses.values()} == {-1.2716}
    width = found["cinn.slides.sigma_mass"]
    assert (width.value, width.uncertainty, width.n, width.reference) == (0.006, 1e-4, 400, None)


def test_the_worst_detector_counts_for_sharpness():
    found = by_name(scorecard.sharpness_quantities(sharpness(), slides="e1a1"))
    ratio = found["cinn.amortised.sharpness_ratio"]
    assert (ratio.value, ratio.reference) == (1.04, 1.05)
    alone = sharpness().query("method != 'single'")
    assert "cinn.amortised.sharpness_ratio" not in by_name(
        scorecard.sharpness_quantities(alone, slides="e1a1")
    )


def test_p_values_of_several_sizes_are_corrected_for_their_number():
    found = by_name(scorecard.diagnosis_quantities(record()))
    assert found["cinn.amortised.sbc_p.mass"].value == pytest.approx(0.6)
    assert found["cinn.amortised.sbc_p.lifetime"].value == pytest.approx(0.04)
    assert {one.n for one in found.values()} == {400}
    found = by_name(scorecard.diagnosis_quantities(record(p=0.95)))
    assert found["cinn.amortised.sbc_p.mass"].value == 1


def test_corrected_p_values_are_uniform_enough_to_judge_by():
    rng = np.random.default_rng(1)
    values = []
    for p in rng.random((400, 4)):
        numbers = [
            {
                "mass": {"p_ranks": float(one)},
                "lifetime": {"p_ranks": 0.5},
                "tarp": {"deviation": [0.0, 0.1]},
                "n": 9,
            }
            for one in p
        ]
        found = by_name(scorecard.diagnosis_quantities(numbers))
        values.append(found["cinn.amortised.sbc_p.mass"].value)
    assert np.mean(np.array(values) < 0.1) == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / 400))


def test_the_worst_coverage_counts():
    found = by_name(scorecard.diagnosis_quantities(record(deviation=0.03)))
    worst = found["cinn.amortised.tarp_max_deviation"]
    assert (worst.value, worst.uncertainty, worst.reference) == (0.03, 0.002, 0.02)


def test_spreads_are_compared_at_the_worst_angles():
    found = by_name(scorecard.spread_quantities(comparison()))
    assert {name: one.value for name, one in found.items()} == pytest.approx(
        {"cinn.m0p2.spread_ratio_to_mgg": 0.9, "cinn.m1.spread_ratio_to_mgg": 0.6}
    )
    ratio = found["cinn.m1.spread_ratio_to_mgg"]
    assert ratio.uncertainty == pytest.approx(0.6 * 0.03 * np.sqrt(2))
    table = comparison()
    here = (table["energy"] == 0.01) & (table["angle_rad"] == 0.01)
    table.loc[here & (table["method"] == "diphoton"), "spread"] *= 2
    found = by_name(scorecard.spread_quantities(table))
    assert found["cinn.m1.spread_ratio_to_mgg"].value == pytest.approx(0.3)


def test_time_of_a_posterior():
    found = scorecard.timing_quantity({"milliseconds": 12.5, "n_draws": 10_000})
    assert (found.quantity, found.value) == ("cinn.posterior_milliseconds", 12.5)
    assert (found.reference, found.n, found.unit) == (20, 10_000, "ms")


def test_observed_sets_have_masses():
    row = {"log10_mass_mean": -0.1, "log10_mass_std": 0.02, "n_events": 3}
    found = by_name(scorecard.observed_quantities("own", {"sets": [row, row]}))
    assert list(found) == [f"cinn.observed.own.log10_mass.set{index}" for index in (0, 1)]
    one = found["cinn.observed.own.log10_mass.set0"]
    assert (one.value, one.uncertainty, one.n) == (-0.1, 0.02, 3)
