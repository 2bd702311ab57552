import numpy as np
import pytest

from bumpflow.simulate.peaks import find_peak


def test_peak_of_a_skewed_density_is_its_mode():
    rng = np.random.default_rng(1)
    values = 90 + rng.gamma(3, 10, 40_000)  # mode at 90 + 2 * 10
    peak = find_peak(values, low=80, high=200, width=3, rng=rng)
    assert peak.position == pytest.approx(110, abs=4 * peak.uncertainty + 0.5)
    assert 0.1 < peak.uncertainty < 2


def test_uncertainty_is_the_spread_over_samples():
    rng = np.random.default_rng(2)
    peaks = [
        find_peak(rng.normal(125, 15, 2000), low=60, high=190, width=5, rng=rng) for _ in range(60)
    ]
    spread = np.std([peak.position for peak in peaks])
    assert np.mean([peak.uncertainty for peak in peaks]) == pytest.approx(spread, rel=0.4)


def test_empty_range_is_refused():
    with pytest.raises(ValueError, match=r"none of 1 values lies in \[0, 1\]"):
        find_peak(np.array([5.0]), low=0, high=1, width=0.1, rng=np.random.default_rng(3))
