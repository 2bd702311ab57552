"""Families of falling backgrounds."""

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from bumpflow.hunts import families
from bumpflow.hunts.families import PAPER, RANDOM, stretched
from tests.unit.hunts.drawn import seeded

N = 40


def levels(seed, *, low=10.0, high=1e5):
    """Return random first and last levels, the first larger."""
    u = torch.rand(N, 2, generator=seeded(seed), dtype=torch.float64)
    drawn = low * (high / low) ** u
    return drawn.amax(1, keepdim=True) * 1.001, drawn.amin(1, keepdim=True)


def centers(n_bins):
    return (torch.arange(n_bins, dtype=torch.float64) + 0.5).expand(N, -1)


def falls_between(curve, first, last):
    torch.testing.assert_close(curve[:, :1], first, rtol=1e-9, atol=0)
    torch.testing.assert_close(curve[:, -1:], last, rtol=1e-9, atol=0)
    return bool((curve.diff(dim=1) < 0).all())


@pytest.mark.parametrize("n_bins", [30, 100])
@pytest.mark.parametrize("name", sorted(PAPER))
def test_family_falls_from_one_level_to_the_other(name, n_bins):
    first, last = levels(1)
    assert falls_between(PAPER[name](centers(n_bins), first, last), first, last)


@pytest.mark.parametrize("n_bins", [30, 100])
@pytest.mark.parametrize("name", sorted(RANDOM))
def test_random_family_falls_from_one_level_to_the_other(name, n_bins):
    first, last = levels(2)
    curve = RANDOM[name](centers(n_bins), first, last, generator=seeded(3))
    assert falls_between(curve, first, last)


def linear(function):
    """Return a formula a g(x) + b with a and b from the two points."""

    def formula(x, x1, x2, y1, y2):
        a = (y1 - y2) / (function(x1, x2) - function(x2, x2))
        return a * (function(x, x2) - function(x1, x2)) + y1

    return formula


def exponential(x, x1, x2, y1, y2):
    a = np.log(y1 / y2) / (x2 - x1)
    return y1 * np.exp(a * x1) * np.exp(-a * x)


def quarter_cosine(x, x1, x2, y1, y2):
    a, b = np.pi / 2 / (x2 - x1), 2 * x1 - x2
    return (y1 - y2) * np.cos(a * (x - b)) + y1


def half_cosh(x, x1, x2, y1, y2):
    return np.cosh(np.arccosh(y1 - y2 + 1) / (x1 - x2) * (x - x2)) + y2 - 1


FORMULAS = {
    "exponential": exponential,
    "line": linear(lambda x, _: x),
    "power1": linear(lambda x, _: 1 / x),
    "power2": linear(lambda x, _: 1 / x**2),
    "power3": linear(lambda x, _: 1 / x**3),
    "power4": linear(lambda x, _: 1 / x**4),
    "halfparabola": linear(lambda x, x2: (x - x2) ** 2),
    "logarithm": linear(lambda x, _: np.log(x)),
    "quartercosine": quarter_cosine,
    "halfcosh": half_cosh,
}


@pytest.mark.parametrize("name", sorted(PAPER))
def test_family_is_the_published_formula(name):
    first, last = levels(4)
    curve = PAPER[name](centers(50), first, last).numpy()
    y1, y2 = first.numpy(), last.numpy()
    expected = FORMULAS[name](np.arange(50) + 0.5, 0.5, 49.5, y1, y2)
    # 1e-9 of the level at the last point, where some formulas subtract large numbers
    assert curve == pytest.approx(expected, rel=1e-9, abs=1e-9 * float(y1.max()))


@pytest.mark.parametrize("name", sorted(PAPER))
def test_stretched_part_keeps_the_levels(name):
    first, last = levels(5, high=1e4)
    begin = torch.rand(N, 1, generator=seeded(6), dtype=torch.float64) * 0.9
    curve = stretched(PAPER[name], centers(30), first, last, cut=(begin, begin + 0.1))
    assert falls_between(curve, first, last)
    whole = (torch.zeros_like(begin), torch.ones_like(begin))
    same = stretched(PAPER[name], centers(30), first, last, cut=whole)
    torch.testing.assert_close(same, PAPER[name](centers(30), first, last))


