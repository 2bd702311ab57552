import logging

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import chi2, kstest

from bumpflow.resonance.background_fits import (
    BackgroundChoice,
    choose_background,
    compare_backgrounds,
    discrete_profile,
    improvement,
    mass_data,
)
from bumpflow.resonance.fitting import fit
from bumpflow.resonance.likelihood import ResonanceModel
from bumpflow.resonance.shapes import BackgroundShape, DoubleCrystalBall, Window, draw_masses

WINDOW, REGION = Window(90.0, 180.0), Window(115.0, 135.0)
PEAK = DoubleCrystalBall(125.0, 1.4, 1.6, 3.0, 1.7, 1.9, 4.0)
EXPONENTIAL = BackgroundShape("exponential", 1, WINDOW)
SLOPE = 1.7


def peak_masses(n, *, seed, window=REGION, peak=PEAK):
    generator = torch.Generator().manual_seed(seed)
    return draw_masses(lambda m: peak.density(m, window), window, n, generator).numpy()


def background_masses(n, *, seed):
    generator = torch.Generator().manual_seed(seed)
    return draw_masses(lambda m: EXPONENTIAL.at(m, [SLOPE]), WINDOW, n, generator).numpy()


def fits_of_toys(masses, orders):
    data = mass_data(masses, PEAK, WINDOW)
    shapes = (BackgroundShape("exponential", order, WINDOW) for order in orders)
    return [fit(ResonanceModel(shape), data) for shape in shapes]


@pytest.fixture(scope="module")
def toys():
    """Return the masses of toys of 500 events on average, and how many events each has."""
    rng = np.random.default_rng(11)
    counts = rng.poisson(500, 500)
    masses = background_masses(500 * 600, seed=11).reshape(500, 600)
    masses[np.arange(600) >= counts[:, None]] = np.nan
    return masses


def test_the_signal_is_fitted_without_bias_and_with_correct_errors(toys):
    (found,) = fits_of_toys(toys, [1])
    assert found.good.all()
    pulls = found.signal / found.uncertainty
    assert np.mean(pulls) == pytest.approx(0, abs=0.2)  # a skewed likelihood's own bias is 0.1
    assert np.std(pulls) == pytest.approx(1, abs=4 / np.sqrt(2 * 500))
    assert (found.signal < 0).any()
    slope = (found.values[:, 2] - SLOPE) / found.covariance[:, 2, 2].sqrt()
    assert slope.mean() == pytest.approx(0, abs=4 / np.sqrt(500))


def test_an_order_too_many_is_an_improvement_in_5_percent_of_toys(toys):
    uniform, true, more = (part.deviance for part in fits_of_toys(toys, [0, 1, 2]))
    p_values = improvement(true, more)
    assert kstest(p_values, "uniform").pvalue > 1e-3
    assert np.mean(p_values < 0.05) == pytest.approx(0.05, abs=4 * np.sqrt(0.0475 / 500))
    assert np.all(improvement(uniform, true) < 0.05)


def test_goodness_of_background_fits_is_uniform(toys):
    p_values = [
        compare_backgrounds(masses, WINDOW, PEAK, families=["exponential"], max_order=1)
        .set_index("order")
        .loc[1, "p_value"]
        for masses in toys[:50]
    ]
    assert kstest(p_values, "uniform").pvalue > 1e-3


@pytest.fixture(scope="module")
def table():
    masses = np.append(background_masses(8000, seed=3), peak_masses(150, seed=3, window=WINDOW))
    return compare_backgrounds(masses, WINDOW, PEAK)


def test_all_shapes_are_compared(table):
    assert table["series"].tolist() == [
        *(4 * ["exponential"]),
        *(4 * ["power"]),
        *(4 * ["inverse"]),
    ]
    assert table["order"].tolist() == 3 * [0, 1, 2, 3]
    assert (table["status"] == "converged").all()
    assert np.all(np.isnan(table["p_improvement"]) == (table["order"] == 0))
    for k in (1, 2, 3):
        assert np.all(np.isnan(table[f"theta{k}"]) == (table["order"] < k))
    gains = -np.diff(table["deviance"].to_numpy().reshape(3, 4), axis=1)
    assert np.all(gains > -1e-6)
    expected = chi2.sf(gains, 1).ravel()
    assert table["p_improvement"].dropna().to_numpy() == pytest.approx(expected, abs=1e-3)
    assert (table["s"] + table["b"]).to_numpy() == pytest.approx(np.full(12, 8150), rel=1e-6)


