import numpy as np
import pytest
from scipy.special import erfinv
from scipy.stats import norm, poisson
from scipy.stats import wasserstein_distance as scipy_distance

from bumpflow.compatibility import significance as sig
from bumpflow.compatibility.toys import Cells, plan_cells

MEASURES = ("z_one_sided", "z_two_sided", "minus_log_p", "p")


def counting(mu_b, mu_s, *, null=None):
    """Toys of an experiment that counts events, without any randomness."""
    cells = plan_cells([0.1, mu_b], [0.1, mu_s], n_min=3, neglect=1e-12)
    alone = plan_cells([0.1, mu_b + mu_s], n_min=3, neglect=1e-13)
    values = (cells.n_background + cells.n_signal)[cells.cell]
    signal = sig.Tally.of(values, cells).at(mu_b, mu_s)
    background = sig.Tally.of(alone.n_background[alone.cell], alone)
    return signal, background.at(mu_b if null is None else null)


def noisy(seed, *, mu_b=2.0, mu_s=2.0, n_min=30, decimals=12):
    """A continuous statistic that grows with the signal, in strata."""
    rng = np.random.default_rng(seed)
    cells = plan_cells([mu_b], [mu_s], n_toys=2000, n_min=n_min, neglect=1e-4)
    n_b, n_s = cells.n_background[cells.cell], cells.n_signal[cells.cell]
    values = (0.3 * n_b + 0.5 * n_s + rng.normal(size=len(n_b))).round(decimals)
    return sig.Tally.of(values, cells)


def pair(seed, *, decimals=12):
    """Independent toys of both hypotheses at rates of 2 and 2."""
    signal = noisy(seed, decimals=decimals).at(2.0, 2.0)
    background = noisy(seed + 10_000, mu_s=0.0, n_min=1000, decimals=decimals).at(2.0)
    return signal, background


def test_two_sided_z_is_the_published_formula_and_keeps_its_precision():
    p = np.array([0.9, 0.3, 1e-3, 1e-9])
    np.testing.assert_allclose(sig.z_two_sided(p), np.sqrt(2) * erfinv(1 - p), rtol=1e-6)
    assert sig.z_two_sided(1e-30) == pytest.approx(norm.isf(0.5e-30))
    np.testing.assert_allclose(sig.z_one_sided(p), np.maximum(norm.isf(p), 0))
    assert sig.z_one_sided([1.0, 0.5, 0.6]).tolist() == [0, 0, 0]


@pytest.mark.parametrize(("mu_b", "mu_s"), [(0.5, 4.0), (2.0, 4.0), (5.0, 3.0), (6.0, 0.5)])
def test_counting_agrees_with_poisson_sums(mu_b, mu_s):
    n = np.arange(200)
    p_s, p = poisson.pmf(n, mu_b + mu_s), poisson.sf(n - 1, mu_b)
    exact = {
        "z_one_sided": np.maximum(norm.isf(p), 0),
        "z_two_sided": norm.isf(p / 2),
        "minus_log_p": -np.log(np.maximum(p, 1e-300)),
        "p": p,
    }
    signal, background = counting(mu_b, mu_s)
    for measure in MEASURES:
        found = sig.expected(signal, background, measure)
        assert found.value == pytest.approx(p_s @ np.where(p > 0, exact[measure], 0), abs=1e-5)
        assert found.uncertainty == pytest.approx(0, abs=1e-9)


def test_counting_has_no_power_against_the_sum_of_rates():
    signal, background = counting(2.0, 4.0, null=6.0)
    found = sig.expected(signal, background, "p").value
    n = np.arange(100)
    assert found == pytest.approx(poisson.pmf(n, 6) @ poisson.sf(n - 1, 6), abs=1e-6)
    assert found > 0.5


def test_p_values_count_weighted_toys():
    cells = Cells(np.array([0, 1]), np.zeros(2, int), np.array([2, 4]))
    tally = sig.Tally.of([0.0, 5.0, 1.0, 5.0, 5.0, 2.0], cells)
    background = tally.at(1.0)
    p0, p1 = background.probability
    assert p0 == pytest.approx(np.exp(-1))
    found = sig.p_values([-1.0, 0.0, 1.0, 1.5, 2.0, 5.0], background)
    expected = [1, 1, p0 / 2 + p1, p0 / 2 + 3 * p1 / 4, p0 / 2 + 3 * p1 / 4, p0 / 2 + p1 / 2]
    assert found == pytest.approx(expected)
    error = np.sqrt(p0**2 / 4 / 1 + p1**2 / 4 / 3)
    assert sig.p_value(5.0, background) == pytest.approx((p0 / 2 + p1 / 2, error))


def test_beyond_all_toys_the_p_value_is_bounded():
    alike = sig.Sample.alike(np.arange(50.0))
    assert alike.n_effective == pytest.approx(50)
    assert sig.p_values([49.0, 50.0], alike) == pytest.approx([1 / 50, 1 / 50])
    _, background = counting(1.0, 1.0)
    top = background.values.max()
    found = sig.p_values([top, top + 1], background)
    assert found[0] == found[1] < 1e-9


def test_p_values_stay_above_what_strata_resolve():
    cells = plan_cells([2.0], n_min=100)
    values = cells.n_background[cells.cell] + np.tile([0.0, 0.5], 50 * len(cells.n_toys))
    background = sig.Tally.of(values, cells).at(2.0)
    resolved = np.sum(background.probability**2 / 100)
    assert background.resolution == pytest.approx(resolved)
    assert sig.p_values([values.max()], background) == pytest.approx([resolved])


