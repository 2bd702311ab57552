"""Significances, limits and intervals against closed formulae."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from bumpflow.resonance.fitting import fit
from bumpflow.resonance.inference import (
    Belt,
    asimov,
    discover,
    feldman_cousins,
    q_zero,
    toy_p_value,
    upper_limit,
)
from bumpflow.resonance.likelihood import ResonanceModel
from tests.unit.resonance import world

COUNTING = ResonanceModel(world.UNIT)
PLAIN = ResonanceModel(world.MASSES.background)


def li_ma(n_on, n_off, ratio):
    """Return equation 17 of Li, Ma (1983) for ``ratio`` times the background off source."""
    total = n_on + n_off
    on = n_on * np.log((1 + ratio) * n_on / total)
    off = n_off * np.log((1 + 1 / ratio) * n_off / total)
    return np.sqrt(2 * (on + off))


def test_significance_is_that_of_li_and_ma():
    n_on, n_off = np.array([20.0, 40.0, 130.0]), np.array([28.0, 100.0, 300.0])
    data = world.on_off(n_on, n_off, ratio=3.0)
    assert np.sqrt(q_zero(COUNTING, data)) == pytest.approx(li_ma(n_on, n_off, 3.0), rel=1e-5)
    one = data.rows(torch.tensor([0]))
    found = discover(COUNTING, one, fit(COUNTING, one))
    assert found.z == pytest.approx(li_ma(20, 28, 3.0), rel=1e-5)
    assert found.p0 == pytest.approx(norm.sf(found.z), rel=1e-6)


def test_a_deficit_has_no_significance():
    data = world.on_off([10.0, 30.0], [90.0, 90.0], ratio=3.0)
    assert q_zero(COUNTING, data).tolist() == [0, 0]
    one = data.rows(torch.tensor([0]))
    assert discover(COUNTING, one, fit(COUNTING, one)) == (0, 0.5)


def test_asimov_data_give_back_what_was_injected():
    pools = world.pools(4000, others=True)
    other = world.PEAK.shifted(-6)
    data = asimov(
        pools,
        [70.0, 2000.0],
        layout=world.LAYOUT,
        peak=world.p_signal,
        others=(lambda mass: other.density(mass, world.WINDOW),),
    )
    assert data.totals.tolist() == pytest.approx([2070], rel=1e-5)
    assert data.events.others.shape == (1, 8000, 1)
    assert data.sidebands.others.shape == (len(world.LAYOUT.low), 1)
    # Sampling noise of the pools is far below that of a data set.
    plain = data._replace(
        events=data.events._replace(others=data.events.others[..., :0]),
        sidebands=data.sidebands._replace(others=data.sidebands.others[..., :0]),
    )
    best = fit(PLAIN, plain)
    assert best.signal[0] == pytest.approx(70, abs=4 * best.uncertainty[0] * (500 / 4000) ** 0.5)
    exact = fit(PLAIN, world.exact_data(70.0, 2000.0))
    assert exact.values[0].tolist() == pytest.approx([70, 2000, 1.2], rel=1e-6)
    assert best.uncertainty == pytest.approx(exact.uncertainty, rel=0.05)


BACKGROUND = 1e8
SIGMA = np.sqrt(BACKGROUND + BACKGROUND / 3)
"""Of the signal where the background beside is three times that below it, on average 1e8."""


@pytest.mark.parametrize("place", [-1.5, 0.0, 1.0, 3.0])
def test_limits_of_gaussian_measurements_are_the_closed_formula(place):
    data = world.on_off([BACKGROUND + place * SIGMA], [3 * BACKGROUND], ratio=3.0)
    nothing = world.on_off([BACKGROUND], [3 * BACKGROUND], ratio=3.0)
    found = upper_limit(COUNTING, data, nothing)
    observed = place + norm.ppf(1 - 0.05 * norm.cdf(place))
    bands = np.arange(-2, 3)
    assert found.observed / SIGMA == pytest.approx(observed, abs=3e-3)
    assert found.expected / SIGMA == pytest.approx(
        bands + norm.ppf(1 - 0.05 * norm.cdf(bands)), abs=3e-3
    )


def test_limits_depend_on_the_confidence():
    data = world.on_off([BACKGROUND], [3 * BACKGROUND], ratio=3.0)
    found = upper_limit(COUNTING, data, data, confidence=0.9)
    assert found.observed / SIGMA == pytest.approx(norm.ppf(0.95), abs=3e-3)


def test_limits_of_few_events_are_those_of_toys():
    data = world.on_off([25.0], [60.0], ratio=3.0)
    limit = upper_limit(COUNTING, data, world.on_off([20.0], [60.0], ratio=3.0)).observed
    rng = np.random.default_rng(4)
    held = fit(COUNTING, data, held={"signal": limit})
    null = fit(COUNTING, data, held={"signal": 0.0})

    def statistic(sets):
        free, at = fit(COUNTING, sets), fit(COUNTING, sets, held={"signal": limit})
        zero = fit(COUNTING, sets, held={"signal": 0.0})
        best = torch.where(free.values[:, 0] > 0, free.deviance, zero.deviance)
        q = (at.deviance - best).clamp_min(0).numpy()
        return np.where(free.signal > limit, 0.0, q)

    shares = []
    for signal, b in ((limit, held.values[0, 1].item()), (0.0, null.values[0, 1].item())):
        n = rng.poisson([signal + b / 4, 3 * b / 4], (4000, 2)).T
        q = statistic(world.on_off(n[0], n[1], ratio=3.0))
        shares.append(np.mean(q >= statistic(data)[0]))
    assert shares[0] / shares[1] == pytest.approx(0.05, abs=0.012)


def test_p_values_count_the_data_and_failed_toys():
    toys = np.array([0.0, 1.0, 2.0, 3.0, np.nan])
    assert toy_p_value(2.0, toys).value == pytest.approx(4 / 6)
    assert toy_p_value(9.0, toys).value == pytest.approx(2 / 6)
    p = toy_p_value(0.5, np.arange(999.0))
    assert p.uncertainty == pytest.approx(np.sqrt(p.value * (1 - p.value) / 999))


def belt(statistic, critical):
    s = np.arange(float(len(statistic)))
    return Belt(s, np.array(statistic), np.array(critical), 0 * s)


def test_ends_of_a_belt_are_interpolated():
    parabola = (np.array([0.0, 1.5, 2.5, 3.2, 4.0]) - 2.3) ** 2
    tested = belt(parabola, [0.8**2] * 5)._replace(signal=np.array([0.0, 1.5, 2.5, 3.2, 4.0]))
    low, high = tested.interval()
    assert high == pytest.approx(
        3.1
    )  # between two signals above the best one, the root is straight
    assert low == pytest.approx(1.5, abs=0.05)


def test_a_belt_from_0_on_starts_there():
    assert belt([0.2, 0.0, 2.0], [1.0, 1.0, 1.0]).interval() == pytest.approx((0, 1 + 0.5**0.5))


def test_ends_that_no_tested_signal_bounds_are_none():
    assert belt([3.0, 2.0, 3.0], [1.0] * 3).interval() == (None, None)
    assert belt([2.0, 0.0, 0.5], [1.0] * 3).interval() == (pytest.approx(1 - 0.5**0.5), None)
    above = belt([0.5, 0.0, 2.0], [1.0] * 3)
    assert above._replace(signal=above.signal + 5).interval() == (
        None,
        pytest.approx(6 + 0.5**0.5),
    )


def test_belts_are_those_of_feldman_and_cousins_for_gaussian_measurements():
    b = 1e6
    sigma = np.sqrt(b + b / 3)
    rng = np.random.default_rng(6)

    def draw_toys(signal, n):
        on, off = rng.poisson([signal + b, 3 * b], (n, 2)).T
        return world.on_off(on, off, ratio=3.0)

    signals = sigma * np.array([0.0, 0.5, 0.9, 1.1, 3.0])
    data = world.on_off([b], [3 * b], ratio=3.0)
    found = feldman_cousins(COUNTING, data, draw_toys, signals, n_toys=3000, confidence=0.6827)
    # With no excess the statistic is the square of the signal's distance.
    assert found.statistic == pytest.approx(np.square(signals / sigma), rel=5e-3)
    error = 4 * np.sqrt(0.68 * 0.32 / 3000)
    at_0 = np.square(norm.ppf([0.6827 - error, 0.6827 + error]))
    assert at_0[0] < found.critical[0] < at_0[1]
    far = np.square(norm.ppf(0.5 + np.array([0.6827 - error, 0.6827 + error]) / 2))
    assert far[0] < found.critical[-1] < far[1]
    low, high = found.interval()
    assert low == 0
    assert high / sigma == pytest.approx(1.0, abs=0.1)  # table X of Feldman, Cousins
    assert found.p[-1] == pytest.approx(2 * norm.sf(3), abs=0.005)