def test_the_true_shape_is_found(table):
    rows = table.set_index(["series", "order"])
    true = rows.loc[("exponential", 1)]
    assert abs(true["theta1"] - SLOPE) < 4 * true["theta1_error"]
    assert abs(true["s"] - 150) < 4 * true["s_error"]
    assert true["p_value"] > 1e-3
    assert rows.loc[("exponential", 0), "p_value"] < 1e-6
    exponential = table[table["series"] == "exponential"]
    assert choose_background(exponential, rule="ftest") == BackgroundChoice("exponential", 1)
    for rule in ("ftest", "penalised"):
        chosen = rows.loc[choose_background(table, rule=rule)]
        assert chosen["deviance"] + chosen.name[1] <= true["deviance"] + 1


def test_a_bend_that_is_there_is_chosen():
    generator = torch.Generator().manual_seed(6)
    shape = BackgroundShape("exponential", 2, WINDOW)
    masses = draw_masses(lambda m: shape.at(m, [3.0, -2.0]), WINDOW, 8000, generator).numpy()
    found = compare_backgrounds(masses, WINDOW, PEAK, families=["exponential"], max_order=2)
    for rule in ("ftest", "penalised"):
        assert choose_background(found, rule=rule) == BackgroundChoice("exponential", 2)
    row = found.iloc[2]
    assert abs(row["s"]) < 4 * row["s_error"]
    for name, truth in (("theta1", 3.0), ("theta2", -2.0)):
        assert abs(row[name] - truth) < 4 * row[f"{name}_error"]


def test_deviance_is_that_of_the_extended_likelihood(table):
    masses = np.append(background_masses(8000, seed=3), peak_masses(150, seed=3, window=WINDOW))
    row = table[(table["series"] == "power") & (table["order"] == 2)].iloc[0]
    shape = BackgroundShape("power", 2, WINDOW)
    density = row["b"] * shape.at(masses, [row["theta1"], row["theta2"]])
    density += row["s"] * PEAK.density(masses, WINDOW)
    expected = 2 * (row["s"] + row["b"] - np.log(density).sum())
    assert row["deviance"] == pytest.approx(expected, abs=1e-4)


def test_data_outside_the_window_are_refused():
    with pytest.raises(ValueError, match="no event is within 90 to 180 GeV"):
        compare_backgrounds([10.0, 200.0], WINDOW, PEAK)


def comparison(deviances, *, status="converged"):
    """Return a table of two series with orders from 0, by their -2 ln L."""
    rows = [
        {"series": series, "order": order, "deviance": value, "status": status}
        for series, values in deviances.items()
        for order, value in enumerate(values)
    ]
    table = pd.DataFrame(rows)
    table["p_improvement"] = improvement(
        table.groupby("series")["deviance"].shift(), table["deviance"]
    )
    return table


def test_rules_differ_where_a_small_gain_outweighs_the_penalty():
    table = comparison({"exponential": [50, 10, 8], "power": [50, 11, 9.5]})
    assert choose_background(table, rule="penalised") == ("exponential", 2)
    assert choose_background(table, rule="ftest") == ("exponential", 1)  # a gain of 2 has p = 0.16
    assert choose_background(table, rule="penalised", correction=2.5) == ("exponential", 1)
    assert choose_background(table, rule="ftest", level=0.2) == ("exponential", 2)


def test_the_best_series_is_that_of_the_least_penalised_likelihood():
    table = comparison({"exponential": [50, 20, 12], "power": [50, 12.5, 12]})
    assert choose_background(table, rule="ftest") == ("power", 1)


def test_an_order_after_one_that_does_not_help_is_not_looked_at(caplog):
    table = comparison({"exponential": [50, 20, 19, 5]})
    assert choose_background(table, rule="ftest") == ("exponential", 1)
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        assert choose_background(table[table["order"] < 2], rule="ftest").order == 1
    assert "exponential: order 1 still improves" in caplog.text


