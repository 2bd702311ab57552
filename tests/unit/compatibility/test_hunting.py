import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch

from bumpflow.compatibility import hunting
from bumpflow.compatibility.hunting import HuntSettings, Pool, Scorer
from bumpflow.compatibility.likelihood_ratio import SIGNAL_RATES, SIGNAL_SHARES
from bumpflow.compatibility.toys import Cells, draw_cells, plan_cells
from tests import compatible_events as made

THRESHOLDS, BINS, RATES = (0.3, 0.5, 0.8), (4, 11), (0.5, 2.0)
SETTINGS = HuntSettings(THRESHOLDS, BINS, RATES)
CELLS = Cells(
    *np.array([[0, 1, 0, 2, 1, 1, 3, 2], [0, 0, 1, 0, 1, 2, 0, 2], [3, 4, 3, 6, 4, 6, 6, 8]])
)
N_TOYS = int(CELLS.n_toys.sum())


def draw_pool(kind, n, seed):
    draw = {"background": made.draw_background, "signal": made.draw_signal}[kind]
    mass = draw(n, torch.Generator().manual_seed(seed))
    return Pool(
        mass[:, None],
        made.log_ratio(mass),
        made.log_ratio(mass + 0.2),
        mass - 0.1,
        0.1 + mass**2 / 9,
    )


POOLS = draw_pool("background", 30, 1), draw_pool("signal", 20, 2)
POOL = Pool(*(torch.cat(parts) for parts in zip(*POOLS, strict=True)))


def near(x, mask):
    """Score pairs by the distance of one number."""
    del mask
    return torch.exp(-10 * (x[:, :, None, 0] - x[:, None, :, 0]).abs())


def overlap(log_ratio, mask):
    """Score pairs by what posteriors have in common."""
    del mask
    ratio = log_ratio.double().exp()
    found = torch.einsum("tig,tjg,g->tij", ratio, ratio, made.WEIGHTS)
    return found / (1 + found)


NETWORKS = {"eco": Scorer("x", near), "epo": Scorer("published", overlap)}


def hunt(cells=CELLS, signal=POOLS[1], seed=3):
    return hunting.hunt_toys(
        cells,
        POOLS[0],
        signal,
        weights=made.WEIGHTS,
        networks=NETWORKS,
        settings=SETTINGS,
        generator=torch.Generator().manual_seed(seed),
    )


@pytest.fixture(scope="module")
def table():
    return hunt()


@pytest.fixture(scope="module")
def members():
    """Return the rows of both pools that each toy has."""
    generator = torch.Generator().manual_seed(3)
    toys = draw_cells(CELLS, background_pool=30, signal_pool=20, generator=generator)
    return [rows[mask] for rows, mask in zip(toys.rows, toys.mask, strict=True)]


def count_compatible(scores, threshold):
    """Remove events one by one, as the published text says."""
    left = list(range(len(scores)))
    while len(left) > 1:
        means = [np.mean([scores[i, j] for j in left if j != i]) for i in left]
        if min(means) > threshold:
            return len(left)
        left.pop(int(np.argmin(means)))
    return len(left)


def count_in_windows(masses, n_bins, *, published):
    """Count events in windows of three adjacent intervals."""
    edges = np.linspace(-1.5, 0.8, n_bins if published else n_bins + 1)
    return max(
        sum(low <= mass < high for mass in masses)
        for low, high in zip(edges[:-3], edges[3:], strict=True)
    )


def mean_polynomial(ratios, order):
    """Add up all ways to choose events, and average over the prior."""
    total = np.zeros(ratios.shape[1])
    for chosen in combinations(ratios, order):
        total += np.prod(chosen, 0)
    return total @ made.WEIGHTS.numpy()


def ratios_of(rows):
    return POOL.log_ratio[rows].double().exp().numpy()


def test_toys_have_the_cells_numbers(table):
    assert table["n_background"].tolist() == CELLS.n_background[CELLS.cell].tolist()
    assert table["n_signal"].tolist() == CELLS.n_signal[CELLS.cell].tolist()
    found = hunting.cells_of(table)
    assert all(np.array_equal(one, other) for one, other in zip(found, CELLS, strict=True))


@pytest.mark.parametrize(("name", "field"), [("eco", "x"), ("epo", "published")])
def test_cleaning_agrees_with_a_loop(table, members, name, field):
    scores = NETWORKS[name].scores(getattr(POOL, field)[None], None)[0].numpy()
    for threshold in THRESHOLDS:
        exact = [count_compatible(scores[np.ix_(rows, rows)], threshold) for rows in members]
        assert table[f"{name}_{threshold:g}"].tolist() == exact


