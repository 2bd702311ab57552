import math

import numpy as np
import pytest
import torch
from scipy.stats import binom, norm

from bumpflow.compatibility import coverage
from bumpflow.compatibility.cleaning import clean
from bumpflow.compatibility.grids import Axis
from bumpflow.compatibility.inference import infer_toys
from bumpflow.compatibility.likelihood_ratio import known_background
from bumpflow.compatibility.pairs import pair_scores
from bumpflow.compatibility.toys import draw_toys, evaluate
from tests import compatible_events as made

AXIS = Axis(math.log10(0.1), math.log10(4.5), 200)
N = 4000


def normal_levels(*, scale=1.0, bias=0.0, n=N, seed=1):
    """Levels and integral transforms of normal posteriors that are too wide by a factor."""
    pull = (np.random.default_rng(seed).normal(size=n) - bias) / scale
    return 2 * norm.cdf(np.abs(pull)) - 1, norm.cdf(pull)


def test_coverage_counts_levels():
    curve = coverage.coverage_curve(np.array([0.1, 0.5, 0.5, 0.9]), expected=[0.05, 0.5, 0.95])
    assert curve["empirical"].tolist() == [0, 0.75, 1]
    assert curve["n_held"].tolist() == [0, 3, 4]
    assert set(curve["n"]) == {4}
    assert np.all(curve["error"] > 0)
    share = coverage.share_within(np.array([0.1, 0.5, 0.5, 0.9]), 0.5)
    assert share == (curve["empirical"][1], curve["error"][1])


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.5])
def test_coverage_of_posteriors_of_a_wrong_width(scale):
    level, pit = normal_levels(scale=scale)
    found = coverage.calibrate(level, pit, np.full(N, scale))
    for measured, central, nominal in zip(
        found.coverage, found.central, (0.68, 0.95), strict=True
    ):
        truth = 2 * norm.cdf(scale * norm.ppf((1 + nominal) / 2)) - 1
        assert measured.value == pytest.approx(truth, abs=4 * measured.uncertainty)
        assert measured.uncertainty == pytest.approx(math.sqrt(truth * (1 - truth) / N), rel=0.15)
        assert central == pytest.approx(measured)
    tests = (found.levels, found.pit)
    if scale == 1.0:
        assert all(min(test.p_chi2, test.p_distance) > 1e-3 for test in tests)
    else:
        assert all(max(test.p_chi2, test.p_distance) < 1e-6 for test in tests)
    assert abs(found.bias.value) < 4 * found.bias.uncertainty


def test_biased_posteriors_show_in_the_integral_transform():
    found = coverage.calibrate(*normal_levels(bias=0.3), np.ones(N))
    assert found.bias.value < -10 * found.bias.uncertainty
    assert found.pit.p_distance < 1e-9


def test_p_values_of_right_posteriors_are_uniform():
    numbers = np.random.default_rng(6).uniform(size=(1000, 300))
    tests = [coverage.measure_uniformity(row) for row in numbers]
    for name in ("p_chi2", "p_distance"):
        p = np.array([getattr(test, name) for test in tests])
        assert p.mean() == pytest.approx(0.5, abs=4 * math.sqrt(1 / 12 / 1000))
    assert tests[0].n_dof == 19
    assert coverage.measure_uniformity(np.linspace(0, 1, 12)).n_dof == 1


def test_sharpness_has_errors():
    std = np.random.default_rng(2).lognormal(-3, 0.5, (400, 300))
    level = np.linspace(0, 1, 300)
    found = [coverage.calibrate(level, level, row) for row in std]
    for name in ("mean_std", "median_std"):
        values, errors = np.array([getattr(one, name) for one in found]).T
        assert values.std(ddof=1) == pytest.approx(errors.mean(), rel=0.15)
    assert found[0].mean_std.value == pytest.approx(std[0].mean())
    assert found[0].median_std.value == pytest.approx(np.median(std[0]))
    with pytest.raises(ValueError, match="1 posteriors are given"):
        coverage.calibrate(level[:1], level[:1], level[:1])


def test_histogram_of_integral_transforms_lies_in_its_band():
    table = coverage.pit_histogram(normal_levels()[1], n_bins=20)
    assert table["observed"].sum() == N
    assert set(table["expected"]) == {N / 20}
    low, high = table["band_low"][0], table["band_high"][0]
    assert binom.cdf(high, N, 0.05) - binom.cdf(low - 1, N, 0.05) == pytest.approx(0.95, abs=0.01)
    inside = table["observed"].between(low, high)
    assert inside.sum() >= 16
    wrong = coverage.pit_histogram(normal_levels(scale=0.6)[1], n_bins=20)
    assert not wrong["observed"].between(low, high)[[0, 19]].any()


