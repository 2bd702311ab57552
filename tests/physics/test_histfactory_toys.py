"""Intervals, significances and limits keep their promises on pseudo-experiments."""

import numpy as np
import pytest
from scipy.stats import kstest, norm

from bumpflow.stats.asymptotics import confidence_levels, discover, upper_limits
from bumpflow.stats.model import BinnedModel
from bumpflow.stats.toys import fit_toys, summarise_toys, toy_confidence_level

pytestmark = pytest.mark.physics
N_TOYS = 6000
CENTRES = (np.arange(25) + 0.5) / 25
BACKGROUND = 2000 * np.exp(-2 * CENTRES)
MODEL = BinnedModel.build(
    150 * np.exp(-(((CENTRES - 0.4) / 0.08) ** 2) / 2),
    BACKGROUND,
    shape=0.03,
    stat=0.02,
    variations=np.stack([0.05 * BACKGROUND * (CENTRES - 0.5), 0.02 * BACKGROUND]),
)


def _toys(*, mu, n_toys, seed):
    many = MODEL[np.zeros(n_toys, int)]
    return many, many.draw(many.nominal(mu), np.random.default_rng(seed))


@pytest.mark.parametrize("mu", [0.0, 1.0])
def test_pulls_are_normal_and_intervals_cover(mu):
    found = summarise_toys(fit_toys(*_toys(mu=mu, n_toys=N_TOYS, seed=1), mu=mu))
    assert found.n_failed == 0
    assert found.pull_mean.value == pytest.approx(0, abs=4 / np.sqrt(N_TOYS))
    assert found.pull_width.value == pytest.approx(1, abs=4 / np.sqrt(2 * N_TOYS))
    shares = ((found.coverage68, 2 * norm.cdf(1) - 1), (found.coverage95, 0.95))
    for coverage, content in shares:
        sigma = np.sqrt(content * (1 - content) / N_TOYS)
        assert coverage.value == pytest.approx(content, abs=4 * sigma)
        assert coverage.uncertainty == pytest.approx(sigma, rel=0.1)


def test_intervals_without_the_nuisances_do_not_cover():
    """The coverage above is the nuisances' doing: counts alone say too little."""
    many, toys = _toys(mu=0.0, n_toys=N_TOYS, seed=2)
    bare = BinnedModel.build(many.signal, many.background)
    found = summarise_toys(fit_toys(bare, toys._replace(variations=toys.variations[:, :0]), mu=0))
    assert found.coverage68.value < 0.6
    assert found.pull_width.value > 1.2


def test_p_values_are_uniform_without_a_signal():
    found = discover(*_toys(mu=0.0, n_toys=N_TOYS, seed=3))
    assert found.good.all()
    excess = found.z > 0
    assert np.mean(excess) == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / N_TOYS))
    assert np.all(found.p0[~excess] == 0.5)
    assert kstest(2 * found.p0[excess], "uniform").pvalue > 1e-3


def test_significance_of_a_signal_is_its_asimov_value():
    at = MODEL.nominal(1.0)
    median = discover(MODEL, MODEL.asimov(at)).z[0]
    found = discover(*_toys(mu=1.0, n_toys=N_TOYS, seed=4))
    # the error of a median of normal draws is 1.25 times that of their mean
    assert np.median(found.z) == pytest.approx(median, abs=4 * 1.25 / np.sqrt(N_TOYS))


def test_expected_band_holds_the_limits_of_background_toys():
    n_toys = 1000
    limits = upper_limits(*_toys(mu=0.0, n_toys=n_toys, seed=5)).observed
    expected = upper_limits(MODEL, MODEL.asimov(MODEL.nominal())).expected[0]
    for limit, fluctuation in zip(expected, (-2, -1, 0, 1, 2), strict=True):
        share = norm.cdf(fluctuation)
        tolerance = 4 * np.sqrt(share * (1 - share) / n_toys)
        assert np.mean(limits < limit) == pytest.approx(share, abs=tolerance)


@pytest.mark.parametrize("fluctuation", [0.0, 1.0])
def test_limit_is_that_of_pseudo_experiments(fluctuation):
    """The difference in CLs, over the slope of ln CLs, is a shift of the limit."""
    width = 1 / discover(MODEL, MODEL.asimov(MODEL.nominal(1.0))).z[0]
    data = MODEL.asimov(MODEL.nominal(fluctuation * width))
    limit = upper_limits(MODEL, data).observed[0]
    toys = toy_confidence_level(MODEL, data, mu=limit, n_toys=60_000, rng=np.random.default_rng(6))
    low, high = (np.log(confidence_levels(MODEL, data, limit * f))[0] for f in (0.98, 1.02))
    slope = (high - low) / 0.04  # of ln CLs over ln of the strength
    shift = np.log(toys.value / 0.05) / slope
    error = toys.uncertainty / toys.value / abs(slope)
    assert error < 0.007
    assert abs(shift) < 0.02
