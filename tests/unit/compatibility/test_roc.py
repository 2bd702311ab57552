import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_curve

from bumpflow.compatibility.roc import efficiency, rejection


def scores(seed, n=3000, m=8000):
    rng = np.random.default_rng(seed)
    return rng.normal(size=n), rng.normal(2.0, size=m)


@pytest.mark.parametrize("wanted", [0.8, 0.9])
def test_rejection_of_shifted_normals(wanted):
    found = [rejection(*scores(seed), efficiency=wanted) for seed in range(80)]
    values, errors = np.array(found).T
    exact = 1 / norm.sf(2.0 - norm.ppf(wanted))
    assert values.mean() == pytest.approx(exact, abs=4 * errors.mean() / np.sqrt(80))
    assert values.std(ddof=1) == pytest.approx(errors.mean(), rel=0.3)


def test_rejection_lies_on_the_roc_curve():
    negative, positive = scores(1, 500, 300)
    labels = np.repeat([0, 1], [500, 300])
    fpr, tpr, _ = roc_curve(labels, np.concatenate([negative, positive]), drop_intermediate=False)
    found = rejection(negative, positive, efficiency=0.85)
    assert 1 / found.value == pytest.approx(fpr[tpr >= 0.85][0])


def test_ties_are_kept():
    negative, positive = np.repeat([0, 1], [90, 10]), np.repeat([0, 1], [30, 70])
    assert rejection(negative, positive, efficiency=0.7).value == pytest.approx(10)
    assert rejection(negative, positive, efficiency=0.71).value == pytest.approx(1)


def test_no_background_left():
    with pytest.raises(ValueError, match="no background of 5 passes"):
        rejection(np.zeros(5), np.ones(5), efficiency=0.8)


def test_efficiency_is_binomial_and_strict():
    found = efficiency(np.array([0.1, 0.68, 0.7, 0.9]), threshold=0.68)
    assert found == pytest.approx((0.5, 0.25))
