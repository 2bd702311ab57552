"""Tests of densities and of fitted models, with and without faults."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import kstest, norm

from bumpflow.classifiers import TreeSettings
from bumpflow.resonance.closure import (
    check_closure,
    closure_rows,
    goodness_table,
    model_events,
    signal_like,
    two_sample_test,
)
from bumpflow.resonance.pools import draw_features
from bumpflow.resonance.store import Measurement
from tests.unit.resonance import world

TREES = TreeSettings(0.1, 40, 7, 1.0, 10, 0.2)
MEASUREMENT = Measurement(world.densities(), world.MASSES, np.array([world.THETA]), ())
VALUES = {"signal": 100.0, "background": 2000.0, "shape1": world.THETA}


def test_features_are_drawn_from_the_mean_of_the_densities():
    mass = torch.full((4000,), 120.0)
    members = [world.Gaussian(-2.0, 0.5), world.Gaussian(2.0, 0.5, slope=0.1)]
    x = draw_features(members, mass, world.seeded(1)).numpy()[:, 0]

    def cumulative(v):
        return (norm.cdf(v, -2, 0.5) + norm.cdf(v, 1.5, 0.5)) / 2

    assert kstest(x, cumulative).pvalue > 1e-3


def test_equal_samples_are_not_told_apart_and_others_are():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 4000, 2))
    same = two_sample_test(a, b, settings=TREES, seed=1)
    assert abs(same.value - 0.5) < 4 * same.uncertainty
    other = two_sample_test(a, b + 0.5, settings=TREES, seed=1)
    # The best AUC of two unit Gaussians in each of two features.
    assert other.value < norm.cdf(0.5) + 4 * other.uncertainty
    assert other.value > norm.cdf(0.5) - 0.03 - 4 * other.uncertainty


@pytest.mark.parametrize(("mean", "close"), [(0.0, True), (0.7, False)])
def test_closure_sees_a_density_that_is_wrong(mean, close):
    x, mass = world.TRUTH.draw("background", 3000, world.REGION, world.seeded(2))
    row = closure_rows("here", (x, mass), [world.Gaussian(mean)], settings=TREES, seed=1)
    assert row["region"] == "here"
    assert row["n"] == 3000
    assert (abs(row["value"] - 0.5) < 4 * row["uncertainty"]) == close


def test_regions_are_tested_with_the_densities_that_did_not_see_them():
    x, mass = world.draw(6000, 0, seed=3)
    events = pd.DataFrame({"x": x[:, 0].numpy(), "m": mass.numpy()})
    settings = {"mass": "m", "signal_region": world.REGION, "edge_gev": 5.0}
    settings |= {"settings": TREES, "seed": 1}
    wrong, right = [world.Gaussian(1.0)], [world.BACKGROUND]
    found = check_closure(events, right, wrong, **settings).set_index("region")
    assert list(found.index) == ["signal_region", "lower_edge", "upper_edge"]
    m = events["m"]
    assert found["n"].tolist() == [
        int(((m >= low) & (m < high)).sum()) for low, high in ((115, 135), (110, 115), (135, 140))
    ]
    distance = (found["value"] - 0.5) / found["uncertainty"]
    assert abs(distance["signal_region"]) < 4
    assert (distance[["lower_edge", "upper_edge"]] > 4).all()
    beside = events[~world.REGION.holds(m.to_numpy())]
    left = check_closure(beside, right, right, **settings)
    assert left["region"].tolist() == ["lower_edge", "upper_edge"]


@pytest.fixture(scope="module")
def model():
    table = model_events(MEASUREMENT, VALUES, n=6000, seed=4)
    return table.assign(ratio=signal_like(table, MEASUREMENT, mass="mass"))


def share(density):
    m, dm = world.nodes(*world.REGION, 100)
    return np.sum(dm * density(m))


def test_model_events_add_up_to_the_fitted_yields(model):
    sums = model.groupby("component")["weight"].sum()
    assert sums["signal"] == pytest.approx(100 * share(world.p_signal), rel=1e-6)
    assert sums["background"] == pytest.approx(2000 * share(world.p_background), rel=1e-6)
    assert world.REGION.holds(model["mass"].to_numpy()).all()
    means = model.groupby("component")["x"].mean()
    assert means["signal"] == pytest.approx(1.5, abs=4 / np.sqrt(6000))
    assert means["background"] == pytest.approx(0, abs=4 / np.sqrt(6000))


def test_likeness_to_signal_is_the_ratio_of_densities(model):
    x, mass = model["x"].to_numpy(), model["mass"].to_numpy()
    expected = world.p_signal(mass) * norm.pdf(x, 1.5) / norm.pdf(x)
    assert model["ratio"].to_numpy() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("shift", "good"), [(0.0, True), (0.4, False)])
def test_goodness_sees_data_that_the_model_does_not_describe(model, shift, good):
    x, mass = world.draw(20_000, 1000, seed=6)
    data = pd.DataFrame({"x": x[:, 0].numpy() + shift, "mass": mass.numpy()})
    data = data[world.REGION.holds(data["mass"].to_numpy())]
    data = data.assign(ratio=signal_like(data, MEASUREMENT, mass="mass"))
    table = goodness_table(data, model, ["x"], settings=TREES, seed=1)
    assert list(table[["region", "test"]].itertuples(index=False, name=None)) == [
        (region, test)
        for region in ("signal_region", "signal_like")
        for test in ("x", "mass", "c2st")
    ]
    whole = table[table["region"] == "signal_region"].set_index("test")
    assert (whole["n"] == len(data)).all()
    assert (whole.loc[["x", "c2st"], "p"] > 1e-3).all() == good
    assert (whole.loc[["x", "c2st"], "p"] < 1e-3).all() != good
    assert whole.loc["mass", "p"] > 1e-3
    expected = 100 * share(world.p_signal) + 2000 * share(world.p_background)
    assert whole["expected"].iloc[0] == pytest.approx(expected, rel=1e-6)


def test_events_like_signal_are_beyond_a_hundredth_of_the_background(model):
    table = goodness_table(
        model[["x", "mass", "ratio"]], model, ["x"], settings=TREES, seed=1
    ).set_index(["region", "test"])
    threshold = model.loc[model["component"] == "background", "ratio"].quantile(0.99)
    row = table.loc[("signal_like", "x")]
    assert row["n"] == (model["ratio"] >= threshold).sum()
    kept = model["ratio"] >= threshold
    assert row["expected"] == pytest.approx(model.loc[kept, "weight"].sum())
    shares = kept.groupby(model["component"]).mean()
    assert shares["background"] == pytest.approx(0.01, abs=2e-4)
    assert shares["signal"] > 0.2
