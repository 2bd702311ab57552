"""Moments of features and how they are compared with published ones."""

import numpy as np
import pandas as pd
import pytest

from bumpflow.simulate.alps.features import FEATURES
from bumpflow.simulate.alps.moments import PUBLISHED, Moments, compare_moments, measure_moments


def test_moments_are_means_and_variances_of_the_columns():
    rng = np.random.default_rng(1)
    x = rng.normal(np.arange(10), np.arange(1, 11), (50_000, 10))
    found = measure_moments(pd.DataFrame(x, columns=list(FEATURES)).assign(other=1.0))
    assert found.mean == pytest.approx(np.arange(10), abs=0.15)
    assert found.variance == pytest.approx(np.arange(1, 11) ** 2, rel=0.04)


def test_largest_differences_are_found_with_their_features():
    mean, variance = np.zeros(10), np.ones(10)
    shifted, scaled = mean.copy(), variance.copy()
    shifted[[1, 7]] = 0.1, -0.3
    scaled[[2, 5]] = 0.5, 1.7
    found = compare_moments(Moments(shifted, scaled), Moments(mean, variance))
    assert found.mean == pytest.approx(0.3)
    assert found.variance == pytest.approx(1.0)
    assert (found.mean_of, found.variance_of) == ("ln_theta2", "x1")


def test_unknown_moments_are_left_out():
    mean = np.full(10, np.nan)
    mean[0] = 1.0
    found = compare_moments(Moments(np.full(10, 1.5), np.ones(10)), Moments(mean, np.ones(10)))
    assert found.mean == pytest.approx(0.5)
    assert found.variance == 0


def test_published_moments_are_in_the_order_of_the_features():
    good = dict(zip(FEATURES, PUBLISHED["good"].mean, strict=True))
    assert (good["ln_e1"], good["ln_theta2"]) == (4.132, -3.739)
    assert np.isnan(good["x1"])
    poor = dict(zip(FEATURES, PUBLISHED["poor"].variance, strict=True))
    assert (poor["ln_e2"], poor["y1"], poor["ln_theta1"], poor["phi2"]) == (
        0.674,
        2.272,
        0.293,
        3.125,
    )
    assert PUBLISHED["slides"].variance[3] == 0.420
