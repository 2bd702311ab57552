"""Histograms fit for a hunt."""

import numpy as np
import pytest

from bumpflow.hunts.histogram import Histogram, InvalidHistogram, check_histogram, join_bins

N_BINS = 25
COUNTS = np.linspace(30.5, 6.5, N_BINS)
EDGES = np.linspace(100.0, 150.0, N_BINS + 1)


def replaced(values, position, value):
    """Return a copy of values, one of which is replaced."""
    copy = values.copy()
    copy[position] = value
    return copy


def test_centers_and_widths_follow_from_edges():
    histogram = Histogram("h", COUNTS[:2], np.array([1.0, 2.0, 4.0]))
    assert histogram.n_bins == 2
    assert histogram.centers.tolist() == [1.5, 3.0]
    assert histogram.widths.tolist() == [1.0, 2.0]


def test_fractional_counts_are_fine():
    check_histogram(Histogram("h", replaced(COUNTS, 3, 0.0), EDGES))


@pytest.mark.parametrize(
    ("values", "edges", "message"),
    [
        (replaced(COUNTS, 2, -1.0), EDGES, r"bin 3 from 104 to 106 GeV has the count -1, .*negat"),
        (replaced(COUNTS, 4, np.nan), EDGES, r"bin 5 from 108 to 110 GeV .* nan, .*not finite"),
        (replaced(COUNTS, 4, np.inf), EDGES, r"bin 5 from 108 to 110 GeV .* inf, .*not finite"),
        (COUNTS, replaced(EDGES, 1, np.nan), r"bin 1 from 100 to nan GeV has an edge .* finite"),
        (COUNTS, replaced(EDGES, 2, 101.0), r"bin 2 from 102 to 101 GeV ends where it begins or"),
        (COUNTS, replaced(EDGES, 2, 102.0), r"bin 2 from 102 to 102 GeV ends where it begins or"),
        (np.zeros(N_BINS), EDGES, r"all 25 counts from 100 to 150 GeV are zero"),
        (COUNTS[:19], EDGES[:20], r"has 19 bins from 100 to 138 GeV, .* at least 20"),
        (COUNTS, EDGES[1:], r"counts of shape \(25,\) and edges of shape \(25,\)"),
    ],
)
def test_unfit_histogram_is_refused_at_its_place(values, edges, message):
    with pytest.raises(InvalidHistogram, match=f"histogram mine.* {message}"):
        check_histogram(Histogram("mine", values, edges, unit="GeV"))


def test_place_in_the_file_is_named():
    bad = Histogram("mine", replaced(COUNTS, 2, -1.0), EDGES)
    with pytest.raises(InvalidHistogram, match=r"mine, mine.csv, line 4, bin 3 from"):
        check_histogram(bad, place=lambda i: f"mine.csv, line {i + 2}")


def test_fewest_bins_can_be_chosen():
    check_histogram(Histogram("h", COUNTS[:5], EDGES[:6]), min_bins=5)
    with pytest.raises(InvalidHistogram, match="at least 6"):
        check_histogram(Histogram("h", COUNTS[:5], EDGES[:6]), min_bins=6)


def test_adjacent_bins_join_despite_rounding():
    low, high = EDGES[:-1], replaced(EDGES[1:], 3, EDGES[4] + 1e-4)
    assert join_bins(low, high, name="h").tolist() == EDGES.tolist()


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (replaced(EDGES[:-1], 2, 105.0), EDGES[1:], "h, bin 3 from 105 to 106 leaves a gap"),
        (replaced(EDGES[:-1], 2, 103.0), EDGES[1:], "bin 3 from 103 to 106 overlaps"),
        (EDGES[:-1][::-1], EDGES[1:][::-1], "bin 2 from 146 to 148 begins no higher"),
        (EDGES[:-1], replaced(EDGES[1:], 2, 104.0), "bin 3 from 104 to 104 ends where"),
        (EDGES[:-1], replaced(EDGES[1:], 2, np.inf), "bin 3 from 104 to inf has an edge"),
        (EDGES[:-1], EDGES, r"lower ends of shape \(25,\) and upper ends of shape \(26,\)"),
        (EDGES[:0], EDGES[:0], "give both for each bin"),
    ],
)
def test_bins_that_do_not_join_are_refused(low, high, message):
    with pytest.raises(InvalidHistogram, match=message):
        join_bins(low, high, name="h")
