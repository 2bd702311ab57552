"""Templates of selected events, and the variations that stand for a training's uncertainty."""

import numpy as np
import pandas as pd
import pytest

from bumpflow.stats.templates import bin_edges, count_sample, training_variations

EDGES = np.array([0.0, 1.0, 3.0])
OBSERVABLES = {"mass": ("m", EDGES)}


def events(n, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {"m": rng.uniform(-1, 4, n), "score": rng.uniform(size=n), "weight": rng.uniform(1, 2, n)}
    )


def test_shares_and_variances_are_sums_of_weights():
    x = events(500)
    found = count_sample([x], observables=OBSERVABLES, cut=0.6).templates
    kept, total = x[x["score"] > 0.6], x["weight"].sum()
    for row, (low, high) in zip(found.itertuples(), ((0, 1), (1, 3)), strict=True):
        inside = kept[(kept["m"] >= low) & (kept["m"] < high)]["weight"]
        assert (row.low, row.high, row.n_generated) == (low, high, 500)
        assert row.value == pytest.approx(inside.sum() / total)
        assert row.variance == pytest.approx((inside**2).sum() / total**2)


def test_pieces_make_no_difference_and_smaller_samples_are_the_first_events():
    x = events(1000)
    pieces = [x.iloc[:130], x.iloc[130:777], x.iloc[777:]]
    sizes = [100, 700, 5000]
    found = count_sample(pieces, observables=OBSERVABLES, cut=0.5, sizes=sizes).templates
    assert sorted(found["n_generated"].unique()) == [100, 700, 1000]
    for size in (100, 700, 1000):
        alone = count_sample([x.iloc[:size]], observables=OBSERVABLES, cut=0.5).templates
        same = found[found["n_generated"] == size]
        for column in ("value", "variance"):
            assert np.allclose(same[column], alone[column])


def test_efficiency_is_binomial_for_unit_weights_and_covers_for_others():
    x = events(400).assign(weight=1.0)
    share = (x["score"] > 0.5).mean()
    found = count_sample([x], observables=OBSERVABLES, cut=0.5).efficiency
    assert found.value == pytest.approx(share)
    assert found.uncertainty == pytest.approx(np.sqrt(share * (1 - share) / 400))
    weighted = [
        count_sample([events(400, s)], observables=OBSERVABLES, cut=0.5) for s in range(99)
    ]
    spread = np.std([one.efficiency.value for one in weighted], ddof=1)
    claimed = np.mean([one.efficiency.uncertainty for one in weighted])
    assert claimed == pytest.approx(spread, rel=4 / np.sqrt(2 * 99))


def test_no_events_and_unknown_columns_are_refused():
    with pytest.raises(ValueError, match="no events"):
        count_sample([], observables=OBSERVABLES, cut=0.5)
    with pytest.raises(ValueError, match=r"'mjj'.*'score'"):
        count_sample([events(5)], observables={"mjj": ("mjj", EDGES)}, cut=0.5)


def test_edges_come_from_a_list_or_from_a_range():
    assert bin_edges({"edges": [0, 1, 5]}).tolist() == [0, 1, 5]
    block = {"edges": None, "low": 0, "high": 3, "n_bins": 3}
    assert bin_edges(block).tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match=r"must rise.*1\.0, 1\.0"):
        bin_edges({"edges": [1, 1]})


def test_variations_span_the_spread_of_the_members():
    rng = np.random.default_rng(1)
    truth = np.array([[3.0, 1.0, 0.0, -1.0], [0.5, -0.5, 2.0, 0.0]])
    central = np.full(4, 100.0)
    members = central + rng.normal(size=(400, 2)) @ truth
    found = training_variations(members, central, noise=np.zeros(4), max_variations=4)
    assert len(found) == 2
    assert np.allclose(found.T @ found, truth.T @ truth, atol=4 * 10 * np.sqrt(2 / 400))
    assert abs(found[0] @ found[1]) < 1e-9
    one = training_variations(members, central, noise=np.zeros(4), max_variations=1)
    assert np.allclose(one[0], found[0])


def test_few_members_widen_variations_and_counting_noise_is_not_counted_twice():
    members, central = np.array([[11.0, 10.0], [9.0, 10.0]]), np.array([10.0, 10.0])
    (found,) = training_variations(members, central, noise=np.zeros(2), max_variations=5)
    assert found == pytest.approx([1.3213, 0.0], abs=1e-3)  # Student, 2 degrees of freedom
    less = training_variations(members, central, noise=np.array([0.75, 0.0]), max_variations=5)
    assert less[0] == pytest.approx(found / 2)
    none = training_variations(members, central, noise=np.full(2, 2.0), max_variations=5)
    assert none.shape == (0, 2)


def test_members_that_are_all_off_the_same_way_count_as_uncertainty():
    central = np.full(3, 10.0)
    members = np.tile([12.0, 10.0, 10.0], (5, 1))
    (found,) = training_variations(members, central, noise=np.zeros(3), max_variations=3)
    assert found[0] > 2