@pytest.mark.parametrize("name", ["bump", "fair"])
def test_windows_agree_with_a_loop(table, members, name):
    for n_bins in BINS:
        exact = [
            count_in_windows(POOL.log10_mass[rows].numpy(), n_bins, published=name == "bump")
            for rows in members
        ]
        assert table[f"{name}_{n_bins}"].tolist() == exact


def test_moving_windows_agree_with_a_loop(table, members):
    exact = []
    for rows in members:
        mass, width = POOL.log10_mass[rows], 1.5 * POOL.resolution[rows]
        near_each = [
            int(((mass - at).abs() <= w).sum()) for at, w in zip(mass, width, strict=True)
        ]
        exact.append(max(near_each, default=0))
    assert table["moving"].tolist() == exact


def test_polynomials_agree_with_all_subsets(table, members):
    for order in range(5):
        exact = [mean_polynomial(ratios_of(rows), order) for rows in members]
        found = np.exp(table[f"log_e_{order}"].astype(float))
        np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-30)
    assert "log_e_5" not in table


@pytest.mark.parametrize("rate", RATES)
def test_likelihood_ratio_agrees_with_sums(table, members, rate):
    found = hunting.statistic_of(table, "lr", None, mu_b=rate)
    exact = [
        np.mean(
            [
                math.exp(-mu) * np.prod(1 + mu / rate * ratios_of(rows), 0) @ made.WEIGHTS.numpy()
                for mu in SIGNAL_RATES
            ]
        )
        for rows in members
    ]
    np.testing.assert_allclose(np.exp(found), exact, rtol=1e-4)


def test_likelihood_ratio_of_shares_agrees_with_sums(table, members):
    found = hunting.statistic_of(table, "lrshape", None, mu_b=7.0)
    exact = [
        np.mean(
            [
                np.prod(1 - share + share * ratios_of(rows), 0) @ made.WEIGHTS.numpy()
                for share in SIGNAL_SHARES
            ]
        )
        for rows in members
    ]
    np.testing.assert_allclose(np.exp(found), exact, rtol=1e-4)


@pytest.mark.parametrize("rate", RATES)
def test_largest_likelihood_ratio_agrees_with_a_search(table, members, rate):
    found = hunting.statistic_of(table, "lrmax", None, mu_b=rate)
    exact = [
        max(
            0.0,
            *(
                float(np.log1p(mu / rate * ratios_of(rows)).sum(0).max()) - mu
                for mu in SIGNAL_RATES
            ),
        )
        for rows in members
    ]
    np.testing.assert_allclose(found, exact, atol=1e-4)


@pytest.mark.parametrize("name", ["lr", "lrshape"])
def test_all_data_sets_of_one_event_have_one_likelihood_ratio(name):
    pair = np.array([[1, 0], [0, 1], [30, 30]])
    found = hunting.statistic_of(hunt(Cells(*pair)), name, None, mu_b=0.7)
    assert len(np.unique(found)) == 1


def test_statistics_of_hunts_with_a_setting_are_columns(table):
    assert hunting.column("eco", 0.68) == "eco_0.68"
    assert hunting.column("bump", 11.0) == "bump_11"
    for hunt_name, setting in (("eco", 0.5), ("bump", 11.0)):
        found = hunting.statistic_of(table, hunt_name, setting, mu_b=1.0)
        assert np.array_equal(found, table[hunting.column(hunt_name, setting)])


def test_toys_without_signal():
    cells = plan_cells([1.0], n_min=2, neglect=1e-2)
    table = hunt(cells, None)
    assert set(table["n_signal"]) == {0}
    assert len(table) == cells.n_toys.sum()
    assert np.all(table["eco_0.3"] <= table["n_background"])
    assert np.all(np.isfinite(hunting.statistic_of(table, "lr", None, mu_b=1.0)))


def test_same_seed_same_table(table):
    pd.testing.assert_frame_equal(hunt(), table)
    assert not hunt(seed=4).equals(table)


def test_cells_serve_points_and_map():
    points, grid = [(2, 4), (9, 3)], {"mu_b": [0.5, 4], "mu_s": [0.5, 6]}
    n_toys = {"background": {"n_toys": 100, "n_min": 3}, "signal": {"n_toys": 0, "n_min": 2}}
    alone, both = (hunting.toy_cells(points, grid, n_toys, with_signal=s) for s in (False, True))
    for mu_b, mu_s in [*points, (0.5, 0.5), (4, 6), (0.5, 6)]:
        assert both.neglected(mu_b, mu_s) < 1e-6
        assert alone.neglected(mu_b, 0) < 1e-6
        assert alone.neglected(mu_b + mu_s, 0) < 1e-6  # to test with the total rate
    assert set(both.n_toys) == {2}
    assert set(alone.n_signal) == {0}
    assert alone.n_toys.min() >= 3
    assert alone.n_toys.sum() == pytest.approx(100 + 3 * len(alone.n_toys), rel=0.05)