def test_equal_values_of_a_cell_become_one_entry():
    cells = plan_cells([2.0], n_min=100)
    tally = sig.Tally.of(cells.n_background[cells.cell] // 2, cells)
    assert len(tally.values) == len(cells.n_toys)
    assert tally.n_toys.sum() == cells.n_toys.sum()
    background = tally.at(2.0)
    np.testing.assert_allclose(background.weights, background.probability)


@pytest.mark.parametrize("decimals", [12, 0])
@pytest.mark.parametrize("measure", MEASURES)
def test_errors_of_expectations_match_repeated_toys(measure, decimals):
    repeats = [sig.expected(*pair(seed, decimals=decimals), measure) for seed in range(60)]
    values, errors = np.array(repeats).T
    # The spread of 60 values is known to 9 %.
    assert values.std(ddof=1) == pytest.approx(errors.mean(), rel=0.3)


@pytest.mark.parametrize("measure", MEASURES)
def test_errors_count_background_toys(measure):
    # The same signal against other toys of background each time.
    signal, reference = pair(1)
    p = sig.p_values(signal.values, reference)
    f = {"p": p, "minus_log_p": np.log(p), "z_one_sided": sig.z_one_sided(p)}
    own = signal.variance_of_mean(f.get(measure, sig.z_two_sided(p)))
    repeats = [
        sig.expected(signal, noisy(seed, mu_s=0.0, n_min=1000).at(2.0), measure)
        for seed in range(100, 160)
    ]
    values, errors = np.array(repeats).T
    predicted = np.sqrt(np.mean(errors**2) - own)
    assert values.std(ddof=1) == pytest.approx(predicted, rel=0.4)


def test_stratified_expectation_agrees_with_poisson_toys():
    rng = np.random.default_rng(7)
    n = 200_000
    b, s = rng.poisson(2.0, (2, n)), np.stack([rng.poisson(2.0, n), np.zeros(n, int)])
    values = 0.3 * b + 0.5 * s + rng.normal(size=(2, n))
    plain = sig.expected(sig.Sample.alike(values[0]), sig.Sample.alike(values[1]))
    found = sig.expected(*pair(3))
    error = np.hypot(plain.uncertainty, found.uncertainty)
    assert found.value == pytest.approx(plain.value, abs=4 * error)


def test_log_score_adds_up_logs_of_single_probabilities():
    background = sig.Sample.alike([0, 0, 1, 1, 1, 2, 2, 3])
    signal = sig.Sample.alike([1, 3, 3, 4])
    logs = np.log([2 / 8, 3 / 8, 2 / 8, 1 / 8, 1 / 8])
    score = -np.cumsum(logs[::-1])[::-1]
    expected = (score[1] + 2 * score[3] + score[4]) / 4
    assert sig.log_score(signal, background).value == pytest.approx(expected)
    with pytest.raises(ValueError, match="whole numbers"):
        sig.log_score(sig.Sample.alike([0.5]), background)


def test_error_of_log_score_matches_repeated_toys():
    rng = np.random.default_rng(8)
    repeats = []
    for _ in range(100):
        signal, background = (sig.Sample.alike(rng.binomial(4, q, 3000)) for q in (0.6, 0.4))
        repeats.append(sig.log_score(signal, background))
    values, errors = np.array(repeats).T
    assert values.std(ddof=1) == pytest.approx(errors.mean(), rel=0.25)


def test_separation_is_a_distance_of_values():
    signal, background = pair(4)
    found = sig.separation(signal, background)
    weights = signal.weights, background.weights
    expected = scipy_distance(signal.values, background.values, *weights)
    assert found.value == pytest.approx(expected)
    shifted = signal._replace(values=signal.values + 3)
    assert sig.separation(shifted, signal).value == pytest.approx(3)


def test_error_of_separation_matches_repeated_toys():
    repeats = [sig.separation(*pair(seed)) for seed in range(60)]
    values, errors = np.array(repeats).T
    assert values.std(ddof=1) == pytest.approx(errors.mean(), rel=0.3)


def test_error_of_separation_of_crossing_distributions_matches_repeated_toys():
    rng = np.random.default_rng(9)
    repeats = []
    for _ in range(100):
        wide, narrow = (sig.Sample.alike(rng.normal(0, width, 800)) for width in (2, 1))
        repeats.append(sig.separation(wide, narrow))
    values, errors = np.array(repeats).T
    assert values.mean() == pytest.approx(np.sqrt(2 / np.pi), abs=4 * errors.mean() / 10)
    assert values.std(ddof=1) == pytest.approx(errors.mean(), rel=0.25)


@pytest.mark.parametrize("alpha", [0.3, 0.05])
def test_type_one_error_is_nominal_for_continuous_statistics(alpha):
    found = []
    for seed in range(30):
        test, background = (
            noisy(seed + start, mu_s=0.0, n_min=100).at(2.0) for start in (0, 5000)
        )
        found.append(sig.type_one_error(test, background, alpha=alpha))
    values, errors = np.array(found).T
    assert values.mean() == pytest.approx(alpha, abs=4 * errors.mean() / np.sqrt(30))
    assert values.std(ddof=1) == pytest.approx(errors.mean(), rel=0.4)


def test_type_one_error_is_smaller_for_discrete_statistics():
    _, background = counting(2.0, 1.0)
    found = sig.type_one_error(background, background, alpha=0.1)
    assert found.value == pytest.approx(poisson.sf(4, 2.0), abs=1e-9)  # P(N >= 4) is 0.14
    assert found.value < 0.1


def test_values_that_do_not_belong_to_the_cells():
    cells = plan_cells([1.0], n_min=2)
    with pytest.raises(ValueError, match="need one number each"):
        sig.Tally.of(np.zeros(3), cells)
    values = np.zeros(cells.n_toys.sum())
    values[1] = np.nan
    with pytest.raises(ValueError, match="1 NaN"):
        sig.Tally.of(values, cells)
