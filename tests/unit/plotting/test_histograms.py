import numpy as np
import pytest

from bumpflow.plotting.histograms import (
    count_features,
    divide,
    measure_densities,
    sum_densities,
)

RANGES = np.array([[-2.0, 2.0], [0.0, 5.0], [0.9, 1.2]])


@pytest.fixture
def x():
    rng = np.random.default_rng(0)
    return np.stack(
        [rng.normal(size=5000), rng.exponential(size=5000), rng.normal(1, 0.2, 5000)]
    ).T


def test_counts_are_those_of_numpy(x):
    counts = count_features(x, RANGES, 17)
    for column, limits, found in zip(x.T, RANGES, counts, strict=True):
        assert found.tolist() == np.histogram(column, bins=17, range=limits)[0].tolist()


def test_last_bin_holds_its_upper_edge_and_nan_is_left_out():
    x = np.array([[0.0], [5.0], [5.1], [-0.1], [np.nan]])
    assert count_features(x, np.array([[0.0, 5.0]]), 5).tolist() == [[1, 0, 0, 0, 1]]


def test_densities_are_normalised_to_all_events(x):
    densities = measure_densities(x, RANGES, 20)
    widths = np.diff(densities.edges, axis=1)
    inside = np.mean((x >= RANGES[:, 0]) & (x <= RANGES[:, 1]), axis=0)
    assert np.sum(densities.values * widths, axis=1) == pytest.approx(inside)


def test_variances_are_those_of_counts(x):
    densities = measure_densities(x, RANGES, 20)
    counts = count_features(x, RANGES, 20)
    with np.errstate(invalid="ignore"):
        relative = np.sqrt(densities.variances) / densities.values
    filled = counts > 0
    assert relative[filled] == pytest.approx(1 / np.sqrt(counts[filled]))


def test_pieces_add_up(x):
    whole = measure_densities(x, RANGES, 20)
    pieces = sum_densities(iter([x[:1], x[1:3000], x[3000:]]), RANGES, 20)
    assert pieces.values == pytest.approx(whole.values)


def test_no_events_are_refused():
    with pytest.raises(ValueError, match="0 events"):
        measure_densities(np.empty((0, 3)), RANGES, 4)


def test_ratio_is_missing_where_the_reference_is_empty():
    ratio, error = divide(np.array([2.0, 1.0]), np.array([4.0, 1.0]), np.array([4.0, 0.0]))
    assert ratio[0] == 0.5
    assert error[0] == 0.5
    assert np.isnan(ratio[1])
    assert np.isnan(error[1])