def test_spread_and_width_shrink_with_the_root_of_events():
    rng = np.random.default_rng(3)
    n = np.repeat([1, 2, 4, 8], 2000)
    mean, std = rng.normal(0, 0.05 / np.sqrt(n)), 0.05 / np.sqrt(n) * rng.lognormal(0, 0.1, len(n))
    table = coverage.spread_table(
        np.append(mean, 9.0), np.append(std, 9.0), np.append(n, 16)
    ).set_index("n_events")
    assert table.index.tolist() == [1, 2, 4, 8]
    for name in ("spread", "width"):
        columns = table[name], table[f"{name}_error"]
        found = coverage.fit_root_n(table.index, *columns)
        expected = 0.05 * (math.exp(0.005) if name == "width" else 1)
        assert found.sigma.value == pytest.approx(expected, abs=4 * found.sigma.uncertainty)
        assert found.sigma.uncertainty < 0.02 * expected
        assert (found.n_dof, found.p > 1e-3) == (3, True)
    assert table["spread_error"][1] == pytest.approx(0.05 / math.sqrt(2 * 2000), rel=0.1)


def test_other_laws_do_not_fit():
    n, value, error = np.array([1, 2, 4]), np.array([1.0, 0.6, 0.5]), np.array([0.1, 0.1, 0.01])
    found = coverage.fit_root_n(n, value, error)
    grid = np.linspace(0.5, 1.5, 100_001)
    squares = (((value - grid[:, None] / np.sqrt(n)) / error) ** 2).sum(1)
    assert found.sigma.value == pytest.approx(grid[squares.argmin()], abs=1e-5)
    assert found.chi2 == pytest.approx(squares.min())
    rise = np.interp(found.sigma.value + found.sigma.uncertainty, grid, squares) - found.chi2
    assert rise == pytest.approx(1, abs=1e-3)
    with pytest.raises(ValueError, match="errors above 0"):
        coverage.fit_root_n([1], [1], [0])


def test_toys_are_sorted_by_what_cleaning_did():
    signal = torch.tensor([[0, 1, 1], [0, 1, 1], [0, 1, 1], [0, 1, 1], [0, 0, 0]]) == 1
    mask = torch.ones(5, 3, dtype=torch.bool)
    mask[4, 1:] = False
    survivors = torch.tensor([[0, 1, 1], [0, 1, 0], [1, 1, 1], [1, 0, 0], [0, 0, 0]]) == 1
    found = coverage.compare_selection(mask, signal, survivors)
    assert found["kind"].tolist() == ["right", "dropped", "kept", "both", "right"]
    assert found["n_dropped"].tolist() == [0, 1, 0, 2, 0]
    assert found["n_kept"].tolist() == [0, 0, 1, 1, 0]
    assert found["n_retained"].tolist() == [2, 1, 3, 1, 0]
    assert found["n_events"].tolist() == [3, 3, 3, 3, 1]
    assert found["n_signal"].tolist() == [2, 2, 2, 2, 0]


def test_wrong_events_cost_coverage_and_averaging_over_them_does_not():
    """Figure 8 of https://arxiv.org/abs/2407.20329 on posteriors that are exact."""
    generator = torch.Generator().manual_seed(4)
    background = made.log_ratio(made.draw_background(20_000, generator))
    signal = made.log_ratio(made.draw_signal(20_000, generator))
    n_toys = 4000
    toys = draw_toys(
        [2] * n_toys, 3, background_pool=20_000, signal_pool=20_000, generator=generator
    )

    def survive(events, mask):
        scores = pair_scores(events, AXIS.weights, mask=mask)
        return clean(scores, mask, thresholds=[0.68]).survivors[:, 0]

    survivors = evaluate(survive, toys, background, signal)
    inferred = infer_toys(
        toys, survivors, background, signal,
        weights=AXIS.weights, axis=AXIS, truth=0.0, strength=known_background(2.0),
    )  # fmt: skip
    selection = coverage.compare_selection(toys.mask, toys.signal, survivors)
    joined = inferred.join(selection.drop(columns="n_events"), on="toy")
    assert joined.loc[joined["way"] == "cleaned", "n_retained"].equals(
        joined.loc[joined["way"] == "cleaned", "n_events"]
    )
    table = coverage.coverage_table(joined, ["way", "kind"], expected=[0.68])
    found = table.set_index(["way", "kind"])
    assert found["n"].groupby("way", observed=True).sum()["signal"] == n_toys
    right = found.loc[("signal", "right")]
    assert right["empirical"] == pytest.approx(0.68, abs=5 * right["error"])
    for kind in ("dropped", "kept"):
        row = found.loc[("cleaned", kind)]
        assert row["n"] > 300
        assert row["empirical"] < 0.68 - 4 * row["error"]
        assert found.loc[("marginal", kind), "empirical"] > row["empirical"] + row["error"]
