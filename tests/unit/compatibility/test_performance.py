import numpy as np
import pandas as pd
import pytest
from scipy.special import gammaln
from scipy.stats import norm, poisson

from bumpflow.compatibility import performance
from bumpflow.compatibility.performance import Hunt, Trials
from bumpflow.compatibility.toys import plan_cells

POINTS = [(2.0, 4.0), (6.0, 4.0), (2.0, 0.0)]
COUNT, NOISE, LR, SHAPE, MAX = (
    Hunt("count", 1.0),
    Hunt("noise", 0.3),
    Hunt("lr", None),
    Hunt("lrshape", None),
    Hunt("lrmax", None),
)
SETTINGS = (0.3, 0.5, 0.7, 0.9)
N = np.arange(60)
MEAN_Z = np.sqrt(2 / np.pi)  # of two-sided significances without signal
TABLE = ["benchmark", "hunt", "setting", "mu_b", "mu_s"]


def tabulate(cells, seed):
    """Return toys whose events say nothing, so that their number is all that counts."""
    cell = cells.cell
    numbers = {"n_background": cells.n_background[cell], "n_signal": cells.n_signal[cell]}
    n = numbers["n_background"] + numbers["n_signal"]
    rng = np.random.default_rng(seed)
    counts = {f"{name}_{s:g}": n for name, s in (("count", 1), ("lrmax", 2), ("lrmax", 6))}
    counts |= {f"same_{setting:g}": n for setting in SETTINGS}
    noise = {f"noise_{setting:g}": rng.normal(size=len(n)) for setting in SETTINGS}
    ways = gammaln(n + 1) - gammaln(N[:, None] + 1) - gammaln(np.maximum(n - N[:, None], 0) + 1)
    logs = np.where(N[:, None] <= n, ways, -np.inf)[: n.max() + 1]
    log_e = {f"log_e_{k}": row for k, row in enumerate(logs)}  # ratios of 1: binomial coefficients
    return pd.DataFrame(numbers | counts | noise | log_e)


@pytest.fixture(scope="module")
def trials():
    rates_b, rates_s = np.transpose(POINTS)
    both = plan_cells(rates_b, rates_s, n_toys=4000, n_min=2, neglect=1e-9)
    alone = plan_cells([*rates_b, 10.0], n_min=200, neglect=1e-9)
    return Trials(tabulate(alone, 1), {"m1": tabulate(both, 2)})


def exact(mu_b, mu_s, rate, of):
    """Return the expectation of a function of the p-value of a count."""
    p = poisson.sf(N - 1, rate)
    return poisson.pmf(N, mu_b + mu_s) @ of(np.maximum(p, 1e-300))


MEASURES = {
    "z_two_sided": lambda p: norm.isf(p / 2),
    "z_one_sided": lambda p: np.maximum(norm.isf(p), 0),
    "minus_log_p": lambda p: -np.log(p),
}


@pytest.fixture(scope="module")
def points(trials):
    hunts = {"m1": [COUNT, LR, SHAPE, MAX]}
    return performance.point_table(trials, hunts, POINTS[:2])


def test_points_of_a_count_agree_with_poisson_sums(points):
    found = points[points["hunt"] == "count"]
    assert len(found) == 4
    for _, row in found.iterrows():
        mu_b, mu_s = row["mu_b"], row["mu_s"]
        rate = mu_b if row["null"] == "background" else mu_b + mu_s
        for name, of in MEASURES.items():
            assert row[name] == pytest.approx(exact(mu_b, mu_s, rate, of), abs=1e-3)
            assert row[f"{name}_error"] < 1e-6  # a cell has one count
        assert row["separation"] == pytest.approx(mu_b + mu_s - rate, abs=1e-3)
        assert 0 <= row["neglected"] < 1e-8


def test_likelihood_ratios_of_events_that_say_nothing_count_them(points):
    named = points[points["null"] == "background"].set_index(["mu_b", "hunt"])
    for mu_b in (2.0, 6.0):
        for name in MEASURES:
            for hunt in ("lr", "lrmax"):
                expected = named.loc[(mu_b, "count"), name]
                assert named.loc[(mu_b, hunt), name] == pytest.approx(expected, abs=1e-6)
        assert named.loc[(mu_b, "lrshape"), "z_two_sided"] == pytest.approx(0, abs=1e-3)