def test_stretched_part_is_a_part_of_the_curve():
    first, last = levels(7, high=1e4)
    half = torch.full_like(first, 0.5)
    part = stretched(PAPER["power2"], centers(50), first, last, cut=(half, 2 * half))
    curve = PAPER["power2"](centers(99), first, last)[:, 49:]
    curve = torch.cat([curve[:, ::2][:, :-1], curve[:, -1:]], 1)  # half as many points as part
    points = torch.linspace(0.5, 49.5, curve.shape[1], dtype=torch.float64)
    relative = (curve - curve[:, -1:]) / (curve[:, :1] - curve[:, -1:])
    found = np.interp(points, np.arange(50) + 0.5, ((part - last) / (first - last))[0])
    assert found == pytest.approx(relative[0].numpy(), abs=0.02)


def assert_follows(curve, spectrum, *, low, high, first, last):
    """Compare with a spectrum from ``low`` on, as far as it falls from one level to the other."""
    for row in range(len(curve)):
        a, ratio = float(low[row]), float(first[row] / last[row])

        def missing(mass, row=row, a=a, ratio=ratio):
            return np.log(spectrum(a, row) / spectrum(mass, row)) - np.log(ratio)

        end = brentq(missing, a, high, xtol=1e-12)
        masses = a + (end - a) * np.linspace(0, 1, curve.shape[1])
        expected = float(first[row]) * spectrum(masses, row) / spectrum(a, row)
        # the end is interpolated in a table of 512 masses
        assert curve[row].numpy() == pytest.approx(expected, rel=1e-3)


def test_dilepton_is_equation_33():
    first, last = levels(8)
    curve = families.draw_dilepton(centers(40), first, last, generator=seeded(9))
    source = seeded(9)
    low = 150 * (1000 / 150) ** torch.rand(N, 1, generator=source, dtype=torch.float64)
    is_muon = torch.rand(N, 1, generator=source) < 0.5

    def spectrum(mass, row):
        if is_muon[row]:
            b, c, p = 11.8, 1 / 3, (-7.38, -4.132, -1.0637, -0.1022)
        else:
            b, c, p = 1.5, 1.0, (-12.38, -4.295, -0.9191, -0.0845)
        x = mass / 13000
        log = np.log(x)
        peak = 1 / ((mass - 91.1876) ** 2 + 2.4952**2 / 4)
        power = p[0] + p[1] * log + p[2] * log**2 + p[3] * log**3
        return peak * (1 - x**c) ** b * x**power

    assert 5 < int(is_muon.sum()) < N - 5
    assert_follows(curve, spectrum, low=low, high=0.9 * 13000, first=first, last=last)


def test_dijet_is_its_function():
    first, last = levels(10, high=1e4)
    curve = families.draw_dijet(centers(40), first, last, generator=seeded(11))
    source = seeded(11)
    low = 0.03 * (0.2 / 0.03) ** torch.rand(N, 1, generator=source, dtype=torch.float64)
    u = torch.rand(3, N, 1, generator=source, dtype=torch.float64).numpy()[:, :, 0]
    p1, p2, p3 = 4 + 8 * u[0], 4 + 3 * u[1], 0.4 * u[2]

    def spectrum(x, row):
        return (1 - x) ** p1[row] / x ** (p2[row] + p3[row] * np.log(x))

    assert_follows(curve, spectrum, low=low, high=0.97, first=first, last=last)


def test_levels_hold_where_a_spectrum_cannot_fall_far_enough():
    last = torch.full((N, 1), 1e-60, dtype=torch.float64)
    curve = families.draw_dijet(
        centers(30), 1e5 * torch.ones_like(last), last, generator=seeded(1)
    )
    assert falls_between(curve, 1e5 * torch.ones_like(last), last)
