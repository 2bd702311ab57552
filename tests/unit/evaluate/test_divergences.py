import numpy as np
import pytest
from scipy import stats

from bumpflow.evaluate import divergences as d

N_LARGE = 400_000


def _gaussians(rng, *, shift, width, n=N_LARGE):
    return rng.normal(size=(n, 1)), rng.normal(shift, width, size=(n, 1))


def _compare(x, y, *, n_bins=200, n_bootstrap=0, seed=0):
    binning = _unscaled(np.concatenate([x, y]), n_bins)
    rng = np.random.default_rng(seed)
    return d.compare(x, y, binning=binning, n_bootstrap=n_bootstrap, rng=rng)


def _unscaled(events, n_bins):
    return d.bin_by(events, n_bins=n_bins)._replace(scale=np.ones(events.shape[1]))


@pytest.mark.parametrize(("shift", "width"), [(0.5, 1.0), (0.3, 0.8)])
def test_gaussians_approach_closed_forms(shift, width):
    x, y = _gaussians(np.random.default_rng(1), shift=shift, width=width)
    found = dict(zip(d.MEASURES, _compare(x, y).values[:, 0], strict=True))
    kl = np.log(width) + (1 + shift**2) / (2 * width**2) - 0.5
    overlap = np.sqrt(2 * width / (1 + width**2)) * np.exp(-(shift**2) / 4 / (1 + width**2))
    # 200 bins lose below 1 % of KL; counting noise is about sqrt(2 KL / n) < 0.2 %
    assert found["kl"] == pytest.approx(kl, rel=0.02)
    assert found["hellinger"] == pytest.approx(np.sqrt(1 - overlap), rel=0.02)
    t = np.linspace(-9, 9, 20_001)
    between = np.abs(stats.norm.cdf(t) - stats.norm.cdf(t, shift, width))
    area = np.trapezoid(between, t)
    assert found["wasserstein"] == pytest.approx(area, abs=4 * np.sqrt(2 / N_LARGE))


def test_chi2_of_shifted_gaussian_approaches_closed_form():
    x, y = _gaussians(np.random.default_rng(2), shift=0.5, width=1.0)
    # chi2(N(a, 1) | N(0, 1)) = exp(a^2) - 1
    assert _compare(x, y).values[0, 0] == pytest.approx(np.exp(0.25) - 1, rel=0.03)


def test_known_probabilities_give_exact_values():
    p, q = np.array([0.5, 0.5]), np.array([0.25, 0.75])
    assert d.chi2_divergence(p, q) == pytest.approx(0.25)
    assert d.kl_divergence(p, q) == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3))
    bhattacharyya = np.sqrt(0.125) + np.sqrt(0.375)
    assert d.hellinger_distance(p, q) == pytest.approx(np.sqrt(1 - bhattacharyya))


def test_hellinger_of_separate_distributions_is_one():
    assert d.hellinger_distance(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(1)


def test_identical_samples_do_not_differ():
    x = np.random.default_rng(3).normal(size=(1000, 2))
    assert _compare(x, x.copy()).values == pytest.approx(np.zeros((4, 2)), abs=1e-12)


def test_wasserstein_of_shifted_sample_is_the_shift():
    x = np.random.default_rng(4).exponential(size=500)
    assert d.wasserstein_distance(x, x + 0.7) == pytest.approx(0.7)


def test_wasserstein_agrees_with_scipy_for_weighted_unequal_sizes():
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=300), rng.normal(0.2, 1.3, size=170).round(1)
    weights = rng.poisson(1.0, size=(3, 300)).astype(float)
    y_weights = np.ones((3, 170))
    found = d.wasserstein_distance(x, y, x_weights=weights, y_weights=y_weights)
    expected = [stats.wasserstein_distance(x, y, u_weights=w) for w in weights]
    assert found == pytest.approx(expected)


def test_bins_are_equally_full_and_lose_no_event():
    x = np.random.default_rng(6).exponential(size=(1000, 2))
    edges = d.bin_by(x, n_bins=10).edges
    beyond = np.concatenate([x, [[-5.0, 1e9]]])
    counts = np.bincount(d.bin_events(beyond, edges).ravel(), minlength=20)
    assert counts.tolist() == [101, *[100] * 18, 101]