def test_scores_and_hypotheses_are_those_that_make_sense(points):
    whole = points["log_score"].notna()
    assert set(points.loc[whole, "hunt"]) == {"count"}
    assert set(points.loc[points["hunt"] == "lrmax", "null"]) == {"background"}


def test_map_agrees_with_poisson_sums(trials):
    hunts = {"m1": [COUNT, LR]}
    found = performance.map_table(trials, hunts, mu_b=[2.0, 6.0], mu_s=[1.0, 4.0])
    assert found.columns.tolist() == ["mu_b", "mu_s", *TABLE[:3], "z", "z_error"]
    assert found["hunt"].tolist() == 4 * ["count"] + 4 * ["lr"]
    for _, row in found.iterrows():
        expected = exact(row["mu_b"], row["mu_s"], row["mu_b"], MEASURES["z_two_sided"])
        assert row["z"] == pytest.approx(expected, abs=1e-3)


def test_choice_among_equal_settings_changes_nothing(trials):
    table = performance.threshold_table(trials, ["same"], SETTINGS, POINTS)
    assert table.columns.tolist() == [*TABLE, "z", "z_error"]
    assert len(table) == 5 * len(POINTS)
    assert table["setting"].isna().sum() == len(POINTS)
    for _, row in table.iterrows():
        expected = exact(row["mu_b"], row["mu_s"], row["mu_b"], MEASURES["z_two_sided"])
        assert row["z"] == pytest.approx(expected, abs=1e-3)


def test_choice_among_settings_is_no_evidence_by_itself(trials):
    table = performance.threshold_table(trials, ["noise"], SETTINGS, [(2.0, 0.0)])
    for _, row in table.iterrows():
        assert 0 < row["z_error"] < 0.1
        assert row["z"] == pytest.approx(MEAN_Z, abs=4 * row["z_error"])


def test_purity_has_the_p_values_of_as_many_events():
    background = {"n_background": 4 * [5] + 4 * [6], "hunt_1": [1, 1, 2, 3, 9, 9, 9, 9]}
    background = pd.DataFrame(background).assign(n_signal=0)
    signal = {
        "n_background": [3, 3, 3, 3, 5, 5, 4, 4],
        "n_signal": [2, 2, 2, 2, 0, 0, 2, 2],
        "hunt_1": [3, 3, 2, 2, 1, 1, 9, 9],
    }
    trials = Trials(background, {"m1": pd.DataFrame(signal)})
    found = performance.purity_table(trials, ["hunt"], [1.0], n_events=5)
    assert found["n_signal"].tolist() == [0, 2]
    assert found["minus_log_p"].tolist() == pytest.approx([0, 1.5 * np.log(2)])
    assert found["minus_log_p_error"].iloc[1] > 0
    assert set(found["setting"]) == {1.0}


def test_errors_of_the_first_kind(trials):
    levels = [0.32, 0.05, 0.01]
    found = performance.error_table(trials, [COUNT, NOISE, LR], mu_b=[2.0, 6.0], levels=levels)
    assert len(found) == 18
    for _, row in found.iterrows():
        if row["hunt"] == "noise":
            assert row["type_one"] == pytest.approx(row["level"], abs=4 * row["error"])
        else:
            tails = poisson.sf(N - 1, row["mu_b"])
            assert row["type_one"] == pytest.approx(tails[tails <= row["level"]].max(), abs=1e-4)


def test_distributions_are_poisson(trials):
    table = performance.distribution_table(trials, {"m1": [COUNT, LR, SHAPE]}, POINTS[:2])
    assert set(table["hunt"]) == {"count"}
    for (mu_b, mu_s), part in table.groupby(["mu_b", "mu_s"]):
        for name in ("background", "signal"):
            assert part[name].sum() == pytest.approx(1)
            expected = poisson.pmf(part["statistic"], mu_b + mu_s)
            np.testing.assert_allclose(part[name], expected, atol=1e-6)


def test_hunts_to_compare():
    hunts = performance.compared_hunts(["eco"], 0.68, {"m0p2": 4, "m1": 11})
    assert list(hunts) == ["m0p2", "m1"]
    shared = [Hunt("eco", 0.68)], [Hunt("moving", None), LR, SHAPE, MAX]
    for name, bins in (("m0p2", 4.0), ("m1", 11.0)):
        windows = [Hunt("bump", bins), Hunt("fair", bins)]
        assert hunts[name] == [*shared[0], *windows, *shared[1]]
    assert performance.without_maximum(hunts)["m1"] == hunts["m1"][:-1]
