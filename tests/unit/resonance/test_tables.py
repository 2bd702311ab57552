"""Tables of fits, in a world whose densities are known exactly."""

import numpy as np
import pytest
import torch

from bumpflow.resonance.background_fits import compare_backgrounds
from bumpflow.resonance.store import Measurement
from bumpflow.resonance.tables import (
    Fitter,
    curve_table,
    fit_table,
    parameter_table,
    profile_families,
)
from bumpflow.resonance.timing import time_fit
from tests.unit.resonance import world

METHODS = ["statistical", "shift", "systematics", "families", "envelope"]
TRUE_SIGNAL, N_BACKGROUND = 150, 4000


@pytest.fixture(scope="module")
def fitter():
    """Return a data set with three bootstraps and a systematic, ready to fit."""
    keywords = {"members": world.MEMBERS, "systematics": [world.SCALE]}
    data = world.drawn_data(N_BACKGROUND, TRUE_SIGNAL, 4, **keywords)
    mass = np.concatenate([data.events.mass[0], data.sidebands.mass[0]])
    families = compare_backgrounds(mass, world.WINDOW, world.PEAK, max_order=2)
    measurement = Measurement(
        world.densities(**keywords), world.MASSES, np.array([world.THETA]), ()
    )
    return Fitter(data, measurement, families=families)


@pytest.fixture(scope="module")
def fits(fitter):
    return fit_table(fitter, METHODS).set_index("method")


def test_every_method_finds_the_signal(fits):
    expected = [*METHODS[:-1], "envelope", *(f"member{k}" for k in range(len(world.MEMBERS)))]
    assert list(fits.index) == expected
    assert ((fits["signal"] - TRUE_SIGNAL).abs() < 4 * fits["uncertainty"]).all()
    assert (fits["low"] < fits["signal"]).all()
    assert (fits["high"] > fits["signal"]).all()


def test_uncertain_densities_widen_intervals_and_lower_significances(fits):
    width, z = fits["uncertainty"], fits["z"]
    assert width["statistical"] < width["shift"] < width["envelope"]
    ratio = width["statistical"] / width["shift"]
    assert z["shift"] / z["statistical"] == pytest.approx(ratio, rel=0.02)


def test_one_shape_profiled_is_that_shape(fitter, fits):
    families = fitter.families
    one = families[(families["series"] == "exponential") & (families["order"] == 1)]
    alone = Fitter(fitter.data, fitter.measurement, families=one)
    found = profile_families(alone)
    statistical = fits.loc["statistical"]
    assert found.signal == pytest.approx(statistical["signal"], abs=0.02 * found.uncertainty)
    assert found.low == pytest.approx(statistical["low"], abs=0.02 * found.uncertainty)
    assert found.high == pytest.approx(statistical["high"], abs=0.02 * found.uncertainty)


def test_shapes_to_profile_are_asked_for(fitter):
    with pytest.raises(ValueError, match="pass `families`"):
        profile_families(Fitter(fitter.data, fitter.measurement))


def test_a_method_whose_fit_fails_has_no_numbers(fitter, caplog):
    broken = fitter.data._replace(weight=torch.full_like(fitter.data.weight, torch.nan))
    found = fit_table(Fitter(broken, fitter.measurement), ["statistical"])
    assert found["signal"].isna().all()
    assert "did not converge" in caplog.text


def test_curves_rise_by_1_at_the_ends_of_intervals(fitter, fits):
    curves = curve_table(fitter, [*METHODS[:3], "envelope"], n_points=41)
    for method, curve in curves.groupby("method"):
        signal, rise = curve["signal"].to_numpy(), curve["rise"].to_numpy()
        above = signal > fits.loc[method, "signal"]
        end = np.interp(1, rise[above], signal[above])
        assert end == pytest.approx(fits.loc[method, "high"], abs=0.05 * fits.loc[method, "high"])
        assert rise.min() > -1e-6


def test_minuit_agrees_on_every_parameter(fitter):
    table = parameter_table(fitter, "systematics")
    free = table[table["error"] > 0]
    assert table["minuit_valid"].all()
    assert set(free["parameter"]) == {"signal", "background", "shape1", "systematic1"}
    difference = (free["value"] - free["minuit_value"]).abs() / free["error"]
    assert (difference < 0.01).all()
    assert free["minuit_error"].to_numpy() == pytest.approx(free["error"], rel=0.05)


def test_fits_are_timed(fitter):
    found = time_fit(fitter, "shift")
    assert found["n_events"] == N_BACKGROUND + TRUE_SIGNAL
    assert 0 < found["seconds"] < 10