def test_repeated_values_get_fewer_bins():
    x = np.repeat([0.0, 1.0, 2.0], 100)[:, None]
    assert d.bin_by(x, n_bins=10).edges[0].tolist() == [0.0, 1.0, 2.0]


def test_null_expectation_of_chi2_is_degrees_of_freedom_over_sizes():
    rng = np.random.default_rng(7)
    events = rng.normal(size=(20_000, 4))
    null = d.baseline(
        events,
        n_reference=4000,
        n_candidate=2000,
        binning=_unscaled(events, 21),
        n_repeats=50,
        rng=rng,
    )
    expected = 20 * (1 / 4000 + 1 / 2000)
    # one value spreads by sqrt(2/20); 200 values, of which samples overlap by half
    assert null.mean[0].mean() == pytest.approx(expected, rel=5 * np.sqrt(2 / 20 / 100))
    assert null.mean[1].mean() == pytest.approx(expected / 2, rel=5 * np.sqrt(2 / 20 / 100))


def test_bootstrap_spread_matches_repeated_experiments():
    rng = np.random.default_rng(8)
    binning = _unscaled(rng.normal(size=(100_000, 1)), 20)
    draws = [
        d.compare(
            rng.normal(size=(2500, 1)),
            rng.normal(0.4, 1.0, size=(1500, 1)),
            binning=binning,
            n_bootstrap=100 if toy == 0 else 0,
            rng=rng,
        )
        for toy in range(150)
    ]
    spread = np.std([draw.values[:, 0] for draw in draws], axis=0, ddof=1)
    found = draws[0].replicas[:, :, 0].std(axis=0, ddof=1)
    # errors of the two standard deviations: 1/sqrt(200) and 1/sqrt(300)
    assert found == pytest.approx(spread, rel=4 * np.sqrt(1 / 200 + 1 / 300))


def test_relative_is_ratio_of_means_over_features():
    values = np.ones((4, 2)) * [[1.0], [2.0], [3.0], [4.0]]
    replicas = values + np.array([-0.1, 0.1])[:, None, None]
    null = d.Baseline(np.full((4, 2), 0.5), np.zeros((4, 2)), np.zeros(4), n_repeats=10)
    found = d.relative(d.Comparison(values, replicas), null)
    assert [found[name].value for name in d.MEASURES] == pytest.approx([2.0, 4.0, 6.0, 8.0])
    assert found["kl"].uncertainty == pytest.approx(0.1 * np.sqrt(2) / 0.5)


def test_wasserstein_is_in_units_of_scale_and_table_names_all():
    rng = np.random.default_rng(9)
    scale = np.array([1.0, 10.0])
    x = rng.normal(size=(500, 2)) * scale
    compared = d.compare(
        x,
        x + scale,
        binning=d.bin_by(x, n_bins=5)._replace(scale=scale),
        n_bootstrap=3,
        rng=rng,
    )
    null = d.Baseline(np.ones((4, 2)), np.ones((4, 2)), np.zeros(4), n_repeats=2)
    table = d.as_table(compared, null, ["a", "b"])
    assert table.query("measure == 'wasserstein'")["value"].tolist() == pytest.approx([1, 1])
    assert table.groupby("measure")["feature"].agg(list).map(tuple).unique().tolist() == [
        ("a", "b")
    ]


def test_baseline_without_enough_events_says_what_to_do():
    with pytest.raises(ValueError, match=r"needs 12 Monte Carlo events, but there are 10"):
        d.baseline(
            np.zeros((10, 1)),
            n_reference=6,
            n_candidate=6,
            binning=d.Binning([np.array([0.0])], np.ones(1)),
            n_repeats=2,
            rng=np.random.default_rng(0),
        )


def test_scales_are_standard_deviations():
    x = np.random.default_rng(10).normal(size=(1000, 2)).astype(np.float32) * [1, 5]
    assert d.bin_by(x, n_bins=4).scale == pytest.approx(x.std(axis=0), rel=1e-5)


@pytest.mark.parametrize(
    ("sizes", "expected"), [((9, 8, 40, 99), 8), ((9, 8, 11, 99), 5), ((9, 8, 40, 3), 3)]
)
def test_equal_size_is_bounded_by_all(sizes, expected):
    n_reference, n_candidate, n_monte_carlo, limit = sizes
    found = d.equal_size(n_reference, n_candidate, n_monte_carlo=n_monte_carlo, limit=limit)
    assert found == expected
