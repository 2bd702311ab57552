"""Two-sample tests keep their promises: no false alarms, and an eye for differences."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from bumpflow.classifiers import NetworkSettings, TreeSettings, train_classifier, train_trees
from bumpflow.evaluate import c2st, divergences
from bumpflow.train import TrainSettings

pytestmark = pytest.mark.physics
N_TOYS = 400


def _toy(rng, *, shift, n=200, n_features=4):
    """One test with a cheap classifier: AUC with its interval, and p-value."""
    train, test = rng.normal(size=(2, 2, n, n_features))
    train[1, :, 0] += shift
    test[1, :, 0] += shift
    labels = np.repeat([0, 1], n)
    classifier = LinearDiscriminantAnalysis().fit(train.reshape(2 * n, -1), labels)
    scores = [classifier.decision_function(x) for x in test]
    p_value = c2st.permutation_p_value(*scores, n_permutations=199, rng=rng)
    return c2st.area_under_curve(*scores, confidence=0.68), p_value


def test_p_values_are_uniform_and_intervals_cover_without_a_difference():
    rng = np.random.default_rng(1)
    toys = [_toy(rng, shift=0.0) for _ in range(N_TOYS)]
    p_values = np.array([p for _, p in toys])
    # spread over their steps of 1/200, discrete p-values become continuous
    continuous = p_values - rng.random(N_TOYS) / 200
    assert kstest(continuous, "uniform").pvalue > 1e-3
    covered = np.mean([auc.low <= 0.5 <= auc.high for auc, _ in toys])
    assert covered == pytest.approx(0.68, abs=4 * np.sqrt(0.68 * 0.32 / N_TOYS))
    pulls = [(auc.value - 0.5) / auc.uncertainty for auc, _ in toys]
    assert np.mean(pulls) == pytest.approx(0, abs=4 / np.sqrt(N_TOYS))
    assert np.std(pulls) == pytest.approx(1, abs=4 / np.sqrt(2 * N_TOYS))


def test_a_shift_is_found():
    rng = np.random.default_rng(2)
    toys = [_toy(rng, shift=0.4) for _ in range(50)]
    # AUC of the best classifier: 0.61, 4 standard deviations from 0.5
    assert np.mean([p < 0.05 for _, p in toys]) > 0.8


def test_witnesses_approach_the_best_classifier_on_correlations():
    """One-dimensional projections agree; only the correlation of two features differs."""
    rng = np.random.default_rng(3)
    rho, n = 0.5, 8000
    x0, t0 = rng.normal(size=(2, n, 2))
    x1, t1 = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=(2, n))
    exact = [_log_ratio(x, rho) for x in (t0, t1)]
    best = c2st.area_under_curve(*exact).value
    training = TrainSettings(learning_rate=1e-3, batch_size=256, max_epochs=20, patience=6)
    network, _ = train_classifier(
        x0,
        x1,
        settings=NetworkSettings(64, 2, 2, 0.2, training),
        seed=1,
        device=torch.device("cpu"),
    )
    trees = train_trees(x0, x1, settings=TreeSettings(0.1, 200, 15, 1.0, 20, 0.2), seed=1)
    for witness in (network, trees):
        found = c2st.area_under_curve(witness.logit(t0), witness.logit(t1))
        assert best - 0.02 < found.value < best + 0.005
        correlation = np.corrcoef(witness.logit(t1), exact[1])[0, 1]
        assert correlation > 0.8


def _log_ratio(x, rho):
    """Exact log density ratio of correlated over independent Gaussians."""
    a, b = x.T
    exponent = rho * (2 * a * b - rho * (a**2 + b**2)) / 2 / (1 - rho**2)
    return exponent - np.log(1 - rho**2) / 2


def test_relative_divergences_are_one_without_a_difference_and_pulls_moderate():
    rng = np.random.default_rng(4)
    events = rng.normal(size=(20_000, 3)) @ rng.normal(size=(3, 6))
    binning = divergences.bin_by(events, n_bins=30)
    n, n_toys = 2000, 60
    null = divergences.baseline(
        events, n_reference=n, n_candidate=n, binning=binning, n_repeats=100, rng=rng
    )
    toys = []
    for _ in range(n_toys):
        rows = rng.permutation(len(events))[: 2 * n]
        compared = divergences.compare(
            events[rows[:n]], events[rows[n:]], binning=binning, n_bootstrap=50, rng=rng
        )
        toys.append(divergences.relative(compared, null))
    for name in divergences.MEASURES:
        values = np.array([toy[name].value for toy in toys])
        uncertainty = np.mean([toy[name].uncertainty for toy in toys])
        error = values.std(ddof=1) * np.sqrt(1 / n_toys + 1 / 100)
        assert values.mean() == pytest.approx(1, abs=4 * error)
        spread = toys[0][name].baseline_spread
        assert spread == pytest.approx(
            values.std(ddof=1), rel=4 * np.sqrt(1 / 2 / n_toys + 1 / 200)
        )
        # the bootstrap overestimates the spread here, by up to sqrt(3)
        assert 0.8 < uncertainty / values.std(ddof=1) < 1.3 * np.sqrt(3)


@pytest.mark.parametrize("distance", [0.2, 1.0])
def test_delong_interval_covers_the_exact_auc(distance):
    rng = np.random.default_rng(5)
    exact = norm.cdf(distance / np.sqrt(2))
    covered = 0
    for _ in range(N_TOYS):
        x, y = rng.normal(size=150), rng.normal(distance, size=300)
        found = c2st.area_under_curve(x, y, confidence=0.9)
        covered += found.low <= exact <= found.high
    assert covered / N_TOYS == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / N_TOYS))
