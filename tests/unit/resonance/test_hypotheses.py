"""Tests of a data set and the pools behind them, in a world whose densities are known exactly."""

import numpy as np
import pytest
import torch

from bumpflow.resonance.hypotheses import Hypotheses
from bumpflow.resonance.pools import draw_component, mass_density, norms_of
from bumpflow.resonance.scoring import data_set
from bumpflow.resonance.store import Measurement
from tests.unit.resonance import world

SETTINGS = {
    "confidence": 0.95,
    "belt_confidence": 0.683,
    "n_signals": 7,
    "n_toys": 60,
    "scan_gev": {"low": 119.0, "high": 131.0, "step": 3.0},
    "scan_toys": 40,
    "pool_size": 4000,
}
TRUE_SIGNAL = 120
MEASUREMENT = Measurement(
    world.densities(systematics=[world.SCALE]), world.MASSES, np.array([world.THETA]), ()
)


@pytest.fixture(scope="module")
def tested():
    """Return hypotheses about data with a signal, their belt, scan and record."""
    events = world.draw(4000, TRUE_SIGNAL, 11)
    data = data_set(*events, MEASUREMENT.densities, world.REGION)
    hypotheses = Hypotheses(MEASUREMENT, data, events, SETTINGS, seed=1)
    belt, scan = hypotheses.belt(), hypotheses.scan()
    return hypotheses, belt, scan, hypotheses.record(belt, scan)


def test_the_signal_is_significant_and_below_its_limit(tested):
    record = tested[3]
    signal = record["signal"]
    width = (signal["high"] - signal["low"]) / 2
    assert signal["signal"] == pytest.approx(TRUE_SIGNAL, abs=3 * width)
    assert record["z0"] > 5
    assert record["asimov_z"] == pytest.approx(record["z0"], rel=0.15)
    assert record["limit"] > signal["high"]
    assert np.all(np.diff(record["expected_limits"]) > 0)
    assert record["expected_limits"][2] < signal["low"]


def test_toys_accept_what_the_likelihood_does(tested):
    record = tested[3]
    width = record["signal"]["high"] - record["signal"]["low"]
    for end in ("low", "high"):
        assert record["belt"][end] == pytest.approx(record["signal"][end], abs=0.35 * width)


def test_the_scan_finds_the_mass_and_chance_does_not(tested):
    _, _, scan, record = tested
    assert scan.mass == pytest.approx([119, 122, 125, 128, 131])
    assert record["scan"]["mass_gev"] == 125
    assert record["scan"]["z"] == pytest.approx(record["z0"], rel=0.02)
    assert record["scan"]["global_p"] == pytest.approx(1 / (SETTINGS["scan_toys"] + 1))
    assert np.isfinite(scan.toys).all()


def test_tables_hold_what_was_tested(tested):
    hypotheses, belt, scan, _ = tested
    assert len(hypotheses.belt_table(belt)) == SETTINGS["n_signals"]
    assert hypotheses.scan_table(scan)["z"].tolist() == scan.z.tolist()
    assert len(hypotheses.scan_toys_table(scan)) == SETTINGS["scan_toys"]


@pytest.mark.parametrize("kind", ["signal", "background"])
def test_components_are_drawn_in_the_signal_region(kind):
    x, mass = draw_component(
        MEASUREMENT, kind, 5000, theta=MEASUREMENT.theta, generator=world.seeded(3)
    )
    assert world.REGION.holds(mass.numpy()).all()
    mean = 1.5 if kind == "signal" else 0.0
    assert x.mean().item() == pytest.approx(mean, abs=5 / 5000**0.5)
    grid = np.linspace(*world.REGION, 2001)
    density = mass_density(MEASUREMENT, kind, MEASUREMENT.theta)(grid)
    expected = np.sum(grid * density) / np.sum(density)
    assert mass.mean().item() == pytest.approx(expected, abs=5 * 6 / 5000**0.5)


def test_means_of_weights_are_1_without_variation():
    norms = norms_of(MEASUREMENT, 2000, world.seeded(5))
    mean, slope = norms.at(torch.zeros(1, 1, dtype=torch.float64))
    torch.testing.assert_close(mean, torch.ones_like(mean))
    assert slope.abs().max() < 0.05
