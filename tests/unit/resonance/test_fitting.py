"""Newton's method against Minuit, and intervals against theory."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm

from bumpflow.resonance import fitting
from bumpflow.resonance.fitting import (
    FitFailed,
    crossing,
    curvatures,
    fit,
    fit_minuit,
    interval,
    profile,
)
from bumpflow.resonance.likelihood import Constraints, ResonanceModel
from tests.unit.resonance import world

FULL = {"members": world.MEMBERS, "systematics": [world.SCALE], "others": True}
PLAIN = ResonanceModel(world.MASSES.background)
MODEL = ResonanceModel(
    world.MASSES.background,
    n_spread=3,
    n_systematics=1,
    constraints=Constraints(1.0, ((0.0, 10.0),)),
)


@pytest.fixture(scope="module")
def data():
    return world.toys(4, 90.0, 2000.0, **FULL)


@pytest.fixture(scope="module")
def found(data):
    return fit(MODEL, data)


def one(data, index):
    return data.rows(torch.tensor([index]))


def test_fits_are_those_of_minuit(data, found):
    assert found.good.all()
    for index in range(data.n_sets):
        minuit = fit_minuit(MODEL, one(data, index))
        assert minuit.valid
        errors = np.array(minuit.errors)
        assert minuit.fval == pytest.approx(found.deviance[index].item(), abs=1e-3)
        assert (found.values[index].numpy() - np.array(minuit.values)) / errors == pytest.approx(
            np.zeros(len(errors)), abs=0.02
        )
        # Minuit's curvature is the whole one, which differs in a finite sample.
        own = found.covariance[index].diagonal().sqrt().numpy()
        assert own == pytest.approx(errors, rel=0.12)


def test_errors_are_those_of_minuit_where_data_are_as_expected():
    single = world.exact_data(90.0, 2000.0, **FULL)
    best = fit(MODEL, single)
    minuit = fit_minuit(MODEL, single, start=best.values)
    assert best.values[0].numpy() == pytest.approx([90, 2000, 1.2, 0, 0, 0, 0, 0], abs=1e-3)
    errors = best.covariance[0].diagonal().sqrt().numpy()
    assert errors == pytest.approx(np.array(minuit.errors), rel=2e-3)
    assert best.uncertainty == pytest.approx(errors[:1])


def test_errors_are_those_of_the_information_of_exact_densities():
    x, mass, area = world.plane()
    beside, dm = (
        np.concatenate(part)
        for part in zip(*(world.nodes(*side, 60) for side in world.SIDES), strict=True)
    )
    u = (np.concatenate([mass, beside]) - 90) / 90
    mean_u = 1 / 1.2 - 1 / np.expm1(1.2)
    q_s, q_b = norm.pdf(x, 1.5), norm.pdf(x)
    signal = np.concatenate([world.p_signal(mass) * q_s, world.p_signal(beside)])
    background = np.concatenate([world.p_background(mass) * q_b, world.p_background(beside)])
    slopes = np.stack([signal, background, 2000 * background * (mean_u - u)])
    density = 90 * signal + 2000 * background
    information = (slopes * np.concatenate([area, dm]) / density) @ slopes.T
    best = fit(PLAIN, world.exact_data(90.0, 2000.0))
    covariance = best.covariance[0].numpy()
    assert covariance == pytest.approx(np.linalg.inv(information), rel=1e-4)


def test_interval_ends_where_minus_2_ln_l_rises_by_1_and_not_by_a_half():
    single = world.exact_data(9e4, 2e6)
    best = fit(PLAIN, single)
    sigma = best.uncertainty[0]
    low, high = interval(PLAIN, single, best)
    assert (high - best.signal[0]) / sigma == pytest.approx(1, abs=5e-3)
    assert (best.signal[0] - low) / sigma == pytest.approx(1, abs=5e-3)
    rise = profile(PLAIN, single, [low, high], start=best.values) - best.deviance.item()
    assert rise == pytest.approx([1, 1], abs=1e-3)
    wide = interval(PLAIN, single, best, level=0.9545)
    assert np.subtract(*wide) / np.subtract(low, high) == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize("index", range(3))
def test_intervals_are_those_of_minos(data, index):
    single = one(data, index)
    best = fit(MODEL, single)
    minuit = fit_minuit(MODEL, single, start=best.values)
    minuit.tol = 1e-3
    minuit.migrad()
    minuit.minos("signal")
    errors = minuit.merrors["signal"]
    ends = best.signal[0] + np.array([errors.lower, errors.upper])
    found_ends = interval(MODEL, single, best)
    assert found_ends == pytest.approx(tuple(ends), abs=2e-3 * best.uncertainty[0])


def test_held_parameters_stay_where_they_are(data):
    signal = np.array([0.0, 50.0, 90.0, 120.0])
    fits = fit(MODEL, data, held={"signal": signal, "spread2": 0.5})
    assert fits.good.all()
    assert fits.signal.tolist() == signal.tolist()
    place = MODEL.names.index("spread2")
    assert (fits.values[:, place] == 0.5).all()
    for index in (0, place):
        assert (fits.covariance[:, index] == 0).all()
        assert (fits.covariance[:, :, index] == 0).all()
    gradient = MODEL.expand(fits.values, data).gradient
    free = [index for index in range(MODEL.n_parameters) if index not in (0, place)]
    scale = fits.covariance.diagonal(dim1=1, dim2=2).sqrt()
    assert (gradient * scale)[:, free].abs().max() < 1e-3


def test_parameters_that_nothing_lets_vary_are_held(data):
    fixed = replace(MODEL, constraints=Constraints(0.0, ((7.0, 0.0),)))
    fits = fit(fixed, data)
    assert (fits.values[:, 3:6] == 0).all()
    assert (fits.values[:, 7] == 7).all()
    assert (fits.covariance[:, [3, 7]] == 0).all()
    gradient = fixed.expand(fits.values, data).gradient
    scale = fits.covariance.diagonal(dim1=1, dim2=2).sqrt()
    assert (gradient * scale)[:, [0, 1, 2, 6]].abs().max() < 1e-3
    moved = fit(fixed, data, held={"spread2": 1.0})
    assert (moved.values[:, 4] == 1).all()
    assert not torch.equal(moved.values[:, 0], fits.values[:, 0])
    minuit = fit_minuit(fixed, one(data, 0))
    assert minuit.values["signal"] == pytest.approx(fits.signal[0], abs=0.02 * fits.uncertainty[0])


def test_the_profile_is_lowest_at_the_fit(data):
    best = fit(MODEL, one(data, 0))
    s = best.signal[0] + best.uncertainty[0] * np.array([-1.0, 0.0, 1.0])
    curve = profile(MODEL, one(data, 0), s)
    assert curve[1] == pytest.approx(best.deviance.item(), abs=1e-6)
    assert np.all(curve[[0, 2]] - curve[1] > 0.5)


def test_unknown_parameters_cannot_be_held(data):
    with pytest.raises(ValueError, match=r"no parameter 'sgnal' to hold: there are signal, back"):
        fit(MODEL, data, held={"sgnal": 0.0})


def test_a_fit_that_fails_is_nan_and_leaves_the_others_alone(data, found, caplog):
    signal = data.events.signal.clone()
    signal[1, 0] = torch.nan
    fits = fit(MODEL, data._replace(events=data.events._replace(signal=signal)))
    assert fits.good.tolist() == [True, False, True, True]
    for part in (fits.values, fits.deviance, fits.covariance):
        assert part[1].isnan().all()
    torch.testing.assert_close(fits.values[fits.good], found.values[fits.good])
    assert "1 of 4 fits failed" in caplog.text


@pytest.mark.parametrize("spread", [1.0, 0.0])
def test_a_fit_that_does_not_converge_in_time_is_nan(data, monkeypatch, spread):
    monkeypatch.setattr(fitting, "MAX_STEPS", 2)
    fits = fit(replace(MODEL, constraints=Constraints(spread, ((0.0, 10.0),))), data)
    assert not fits.good.any()
    for part in fits[:3]:
        assert part.isnan().all()


def test_small_blocks_of_memory_change_nothing(data, found, monkeypatch):
    curvature = curvatures(MODEL, data, found.values)
    monkeypatch.setattr(fitting, "BLOCK_ELEMENTS", 1)
    again = fit(MODEL, data)
    for a, b in zip(again, found, strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(curvatures(MODEL, data, found.values), curvature)


def test_crossings_are_found_from_any_guess():
    for first in (0.01, 1.0, 50.0):
        assert crossing(lambda s: (s - 3) ** 2 - 4, 3.0, first) == pytest.approx(5, abs=1e-3)
        assert crossing(lambda s: (s - 3) ** 2 - 4, 3.0, -first) == pytest.approx(1, abs=1e-3)


def test_values_that_are_not_finite_are_beyond_the_crossing():
    def ends(s):
        return np.where(s < 4, s - 5, np.nan)

    assert crossing(ends, 0.0, 1.0) == pytest.approx(4, abs=1e-3)


def test_a_likelihood_that_does_not_rise_has_no_interval():
    with pytest.raises(FitFailed, match="does not rise as it should from 3 signal events"):
        crossing(lambda s: -np.ones_like(s), 3.0, 1.0)
