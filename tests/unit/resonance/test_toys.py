"""Pseudo-experiments in a world of known densities."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from bumpflow.resonance.likelihood import ResonanceModel
from bumpflow.resonance.shapes import Window
from bumpflow.resonance.toys import Layout, draw_toys, fit_toys, share_of, sideband_bins
from tests.unit.resonance import world

N_TOYS = 300


def test_bins_fill_both_sides():
    layout = Layout.beside(Window(0, 10), Window(4, 7), width=1.1)
    assert layout.low == pytest.approx([0, 1, 2, 3, 7, 8, 9])
    assert layout.high == pytest.approx([1, 2, 3, 4, 8, 9, 10])
    assert layout.centres == pytest.approx([0.5, 1.5, 2.5, 3.5, 7.5, 8.5, 9.5])


def test_a_side_narrower_than_a_bin_is_one_bin():
    layout = Layout.beside(Window(0, 10), Window(0.2, 9), width=1.0)
    assert layout.low == pytest.approx([0, 9])


def test_masses_are_counted_where_they_lie():
    layout = Layout.beside(Window(0, 10), Window(4, 7), width=1.0)
    mass = np.array([-0.1, 0.0, 0.9, 1.0, 3.99, 4.0, 5.5, 6.9, 7.0, 9.99, 10.0])
    assert layout.counts(mass).tolist() == [2, 1, 0, 1, 1, 0, 1]


def test_shares_of_bins_and_of_the_signal_region_are_everything():
    for density in (world.p_background, world.p_signal):
        shares = world.LAYOUT.shares(density)
        assert shares.sum() + share_of(density, world.REGION) == pytest.approx(1, abs=1e-6)
        inside, _ = quad(density, *world.REGION)
        assert share_of(density, world.REGION) == pytest.approx(inside, rel=1e-8)
    third, _ = quad(world.p_background, world.LAYOUT.low[2], world.LAYOUT.high[2])
    assert world.LAYOUT.shares(world.p_background)[2] == pytest.approx(third, rel=1e-8)


@pytest.fixture(scope="module")
def pools():
    return world.pools(8000)


def draw(pools, yields, n_toys, *, seed=2, **keywords):
    return draw_toys(
        pools,
        yields,
        n_toys,
        layout=world.LAYOUT,
        peak=world.p_signal,
        generator=world.seeded(seed),
        **keywords,
    )


def test_numbers_of_events_are_poisson_with_the_expected_means(pools):
    toys = draw(pools, [60.0, 300.0], N_TOYS)
    shares = [share_of(density, world.REGION) for density in (world.p_signal, world.p_background)]
    expected = 60 * shares[0] + 300 * shares[1]
    counts = toys.weight.sum(1).numpy()
    assert counts.mean() == pytest.approx(expected, abs=4 * np.sqrt(expected / N_TOYS))
    assert counts.var() == pytest.approx(expected, rel=4 * np.sqrt(2 / N_TOYS))
    beside = toys.sidebands.weight
    mean = 60 * world.LAYOUT.shares(world.p_signal) + 300 * world.LAYOUT.shares(world.p_background)
    pulls = (beside.mean(0).numpy() - mean) / np.sqrt(mean / N_TOYS)
    assert np.abs(pulls).max() < 5
    assert pulls.std() == pytest.approx(1, abs=4 / np.sqrt(2 * len(pulls)))
    totals = beside.sum(1).numpy()
    assert totals.var() == pytest.approx(mean.sum(), rel=4 * np.sqrt(2 / N_TOYS))


def test_events_come_from_the_pools_in_their_proportions(pools):
    toys = draw(pools, [60.0, 300.0], N_TOYS)
    used = toys.events.mass[toys.weight > 0]
    from_signal = torch.isin(used, pools[0].events.mass)
    assert (from_signal | torch.isin(used, pools[1].events.mass)).all()
    expected = N_TOYS * 60 * pools[0].share
    assert from_signal.sum() == pytest.approx(expected, abs=4 * np.sqrt(expected))
    assert used[from_signal].unique().numel() < from_signal.sum()  # some are in several toys


def test_without_replacement_no_event_is_drawn_twice(pools):
    toys = draw(pools, [40.0, 100.0], 50, replace=False)
    used = toys.events.signal[toys.weight > 0]
    assert used.numel() > 2000
    assert used.unique().numel() == used.numel()
    from_signal = torch.isin(used, pools[0].events.signal)
    assert from_signal.sum() == pytest.approx(50 * 40 * pools[0].share, abs=4 * np.sqrt(2000))


def test_pools_that_are_too_small_are_named(pools):
    with pytest.raises(ValueError, match=r"100 toys need \d+ events of component 1, but its pool"):
        draw(pools, [1.0, 1000.0], 100, replace=False)


def test_toys_may_be_empty(pools):
    toys = draw(pools, [0.0, 0.0], 3)
    assert toys.totals.tolist() == [0, 0, 0]


def test_bins_hold_the_mean_density_of_each_component():
    counts = torch.ones(1, len(world.LAYOUT.low), dtype=torch.float64)
    other = world.PEAK.shifted(-6.0)
    side = sideband_bins(
        world.LAYOUT,
        counts,
        peak=world.p_signal,
        others=(lambda mass: other.density(mass, world.WINDOW),),
    )
    last = int(np.flatnonzero(world.LAYOUT.high == world.REGION.low)[0])
    for found, peak in ((side.signal[last], world.PEAK), (side.others[last, 0], other)):
        area, _ = quad(lambda m, p=peak: p.density(m, world.WINDOW), 114.75, 115)
        assert found.item() == pytest.approx(area / 0.25, rel=1e-5)
    assert side.mass.tolist() == world.LAYOUT.centres.tolist()


def test_pulls_are_standard_and_intervals_cover(pools):
    toys = draw(pools, [60.0, 600.0], N_TOYS, seed=5)
    found = fit_toys(ResonanceModel(world.MASSES.background), toys, signal=60.0)
    assert np.isfinite(found.pull).all()
    assert found.pull.mean() == pytest.approx(0, abs=4 / np.sqrt(N_TOYS))
    assert found.pull.std() == pytest.approx(1, abs=4 / np.sqrt(2 * N_TOYS))
    covered = np.mean(found.distance < 1)
    assert covered == pytest.approx(0.6827, abs=4 * np.sqrt(0.68 * 0.32 / N_TOYS))
