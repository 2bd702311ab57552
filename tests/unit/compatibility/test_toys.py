import numpy as np
import pytest
import torch
from scipy.stats import chisquare, poisson

from bumpflow.compatibility import toys as t

RATES_B, RATES_S = (0.5, 3.0, 6.0), (0.5, 4.0)


def draw(n_b, n_s, *, background=500, signal=400, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return t.draw_toys(
        n_b, n_s, background_pool=background, signal_pool=signal, generator=generator
    )


def test_probabilities_are_exact_and_sum_to_one():
    cells = t.plan_cells(RATES_B, RATES_S, n_min=2)
    for mu_b in RATES_B:
        for mu_s in RATES_S:
            found = cells.probability(mu_b, mu_s)
            exact = poisson.pmf(cells.n_background, mu_b) * poisson.pmf(cells.n_signal, mu_s)
            assert found.sum() == pytest.approx(1, abs=1e-12)
            assert np.abs(found - exact).sum() < 1e-6
            assert cells.neglected(mu_b, mu_s) == pytest.approx(1 - exact.sum(), abs=1e-12)
            assert 0 <= cells.neglected(mu_b, mu_s) < 1e-6


def test_numbers_beyond_the_cells_count_as_the_nearest():
    cells = t.plan_cells([5.0], [0.0], n_min=2, neglect=0.1)
    found = dict(zip(cells.n_background.tolist(), cells.probability(9.0, 0.0), strict=True))
    low, high = min(found), max(found)
    assert low > 0
    assert found[high] == pytest.approx(poisson.sf(high - 1, 9.0))
    assert found[low] == pytest.approx(poisson.cdf(low, 9.0))
    assert cells.neglected(9.0, 0.0) == pytest.approx(
        poisson.sf(high, 9.0) + poisson.cdf(low - 1, 9.0)
    )


def test_background_alone_has_one_row_of_cells():
    cells = t.plan_cells([2.0, 10.0], n_min=10, neglect=1e-9)
    assert set(cells.n_signal) == {0}
    assert cells.n_background[0] == 0
    assert np.all(cells.n_toys == 10)
    assert cells.neglected(10.0, 0.0) < 1e-9


def test_toys_go_where_the_probability_is():
    cells = t.plan_cells(RATES_B, RATES_S, n_toys=10_000, n_min=5)
    assert cells.n_toys.sum() == pytest.approx(10_000 + 5 * len(cells.n_toys), rel=0.02)
    likely = (cells.n_background == 3) & (cells.n_signal == 3)
    rare = (cells.n_background == 18) & (cells.n_signal == 14)
    assert cells.n_toys[likely] > 50
    assert cells.n_toys[rare] == 5
    assert cells.n_toys[(cells.n_background == 3) & (cells.n_signal == 14)] < 8
    assert cells.n_toys[(cells.n_background == 18) & (cells.n_signal == 3)] < 8
    assert np.all(np.diff(cells.n_background + cells.n_signal) >= 0)


def test_halves_are_disjoint_and_know_their_cells():
    cells = t.plan_cells([1.0], [1.0], n_toys=333, n_min=3)
    (first, first_cells), (second, second_cells) = cells.halves()
    assert sorted([*first, *second]) == list(range(cells.n_toys.sum()))
    for rows, part in ((first, first_cells), (second, second_cells)):
        assert np.array_equal(cells.cell[rows], part.cell)


def test_toys_have_the_numbers_asked_for():
    n_b, n_s = [0, 3, 1, 0, 2], [0, 2, 0, 4, 2]
    toys = draw(n_b, n_s)
    assert toys.rows.shape == (5, 5)
    assert (toys.mask & ~toys.signal).sum(1).tolist() == n_b
    assert toys.signal.sum(1).tolist() == n_s
    assert toys.mask.sum(1).tolist() == [b + s for b, s in zip(n_b, n_s, strict=True)]
    assert torch.all((toys.rows >= 500)[toys.mask] == toys.signal[toys.mask])
    assert int(toys.rows.max()) < 900


def test_no_event_is_twice_in_a_toy_and_all_are_equally_likely():
    toys = draw([5] * 6000, 3, background=8, signal=4)
    ordered = toys.rows.sort(1).values
    assert torch.all(ordered[:, 1:] > ordered[:, :-1])
    # Each place of a toy has each row equally often, and so has each pair of rows.
    for place, size in ((0, 8), (4, 8), (7, 4)):
        counts = torch.bincount(toys.rows[:, place] % 8, minlength=size)
        assert chisquare(counts[:size].numpy()).pvalue > 1e-3
    pairs = torch.bincount(toys.rows[:, 1] * 8 + toys.rows[:, 4], minlength=64).view(8, 8)
    assert torch.all(pairs.diagonal() == 0)
    assert chisquare(pairs[~torch.eye(8, dtype=torch.bool)].numpy()).pvalue > 1e-3


def test_toys_repeat_with_the_seed_only():
    assert torch.equal(draw([4, 5], 2, seed=3).rows, draw([4, 5], 2, seed=3).rows)
    assert not torch.equal(draw([4, 5], 2, seed=3).rows, draw([4, 5], 2, seed=4).rows)


@pytest.mark.parametrize("chunk", [1, 37, 10**6])
def test_chunks_do_not_change_values(chunk):
    generator = torch.Generator().manual_seed(2)
    background = torch.rand(500, 3, generator=generator)
    signal = 10 + torch.rand(400, 3, generator=generator)
    toys = draw([0, 0, 1, 3, 2, 9], [0, 2, 0, 1, 5, 4])

    def total(events, mask):
        return (events.sum(-1) * mask).sum(1)

    found = t.evaluate(total, toys, background, signal, chunk_elements=chunk)
    pool = torch.cat([background, signal]).sum(-1)
    expected = [float(pool[r[m]].sum()) for r, m in zip(toys.rows, toys.mask, strict=True)]
    assert found.tolist() == pytest.approx(expected, rel=1e-5)
    assert t.evaluate(total, draw([], []), background, signal).shape == (0,)


def test_expectations_agree_with_poisson_toys():
    # The mean number of signal events among toys of more than 2 events, by both ways.
    mu_b, mu_s = 1.5, 1.0
    cells = t.plan_cells([mu_b], [mu_s], n_min=2)
    n = cells.n_background + cells.n_signal
    exact = np.sum(cells.probability(mu_b, mu_s) * cells.n_signal * (n > 2))
    rng = np.random.default_rng(1)
    b, s = rng.poisson(mu_b, 200_000), rng.poisson(mu_s, 200_000)
    drawn = s * (b + s > 2)
    error = drawn.std() / len(drawn) ** 0.5
    assert exact == pytest.approx(drawn.mean(), abs=4 * error)


def test_impossible_plans_and_pools():
    with pytest.raises(ValueError, match="n_min is 1"):
        t.plan_cells([1.0], n_min=1)
    with pytest.raises(ValueError, match=r"expected events are \[-1.0\]"):
        t.plan_cells([-1.0], n_min=2)
    with pytest.raises(ValueError, match="needs 9 signal events, but their pool holds 5"):
        draw([1, 2], [3, 9], signal=5)
