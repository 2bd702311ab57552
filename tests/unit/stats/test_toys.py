import numpy as np
import pytest
from scipy.stats import norm, poisson

from bumpflow.stats.asymptotics import confidence_levels
from bumpflow.stats.fit import FitFailed
from bumpflow.stats.model import BinnedModel, observe
from bumpflow.stats.toys import Toys, fit_toys, summarise_toys, toy_confidence_level

FULL = BinnedModel.build(
    [1.5, 6.0, 4.0, 0.5],
    [60.0, 40.0, 25.0, 12.0],
    shape=0.1,
    stat=0.05,
    variations=[[3.0, 1.0, -1.0, -2.0]],
)


def _toys(pull):
    pull = np.asarray(pull, float)
    return Toys(pull, pull**2, np.ones_like(pull))


def test_fits_of_a_counting_experiment_have_their_closed_form():
    n = np.array([15.0, 30.0, 44.0])
    model = BinnedModel.build([5.0], [20.0])[np.zeros(3, int)]
    toys = fit_toys(model, observe(model, n[:, None]), mu=2.0)
    assert toys.pull == pytest.approx((n - 30) / np.sqrt(n), abs=1e-3)
    assert toys.uncertainty == pytest.approx(np.sqrt(n) / 5, rel=1e-3)
    assert toys.distance == pytest.approx(2 * (30 - n - n * np.log(30 / n)), abs=1e-6)


def test_failed_fit_is_no_number():
    model = BinnedModel.build([5.0, 1.0], [1.0, 10.0])[[0, 0, 0]]
    toys = fit_toys(model, observe(model, [[2.0, 10.0], [0.0, 10.0], [1.0, 9.0]]), mu=0.0)
    assert np.isnan(toys.pull).tolist() == [False, True, False]
    summary = summarise_toys(toys)
    assert (summary.n_toys, summary.n_failed) == (2, 1)
    assert np.isfinite(summary.pull_mean.value)


def test_summary_of_a_few_toys_by_hand():
    found = summarise_toys(_toys([-3.0, -1.5, -0.5, 0.0, 0.9, 1.2, np.nan]))
    pull = np.array([-3.0, -1.5, -0.5, 0.0, 0.9, 1.2])
    assert (found.n_toys, found.n_failed) == (6, 1)
    assert found.pull_mean == pytest.approx((pull.mean(), pull.std(ddof=1) / np.sqrt(6)))
    assert found.pull_width.value == pytest.approx(pull.std(ddof=1))
    share = 3 / 6
    assert found.coverage68 == pytest.approx((share, np.sqrt(share * (1 - share) / 5)))
    assert found.coverage95.value == 5 / 6


def test_coverage_uses_the_profile_and_not_the_pull():
    toys = Toys(np.zeros(4), np.array([0.9, 1.1, 3.8, 3.9]), np.ones(4))
    found = summarise_toys(toys._replace(pull=np.array([-1.0, 0.0, 1.0, 2.0])))
    assert found.coverage68.value == 0.25
    assert found.coverage95.value == 0.75


def test_normal_pulls_give_their_own_errors():
    n = 50_000
    found = summarise_toys(_toys(np.random.default_rng(1).normal(size=n)))
    assert found.pull_mean.uncertainty == pytest.approx(1 / np.sqrt(n), rel=0.02)
    assert found.pull_width.uncertainty == pytest.approx(1 / np.sqrt(2 * n), rel=0.03)
    content = 2 * norm.cdf(1) - 1
    assert found.coverage68.uncertainty == pytest.approx(
        np.sqrt(content * (1 - content) / n), rel=0.02
    )
    for value, expected in zip(found[:4], (0, 1, content, 0.95), strict=True):
        assert value.value == pytest.approx(expected, abs=4 * value.uncertainty)


def test_toys_that_share_a_template_count_as_one():
    """Copies of a toy add nothing: the error stays that of the groups."""
    rng = np.random.default_rng(2)
    pull = rng.normal(size=300)
    alone, groups = summarise_toys(_toys(pull)), np.repeat(np.arange(300), 10)
    copies = _toys(np.repeat(pull, 10))
    grouped, naive = summarise_toys(copies, groups=groups), summarise_toys(copies)
    for field in ("pull_mean", "pull_width", "coverage68", "coverage95"):
        one, many, few = (getattr(part, field) for part in (alone, grouped, naive))
        assert many.value == pytest.approx(one.value, rel=2e-3)
        assert many.uncertainty == pytest.approx(one.uncertainty, rel=5e-3)
        assert few.uncertainty == pytest.approx(one.uncertainty / np.sqrt(10), rel=5e-3)


def test_groups_of_failed_toys_are_left_out():
    pull = np.array([0.5, np.nan, -1.0, 0.2])
    found = summarise_toys(_toys(pull), groups=np.array([4, 7, 9, 9]))
    expected = summarise_toys(_toys(pull[[0, 2, 3]]), groups=np.array([0, 1, 1]))
    assert found[:5] == expected[:5]
    assert found.n_failed == 1


@pytest.mark.parametrize("pull", [[np.nan, np.nan, 1.0], [np.nan]])
def test_too_few_converged_fits_are_refused_with_their_number(pull):
    n_good = int(np.isfinite(pull).sum())
    with pytest.raises(
        FitFailed, match=rf"{n_good} of {len(pull)} toy fits converged: at least 2"
    ):
        summarise_toys(_toys(pull))


@pytest.mark.parametrize("n", [20, 25])
def test_confidence_level_of_a_counting_experiment_is_that_of_poisson_counts(n):
    """The statistic falls with the count, so p-values are sums of Poisson probabilities."""
    model = BinnedModel.build([5.0], [20.0])
    found = toy_confidence_level(
        model, observe(model, [n]), mu=2.5, n_toys=20_000, rng=np.random.default_rng(3)
    )
    expected = poisson.cdf(n, 32.5) / poisson.cdf(n, 20.0)
    assert found.value == pytest.approx(expected, abs=4 * found.uncertainty)
    assert 0 < found.uncertainty < 0.1 * expected


def test_confidence_level_below_the_fitted_strength_is_one():
    data = FULL.asimov(FULL.nominal(3.0))
    found = toy_confidence_level(FULL, data, mu=1.0, n_toys=200, rng=np.random.default_rng(4))
    assert found == (1.0, 0.0)


def test_confidence_level_is_near_the_asymptotic_one_and_repeats_itself():
    data = observe(FULL, [62, 52, 27, 11])
    first, again = (
        toy_confidence_level(FULL, data, mu=2.5, n_toys=4000, rng=np.random.default_rng(5))
        for _ in range(2)
    )
    assert first == again
    expected = confidence_levels(FULL, data, 2.5)[0]
    assert first.value == pytest.approx(expected, abs=4 * first.uncertainty + 0.1 * expected)
