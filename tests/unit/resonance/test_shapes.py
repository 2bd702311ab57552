import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import crystalball, kstest, norm, truncexpon

from bumpflow.resonance.shapes import (
    SERIES,
    BackgroundShape,
    DoubleCrystalBall,
    Window,
    draw_masses,
    expected_counts,
)

WINDOW = Window(90.0, 180.0)
PEAK = DoubleCrystalBall(125.0, 1.4, 1.6, 3.0, 1.7, 1.9, 6.0)
THETAS = {1: [1.7], 2: [1.2, -0.8], 3: [0.4, 1.1, -0.6], 4: [2.0, -3.0, 1.0, 0.5]}


def textbook(m, peak):
    """Return the piecewise formula, with a maximum of 1."""
    below = m < peak.location
    scale = peak.scale_left if below else peak.scale_right
    beta = peak.beta_left if below else peak.beta_right
    n = peak.power_left if below else peak.power_right
    t = abs(m - peak.location) / scale
    if t < beta:
        return math.exp(-(t**2) / 2)
    return (n / beta) ** n * math.exp(-(beta**2) / 2) * (n / beta - beta + t) ** -n


@pytest.mark.parametrize(
    "window", [WINDOW, Window(115, 135), Window(110, 125), Window(90, 118), Window(127, 180)]
)
def test_peak_is_the_textbook_formula_over_its_integral(window):
    points = [end for end in (122.76, 125.0, 128.23) if window.low < end < window.high]
    integral, _ = quad(textbook, *window, args=(PEAK,), points=points or None, epsabs=1e-12)
    masses = np.linspace(*window, 41)
    expected = [textbook(m, PEAK) / integral for m in masses]
    assert PEAK.density(masses, window) == pytest.approx(expected, rel=1e-9)


def test_peak_has_no_density_outside_its_window():
    assert np.all(PEAK.density([114.9, 135.1], Window(115, 135)) == 0)


@pytest.mark.parametrize("power", [1.0, 1.01, 2.0])
def test_peak_of_any_exponent_integrates_to_1(power):
    peak = PEAK._replace(power_left=power)
    integral, _ = quad(lambda m: peak.density(m, WINDOW), *WINDOW, points=[122.76, 125, 128.23])
    assert integral == pytest.approx(1, abs=1e-7)


def test_peak_without_tails_is_a_gaussian():
    peak = DoubleCrystalBall(125.0, 1.5, 50.0, 5.0, 1.5, 50.0, 5.0)
    masses = np.linspace(119, 131, 25)
    assert peak.density(masses, WINDOW) == pytest.approx(norm.pdf(masses, 125, 1.5), rel=1e-12)


def test_lower_half_has_the_shape_of_scipys_crystal_ball():
    masses = np.linspace(95, 125, 61)[:-1]
    ratio = PEAK.density(masses, WINDOW) / crystalball.pdf(masses, 1.6, 3.0, loc=125, scale=1.4)
    assert ratio == pytest.approx(np.full(60, ratio[0]), rel=1e-9)


def test_a_shifted_peak_is_the_same_elsewhere():
    wide = Window(-1e4, 1e4)
    masses = np.linspace(115, 135, 21)
    shifted = PEAK.shifted(2.5).density(masses + 2.5, wide)
    assert shifted == pytest.approx(PEAK.density(masses, wide), rel=1e-9)


@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_background_integrates_to_1(series, order):
    shape = BackgroundShape(series, order, WINDOW)
    integral, _ = quad(lambda m: shape.at([m], THETAS[order])[0], *WINDOW, epsabs=1e-12)
    assert integral == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize(
    ("series", "function"),
    [
        ("exponential", lambda m: np.exp(-1.7 * (m - 90) / 90)),
        ("power", lambda m: m**-1.7),
        ("inverse", lambda m: np.exp(1.7 * 90 / m)),
    ],
)
def test_background_of_order_1_is_the_function_it_is_named_after(series, function):
    masses = np.linspace(90, 180, 19)
    expected = function(masses) / quad(function, *WINDOW)[0]
    found = BackgroundShape(series, 1, WINDOW).at(masses, [1.7])
    assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("series", SERIES)
def test_background_of_order_0_is_uniform(series):
    found = BackgroundShape(series, 0, WINDOW).at([90, 100, 179, 181], [])
    assert found == pytest.approx([1 / 90, 1 / 90, 1 / 90, 0])


@pytest.mark.parametrize("series", SERIES)
def test_slopes_of_backgrounds_are_finite_differences(series):
    shape = BackgroundShape(series, 3, WINDOW)
    powers = shape.powers(torch.linspace(90, 180, 7, dtype=torch.float64))[None]
    theta = torch.tensor([THETAS[3]], dtype=torch.float64)
    slopes = shape.density(powers, theta)[1][0]
    for index in range(3):
        step = torch.zeros_like(theta)
        step[0, index] = 1e-5
        up, down = (shape.density(powers, theta + sign * step)[0].log() for sign in (1, -1))
        difference = ((up - down) / 2e-5)[0]
        assert slopes[:, index].numpy() == pytest.approx(difference.numpy(), abs=1e-8)


def test_many_backgrounds_at_once_are_as_one_by_one():
    shape = BackgroundShape("power", 2, WINDOW)
    masses = np.linspace(91, 179, 5)
    powers = shape.powers(torch.as_tensor(masses))[None]
    thetas = torch.tensor([[1.0, 0.5], [-2.0, 3.0]], dtype=torch.float64)
    densities, slopes = shape.density(powers, thetas)
    assert slopes.shape == (2, 5, 2)
    for density, theta in zip(densities, thetas, strict=True):
        assert density.numpy() == pytest.approx(shape.at(masses, theta), rel=1e-12)


@pytest.mark.parametrize(("series", "order"), [("laurent", 1), ("power", 5), ("power", -1)])
def test_unknown_backgrounds_are_named(series, order):
    message = f"no background '{series}' of order {order}: take one of exponential, power, inverse"
    with pytest.raises(ValueError, match=message):
        BackgroundShape(series, order, WINDOW)


def test_a_window_holds_its_lower_end_only():
    assert WINDOW.holds(np.array([89.9, 90, 179.9, 180])).tolist() == [False, True, True, False]


def test_drawn_masses_follow_the_density():
    generator = torch.Generator().manual_seed(4)
    shape = BackgroundShape("exponential", 1, WINDOW)
    drawn = draw_masses(lambda m: 7 * shape.at(m, [2.5]), WINDOW, 4000, generator).numpy()
    assert kstest(drawn, truncexpon(2.5, loc=90, scale=36).cdf).pvalue > 1e-3


def test_drawn_masses_stay_in_part_of_the_window():
    generator = torch.Generator().manual_seed(4)
    drawn = draw_masses(lambda m: PEAK.density(m, WINDOW), Window(120, 124), 500, generator)
    assert 120 <= drawn.min() < 121.5
    assert 123.5 < drawn.max() <= 124


def test_expected_counts_are_integrals():
    edges = np.linspace(120, 130, 101)
    found = expected_counts(lambda m: PEAK.density(m, WINDOW), edges)
    exact = [quad(lambda m: PEAK.density(m, WINDOW), *ends)[0] for ends in pairwise(edges)]
    assert found == pytest.approx(exact, rel=1e-4)
