"""Scans: global p-values, exposures, doubts, and what a shipped network finds."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import kstest

from bumpflow import io
from bumpflow.hunts import scanning
from bumpflow.hunts.calibration import Calibration
from bumpflow.hunts.histogram import Histogram
from bumpflow.hunts.judging import background_p_values
from bumpflow.hunts.scanning import (
    doubts,
    exposures,
    global_p,
    global_z,
    list_bumps,
    rank,
    scan_histograms,
    toy_maxima,
)
from bumpflow.hunts.store import restore_hunter
from tests.unit.hunts.drawn import seeded, settings
from tests.unit.hunts.networks import small_hunter

NONE = Calibration.none()
SHIPPED = "resources/hunters/general.safetensors"


@pytest.fixture(scope="module")
def shipped():
    return restore_hunter(*io.read_tensors(SHIPPED), device=torch.device("cpu"))


def falling(n_bins=60, *, bump=0.0, at=25, seed=0, top=3000.0):
    t = np.arange(n_bins) / n_bins
    signal = np.exp(-0.5 * ((np.arange(n_bins) - at) / 2) ** 2)
    counts = np.random.default_rng(seed).poisson(top * np.exp(-3 * t) + bump * signal)
    return Histogram("mine", counts.astype(float), np.linspace(100, 400, n_bins + 1), "m", "GeV")


def scan(histogram, hunter, *, seed=1, n_toys=200, calibration=NONE):
    return scan_all([histogram], hunter, seeds=[seed], n_toys=n_toys, calibration=calibration)[0]


def scan_all(histograms, hunter, *, seeds, n_toys=50, calibration=NONE):
    return scan_histograms(
        histograms,
        hunter,
        calibration=calibration,
        n_toys=n_toys,
        degree=3,
        generators=[seeded(seed) for seed in seeds],
    )


def test_bump_is_found_where_it_is(shipped):
    found = scan(falling(bump=250.0), shipped)
    assert abs(found.summary["bin"] - 25) <= 1
    assert found.summary["low"] == pytest.approx(100 + 5 * found.summary["bin"])
    assert found.summary["z_max"] > 6
    assert found.summary["p_global"] == pytest.approx(1 / 201)
    assert found.summary["covered"], found.summary["reasons"]
    assert found.summary["z_low"] < found.summary["z_max"] < found.summary["z_high"]
    assert len(list_bumps(found.bins)) == 1
    background = found.bins["background"].to_numpy()
    truth = 3000 * np.exp(-3 * np.arange(60) / 60)
    assert np.abs((background - truth) / np.sqrt(truth)).max() < 2.5


def test_data_and_toys_are_corrected_alike(shipped):
    plain = scan(falling(bump=60.0), shipped)
    moved = scan(
        falling(bump=60.0), shipped, calibration=NONE._replace(z_shifts=NONE.z_shifts + 0.5)
    )
    assert 0.02 < plain.summary["p_global"] < 1
    assert moved.summary["p_global"] == plain.summary["p_global"]
    assert moved.summary["z_max"] == pytest.approx(plain.summary["z_max"] + 0.5)
    np.testing.assert_allclose(moved.toys, plain.toys + 0.5)
    assert moved.summary["z_high"] == plain.summary["z_high"]


def test_scan_repeats_itself(shipped):
    first, second, other = (scan(falling(), shipped, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first.bins, second.bins)
    assert np.array_equal(first.toys, second.toys)
    assert not np.array_equal(first.toys, other.toys)


def test_histograms_do_not_depend_on_those_that_are_scanned_with_them(shipped, monkeypatch):
    irregular = np.r_[0, np.cumsum(np.r_[np.ones(20), np.full(40, 3.0)])]
    many = [
        falling(bump=300.0),
        falling(45, seed=1),
        falling(seed=2),
        Histogram("irregular", falling(seed=3).values * np.diff(irregular), irregular),
        falling(seed=4, top=300.0),
    ]
    seeds = [5, 6, 7, 8, 9]
    monkeypatch.setattr(scanning, "TOY_BINS", 60 * 50 * 2)  # toys of two histograms at a time
    together = scan_all(many, shipped, seeds=seeds)
    for histogram, seed, found in zip(many, seeds, together, strict=True):
        alone = scan(histogram, shipped, seed=seed, n_toys=50)
        pd.testing.assert_frame_equal(found.bins, alone.bins, rtol=1e-3, atol=1e-3)
        # The last digit of a background may send toys another way, so only their means agree.
        assert found.toys.mean() == pytest.approx(alone.toys.mean(), abs=0.5)
        assert found.bins["observed"].tolist() == histogram.values.tolist()
        for name, value in alone.summary.items():
            if name not in ("seconds", "p_global", "p_global_error", "z_global"):
                close = isinstance(value, float)
                assert found.summary[name] == (pytest.approx(value, abs=1e-3) if close else value)


def test_two_bumps_are_told_apart(shipped):
    values = falling(80, bump=400, at=20).values
    values[60:63] += 120
    histogram = Histogram("two", values, np.arange(81.0))
    assert sorted(list_bumps(scan(histogram, shipped).bins)["bin"].round(-1)) == [20, 60]


@pytest.mark.physics
@pytest.mark.parametrize("family", ["exponential", "dijet"])  # the latter is held out
def test_global_p_values_are_uniform_without_signal(shipped, family):
    kind = settings(families={family: 1.0}, counts=(20.0, 1e5))
    found = background_p_values(
        shipped,
        kind,
        lengths={40: 60, 80: 60},
        calibration=NONE,
        n_toys=99,
        generator=seeded(3),
    )
    assert len(found) == 120
    assert kstest(found["p_global"], "uniform").pvalue > 1e-3


def test_global_p_counts_the_observation_as_a_toy():
    found = global_p(np.array([3.0, 9.0]), np.array([[1.0, 2, 3, 4], [1, 2, 3, 4]]))
    assert found.p == pytest.approx([3 / 5, 1 / 5])
    assert found.error == pytest.approx(np.sqrt([0.6 * 0.4 / 4, 0.2 * 0.8 / 4]))


def test_global_z_is_finite_below_all_toys():
    p = global_p(np.array([0.0, 5.0]), np.array([[1.0, 2, 3], [1, 2, 3]])).p
    assert p.tolist() == [1, 0.25]
    assert global_z(p, 3) == pytest.approx([-0.6745, 0.6745], abs=1e-4)


def test_toys_follow_the_background(monkeypatch):
    hunter = small_hunter()
    background = torch.stack([torch.full((40,), level) for level in (50.0, 300.0, 5000.0)])
    alone = [
        toy_maxima(hunter, background[[k]], 7, calibration=NONE, generators=[seeded(k)])[0]
        for k in range(3)
    ]
    for n_rows in (1, 2, 3):
        monkeypatch.setattr(scanning, "TOY_BINS", n_rows * 7 * 40)
        generators = [seeded(k) for k in range(3)]
        found = toy_maxima(hunter, background, 7, calibration=NONE, generators=generators)
        np.testing.assert_allclose(found, alone, atol=1e-3)


def test_bins_that_widen_smoothly_need_no_exposure():
    assert exposures(np.linspace(0, 1, 41)) is None
    assert exposures(np.geomspace(1, 50, 41)) is None
    widths = np.r_[np.ones(20), np.full(20, 2.0)]
    found = exposures(np.r_[0, np.cumsum(widths)])
    assert found[20] / found[19] == pytest.approx(2, rel=0.15)


@pytest.mark.parametrize(
    ("histogram", "reason"),
    [
        (falling(130), "130 bins, trained with 30 to 100"),
        (falling(60, top=1e6), "entries per bin, trained with 10 to 1e"),
    ],
)
def test_what_training_does_not_cover_is_named(histogram, reason):
    t = np.arange(histogram.n_bins) / histogram.n_bins
    found = doubts(histogram, small_hunter(), histogram.values.max() * np.exp(-3 * t))
    assert len(found) >= 1
    assert reason in "; ".join(found)


def test_rising_backgrounds_and_bad_fits_are_named():
    histogram = falling()
    expected = 3000 * np.exp(-3 * np.arange(60) / 60)
    assert doubts(histogram, small_hunter(), expected) == []
    up = expected[::-1].copy()
    (rising,) = doubts(Histogram("up", up, histogram.edges), small_hunter(), up)
    assert "rises by" in rising
    (bad,) = doubts(histogram, small_hunter(), 1.2 * expected)
    assert "does not describe the counts: chi2" in bad


def test_rank_puts_the_most_surprising_first():
    rows = [
        {"histogram": "b", "p_global": 0.5, "z_max": 2.0},
        {"histogram": "a", "p_global": 0.01, "z_max": 3.0},
        {"histogram": "c", "p_global": 0.01, "z_max": 4.0},
    ]
    table = rank(rows)
    assert table["histogram"].tolist() == ["c", "a", "b"]
    assert table["rank"].tolist() == [1, 2, 3]
