"""Weights of generated events: right where they can be known, and modest where they cannot."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bumpflow.classifiers import NetworkSettings
from bumpflow.evaluate.c2st import area_under_curve
from bumpflow.evaluate.reweighting import (
    ReweightingSettings,
    calibrate,
    effective_fraction,
    judge_reweighting,
    reliability,
    restore,
    store,
    train_reweighter,
)
from bumpflow.train import TrainSettings

CPU = torch.device("cpu")
TRAINING = TrainSettings(learning_rate=3e-3, batch_size=128, max_epochs=12, patience=4)
NETWORK = NetworkSettings(16, layers=1, repeats=1, validation_fraction=0.2, training=TRAINING)
SETTINGS = ReweightingSettings(folds=2, clip=5.0, network=NETWORK)
TREES = {
    "learning_rate": 0.1,
    "max_iter": 40,
    "max_leaf_nodes": 8,
    "l2_regularization": 1.0,
    "patience": 5,
    "validation_fraction": 0.2,
}
SHIFT = 0.6


def gauss(n, seed, shift=0.0):
    return np.random.default_rng(seed).normal((shift, 0), 1, size=(n, 2)).astype("f4")


@pytest.fixture(scope="module")
def trained():
    return train_reweighter(
        gauss(3000, 1), gauss(3000, 2, SHIFT), settings=SETTINGS, seed=3, device=CPU
    )


def test_weights_are_the_density_ratio(trained):
    x = gauss(4000, 4, SHIFT)
    truth = np.exp(-SHIFT * x[:, 0] + SHIFT**2 / 2)
    weight = trained[0].weight(x)
    assert np.corrcoef(np.log(weight), np.log(np.clip(truth, 1 / 5, 5)))[0, 1] > 0.95
    assert weight.mean() == pytest.approx(1, abs=0.08)
    mean = np.average(x[:, 0], weights=weight)
    assert abs(mean) < 0.1 < SHIFT
    assert weight.min() >= 1 / 5 - 1e-6
    assert weight.max() <= 5 + 1e-6


def test_calibration_makes_predictions_true(trained):
    table = trained[1]
    assert list(table["stage"].unique()) == ["raw", "calibrated"]
    good = table[table["stage"] == "calibrated"]
    pulls = (good["predicted"] - good["observed"]) / good["uncertainty"]
    assert (pulls.abs() < 4).all()
    assert good["count"].sum() == 6000


def test_nothing_to_learn_gives_weights_of_one():
    weigher, _ = train_reweighter(
        gauss(400, 5), gauss(400, 6), settings=SETTINGS, seed=7, device=CPU
    )
    weight = weigher.weight(gauss(2000, 8))
    assert weight.std() < 0.15
    assert effective_fraction(weight) > 0.97


def test_copies_of_events_do_not_calibrate_their_own_networks():
    """A bootstrap of few events: a network knows by heart what occurs in other folds, too."""
    training = replace(TRAINING, max_epochs=60, patience=60)
    able = replace(NETWORK, hidden_features=128, layers=2, training=training)
    settings = ReweightingSettings(folds=4, clip=5.0, network=able)
    mc = gauss(100, 5)[np.random.default_rng(0).integers(100, size=400)]
    weigher, _ = train_reweighter(mc, gauss(400, 6), settings=settings, seed=7, device=CPU)
    assert weigher.slope < 0.15  # 0.8 if copies are spread over folds


def test_overconfident_log_odds_are_shrunk_and_misleading_ones_dropped():
    rng = np.random.default_rng(0)
    mc, generated = rng.normal(-0.5, 1, 20_000), rng.normal(0.5, 1, 20_000)  # log odds: x itself
    slope, offset = calibrate(4 * mc, 4 * generated)
    assert slope == pytest.approx(0.25, abs=0.02)
    assert offset == pytest.approx(0, abs=0.05)
    assert calibrate(-mc, -generated) == (0.0, 0.0)


def test_reliability_counts_both_samples_alike():
    rng = np.random.default_rng(0)
    p = rng.uniform(size=50_000)
    truth = rng.uniform(size=len(p)) < p
    table = reliability(p[~truth], p[truth])
    pulls = (table["predicted"] - table["observed"]) / table["uncertainty"]
    assert (pulls.abs() < 4.5).all()
    assert table["predicted"].is_monotonic_increasing


def test_weights_survive_storage(trained):
    x = gauss(100, 9)
    again = restore(*store(trained[0]), device=CPU)
    assert np.array_equal(again.weight(x), trained[0].weight(x))


def test_trees_see_the_gain_of_true_weights_and_none_of_useless_ones():
    generated = gauss(6000, 10, SHIFT)
    truth = np.exp(-SHIFT * generated[:, 0] + SHIFT**2 / 2)
    arguments = (gauss(1500, 11), gauss(1500, 12), generated)
    good = judge_reweighting(*arguments, truth, settings=TREES, seed=1)
    useless = judge_reweighting(*arguments, np.ones(6000), settings=TREES, seed=1)
    before, after = good["auc_before"], good["auc_after"]
    assert before["value"] - 0.5 > 8 * before["uncertainty"]
    assert abs(after["value"] - 0.5) < 4 * after["uncertainty"]
    assert useless["auc_after"]["value"] == pytest.approx(before["value"], abs=1e-9)
    assert useless["effective_fraction"] == pytest.approx(1)
    assert good["effective_fraction"] == pytest.approx(np.exp(-(SHIFT**2)), abs=0.05)


def test_too_few_generated_events_are_refused():
    with pytest.raises(ValueError, match=r"n_events\.template"):
        judge_reweighting(
            gauss(50, 1), gauss(50, 2), gauss(51, 3), np.ones(51), settings=TREES, seed=1
        )


def test_weighted_auc_is_that_of_repeated_events():
    rng = np.random.default_rng(4)
    negative, positive = rng.normal(size=60), rng.normal(0.5, 1, 50).round(1)
    repeats = rng.integers(1, 4, 50)
    weighted = area_under_curve(negative, positive, weights=repeats.astype(float))
    repeated = area_under_curve(negative, np.repeat(positive, repeats))
    assert weighted.value == pytest.approx(repeated.value)
    assert weighted.uncertainty > repeated.uncertainty  # repeated events are no new ones
