"""Uncertainties of the densities, by brute force."""

import numpy as np
import pytest
import torch
from scipy.stats import norm
from scipy.stats import t as student

from bumpflow.resonance.fitting import fit, interval
from bumpflow.resonance.methods import (
    METHODS,
    Method,
    Result,
    envelope,
    measure,
    member,
    prepare,
    signal_spread,
)
from bumpflow.resonance.scoring import data_set
from tests.unit.resonance import world

SHAPE = world.MASSES.background
FULL = {"members": world.MEMBERS, "systematics": [world.SCALE]}
STUDENT = student.ppf(norm.cdf(1), df=2)


@pytest.fixture(scope="module")
def exact():
    return world.exact_data(80.0, 2000.0, **FULL)


@pytest.fixture(scope="module")
def drawn():
    return world.drawn_data(2000, 80, seed=5, **FULL)


def test_methods_keep_what_they_use(exact):
    kept = {name: prepare(method, exact, SHAPE) for name, method in METHODS.items()}
    sizes = {
        name: (model.n_spread, model.n_systematics, data.measured.shape[1], len(model.held()))
        for name, (model, data) in kept.items()
    }
    assert sizes == {
        "statistical": (0, 0, 0, 0),
        "shift": (3, 0, 0, 3),
        "spread": (3, 0, 0, 0),
        "mixture": (3, 0, 0, 0),
        "systematics": (3, 1, 1, 3),
    }
    model, data = prepare(Method(), exact, SHAPE, others=((3.0, 1.0),))
    assert model.names[-1] == "other1"
    assert data.events.up.shape[-1] == 0


def test_spread_is_that_of_refits_with_each_direction_at_1(exact):
    model, data = prepare(METHODS["shift"], exact, SHAPE)
    best = fit(model, data)
    moves = []
    for name in ("spread1", "spread2", "spread3"):
        ends = [fit(model, data, held={name: sign}).signal[0] for sign in (1.0, -1.0)]
        moves.append((ends[0] - ends[1]) / 2)
    assert np.abs(moves).max() > 0.2 * best.uncertainty[0]
    expected = STUDENT * np.sqrt(np.sum(np.square(moves)))
    assert signal_spread(model, data, best)[0] == pytest.approx(expected, rel=0.02)


def test_spread_is_the_standard_deviation_of_what_the_bootstraps_give(exact):
    model, data = prepare(METHODS["shift"], exact, SHAPE)
    plain, _ = prepare(METHODS["statistical"], exact, SHAPE)
    signals = [fit(plain, member(data, index)).signal[0] for index in range(3)]
    expected = STUDENT * np.std(signals, ddof=1)
    assert signal_spread(model, data, fit(model, data))[0] == pytest.approx(expected, rel=0.1)


def test_without_held_directions_there_is_no_spread(exact):
    for name in ("statistical", "spread", "mixture"):
        model, data = prepare(METHODS[name], exact, SHAPE)
        assert signal_spread(model, data, fit(model, data)).tolist() == [0]


def test_fitted_directions_widen_the_uncertainty(exact):
    widths = {}
    for name in METHODS:
        model, data = prepare(METHODS[name], exact, SHAPE)
        widths[name] = fit(model, data).uncertainty[0]
    assert widths["statistical"] == pytest.approx(widths["shift"], rel=1e-6)
    assert widths["statistical"] < widths["spread"] < widths["mixture"]


def test_measurements_add_the_spread_in_quadrature(drawn):
    model, data = prepare(METHODS["shift"], drawn, SHAPE)
    best = fit(model, data)
    low, high = interval(model, data, best)
    width = signal_spread(model, data, best)[0]
    result, again = measure(model, data)
    assert again.signal == pytest.approx(best.signal)
    assert result.signal == pytest.approx(best.signal[0])
    assert result.signal - result.low == pytest.approx(np.hypot(result.signal - low, width))
    assert result.high - result.signal == pytest.approx(np.hypot(high - result.signal, width))
    assert width > 0


def test_results_widen_in_quadrature_on_each_side():
    widened = Result(10.0, 7.0, 14.0).widened(4.0)
    assert widened == pytest.approx((10, 5, 10 + np.sqrt(32)))
    assert Result(10.0, 7.0, 14.0).uncertainty == 3.5


@pytest.mark.parametrize("index", range(3))
def test_a_member_is_the_data_set_of_its_density_alone(index):
    x, mass = world.draw(500, 50, seed=2)
    every, alone = (
        data_set(x, mass, world.densities(members=means, others=True), world.REGION)
        for means in (world.MEMBERS, world.MEMBERS[index : index + 1])
    )
    found = member(every, index)
    torch.testing.assert_close(found.events.signal, alone.events.signal)
    torch.testing.assert_close(found.events.others, alone.events.others)
    assert found.events.spread.shape[-1] == 0


def test_the_envelope_is_equation_3_2(drawn):
    plain, _ = prepare(METHODS["statistical"], drawn, SHAPE)
    _, data = prepare(METHODS["spread"], drawn, SHAPE)
    found = envelope(plain, data, 3)
    singles = [measure(plain, member(data, index))[0] for index in range(3)]
    assert [one.signal for one in found.members] == pytest.approx([one.signal for one in singles])
    s = np.linspace(found.result.low - 5, found.result.high + 5, 41)
    curves = found.curve(s)
    for index in range(3):
        part = member(data, index)
        best = fit(plain, part)
        at = fit(plain, part.repeated(len(s)), held={"signal": s})
        rise = (at.deviance - best.deviance).numpy()
        assert curves[index] == pytest.approx(rise, abs=1e-5)
    lowest = found.curve(np.array([found.result.low, found.result.high])).min(0)
    assert lowest == pytest.approx([1, 1], abs=2e-3)
    outside = (s < found.result.low) | (s > found.result.high)
    assert (curves.min(0)[outside] > 1).all()
    assert found.result.signal == pytest.approx(np.mean([one.signal for one in singles]))
