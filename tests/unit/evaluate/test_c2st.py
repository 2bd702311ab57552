import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from bumpflow.evaluate import c2st


def _brute_force_delong(negative, positive):
    """AUC and variance from the matrix of all pairs, as DeLong et al. write them."""
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    by_positive, by_negative = wins.mean(axis=1), wins.mean(axis=0)
    variance = by_positive.var(ddof=1) / len(positive) + by_negative.var(ddof=1) / len(negative)
    return wins.mean(), np.sqrt(variance)


@pytest.mark.parametrize("decimals", [12, 0])
def test_auc_and_variance_match_all_pairs(decimals):
    rng = np.random.default_rng(1)
    negative = rng.normal(size=57).round(decimals)
    positive = rng.normal(0.4, 1.5, size=91).round(decimals)
    found = c2st.area_under_curve(negative, positive, confidence=0.68)
    value, sigma = _brute_force_delong(negative, positive)
    assert found[:2] == pytest.approx((value, sigma))
    assert found.high - found.value == pytest.approx(norm.ppf(0.84) * sigma)


@pytest.mark.parametrize("distance", [0.0, 0.5, 1.5])
def test_auc_of_shifted_gaussians_matches_closed_form(distance):
    rng = np.random.default_rng(2)
    found = c2st.area_under_curve(rng.normal(size=4000), rng.normal(distance, size=8000))
    assert found.value == pytest.approx(norm.cdf(distance / np.sqrt(2)), abs=4 * found.uncertainty)


def test_separated_scores_give_one_and_interval_stays_inside():
    found = c2st.area_under_curve(np.zeros(5), np.ones(5))
    assert found == (1.0, 0.0, 1.0, 1.0)


def test_permutation_p_value_agrees_with_normal_approximation():
    rng = np.random.default_rng(3)
    for n, m in [(80, 200), (200, 80)]:
        negative, positive = rng.normal(size=n).round(1), rng.normal(0.2, size=m).round(1)
        found = c2st.permutation_p_value(negative, positive, n_permutations=20_000, rng=rng)
        expected = mannwhitneyu(positive, negative, alternative="greater").pvalue
        tolerance = 4 * np.sqrt(expected * (1 - expected) / 20_000) + 0.002
        assert found == pytest.approx(expected, abs=tolerance)


def test_permutation_p_value_has_a_floor_and_counts_ties():
    rng = np.random.default_rng(4)
    settings = {"n_permutations": 99, "rng": rng}
    assert c2st.permutation_p_value(np.zeros(50), np.ones(50), **settings) == 0.01
    assert c2st.permutation_p_value(np.ones(50), np.ones(50), **settings) == 1.0
    assert c2st.permutation_p_value(np.ones(50), np.zeros(50), **settings) == 1.0


def test_chunks_do_not_change_how_many_permutations_there_are(monkeypatch):
    monkeypatch.setattr(c2st, "CHUNK_ELEMENTS", 250)
    p = c2st.permutation_p_value(
        np.zeros(50), np.ones(50), n_permutations=999, rng=np.random.default_rng(5)
    )
    assert p == 0.001


def test_density_ratio_undoes_the_prior():
    p_mc, p_generated, prior = 0.2, 0.6, 0.75
    score = prior * p_generated / (prior * p_generated + (1 - prior) * p_mc)
    found = c2st.log_density_ratio(np.array([score]), prior=prior)
    assert np.exp(found) == pytest.approx([3.0])


def test_tails_hold_the_most_extreme_events():
    log_ratio = np.random.default_rng(6).permutation(np.arange(100.0))
    tails = c2st.density_ratio_tails(log_ratio, fraction=0.05)
    assert sorted(log_ratio[tails.low]) == [0, 1, 2, 3, 4]
    assert sorted(log_ratio[tails.high]) == [95, 96, 97, 98, 99]
    with pytest.raises(ValueError, match=r"0\.5 of the events"):
        c2st.density_ratio_tails(log_ratio, fraction=0.5)


@pytest.mark.parametrize(
    ("n_generated", "expected"), [(10_000, (1000, 4000)), (3000, (1000, 2000)), (900, (450, 450))]
)
def test_generated_events_are_shared_without_overlap(n_generated, expected):
    shares = c2st.share_generated(
        n_generated, n_train=1000, n_test=1000, train_ratio=1, test_ratio=4
    )
    assert shares == expected
    assert sum(shares) <= n_generated


def test_too_few_events_are_refused_with_their_numbers():
    with pytest.raises(ValueError, match=r"0 and 1000 Monte Carlo, 0 and 900 generated"):
        c2st.share_generated(900, n_train=0, n_test=1000, train_ratio=1, test_ratio=4)


def test_verdict_of_a_perfect_ratio_is_calibrated():
    rng = np.random.default_rng(7)
    shift = 0.5
    x0, x1 = rng.normal(size=20_000), rng.normal(shift, size=30_000)
    ratios = [shift * x - shift**2 / 2 for x in (x0, x1)]
    found = c2st.judge(*ratios, confidence=0.95, n_permutations=50, rng=rng)
    assert found.auc == pytest.approx(norm.cdf(shift / np.sqrt(2)), abs=4 * found.auc_uncertainty)
    assert found.accuracy == pytest.approx(norm.cdf(shift / 2), abs=4 * found.accuracy_uncertainty)
    assert found.mean_ratio == pytest.approx(1, abs=4 * found.mean_ratio_uncertainty)
    assert found.p_value == pytest.approx(1 / 51)
    expected = np.sqrt((1 / 20_000 + 1 / 30_000) * found.accuracy * (1 - found.accuracy)) / 2
    assert found.accuracy_uncertainty == pytest.approx(expected, rel=0.01)