def test_failed_fits_are_passed_over():
    table = comparison({"exponential": [50, 10], "power": [50, 20]})
    table.loc[1, ["status", "deviance"]] = ["failed", np.nan]
    assert choose_background(table, rule="penalised") == ("power", 1)
    table["status"] = "failed"
    with pytest.raises(ValueError, match="none of 4 background fits converged"):
        choose_background(table, rule="penalised")


def test_unknown_rules_are_named():
    with pytest.raises(ValueError, match="no rule 'bic'"):
        choose_background(comparison({"power": [50, 20]}), rule="bic")


GRID = np.linspace(-50, 150, 41)


def parabola(best, width, minimum=0.0):
    return minimum + ((GRID - best) / width) ** 2


def test_one_model_is_profiled_as_it_is():
    found = discrete_profile(GRID, [parabola(42, 21, 17)], [3])
    assert found.best == pytest.approx(42, abs=0.1)
    assert (found.low, found.high) == pytest.approx((21, 63), abs=0.02)
    assert found.envelope == pytest.approx(((found.signal - 42) / 21) ** 2, abs=1e-4)
    assert np.all(found.model == 0)


def test_the_envelope_is_the_lowest_penalised_curve():
    curves = [parabola(20, 20, 1), parabola(60, 15, 0)]
    found = discrete_profile(GRID, curves, [3, 4])
    first, second = (np.interp(GRID, found.signal, found.envelope) for _ in range(2))
    assert first == pytest.approx(np.minimum(parabola(20, 20), parabola(60, 15)), abs=1e-6)
    assert np.array_equal(first, second)
    assert (found.low, found.high) == pytest.approx((0, 75), abs=0.02)  # both are equally good
    assert found.model[[0, -1]].tolist() == [0, 1]


def test_the_penalty_decides_between_models():
    curves = [parabola(20, 20, 1.5), parabola(60, 15, 0)]
    for correction, best, ends in ((1.0, 60, None), (2.0, 20, None), (20.0, 20, (0, 40))):
        found = discrete_profile(GRID, curves, [3, 4], correction=correction)
        assert found.best == pytest.approx(best, abs=0.1)
        if ends:
            assert (found.low, found.high) == pytest.approx(ends, abs=0.02)


def test_curves_with_a_common_offset_give_the_same_result():
    curves = np.array([parabola(20, 20, 1.5), parabola(60, 15, 0)])
    a, b = (discrete_profile(GRID, curves + offset, [3, 4]) for offset in (0, -1e4))
    assert b.envelope == pytest.approx(a.envelope, abs=1e-6)


def test_many_data_sets_at_once_are_as_one_by_one():
    sets = np.array(
        [[parabola(20, 20, 1.5), parabola(60, 15)], [parabola(0, 10, 0.2), parabola(5, 30, 0.9)]]
    )
    both = discrete_profile(GRID, sets, [3, 4])
    for k, curves in enumerate(sets):
        one = discrete_profile(GRID, curves, [3, 4])
        for name in ("envelope", "model", "best", "low", "high"):
            assert np.array_equal(getattr(both, name)[k], getattr(one, name))


def test_ends_beyond_the_grid_are_unknown():
    found = discrete_profile(GRID, [parabola(-40, 30)], [1])
    assert np.isnan(found.low)
    assert found.high == pytest.approx(-10, abs=0.02)
    outside = discrete_profile(GRID, [parabola(-60, 30)], [1])
    assert np.isnan([outside.best, outside.low]).all()


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        (np.zeros((2, 40)), r"curves of shape \(2, 40\) for 2 models and 41 signals"),
        (np.zeros((3, 41)), r"curves of shape \(3, 41\) for 2 models"),
        (np.where(GRID == 0, np.nan, [[0.0], [1.0]]), r"curve \(0,\) is not finite at 0 signal"),
    ],
)
def test_impossible_curves_are_refused(curves, message):
    with pytest.raises(ValueError, match=message):
        discrete_profile(GRID, curves, [3, 4])
