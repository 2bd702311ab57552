"""Interpolations between varied densities."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from bumpflow.resonance.variations import Interpolation, Norms, piecewise_weight
from tests.unit.resonance.world import nodes

UP = torch.tensor([1.3, 0.6, 2.5, 1.0, 1.2], dtype=torch.float64)
DOWN = torch.tensor([0.8, 1.1, 0.3, 0.7, 1.4], dtype=torch.float64)


def at(nu):
    return torch.tensor(nu, dtype=torch.float64)


def ratios(x):
    """Return ratios of two systematics, scale and shift, in a signal and a background."""
    pairs = []
    for sign in (1, -1):
        factor = 1 + 0.1 * sign
        parts = [
            [norm.pdf(x, mean * factor, factor), norm.pdf(x, mean + 0.2 * sign)]
            / norm.pdf(x, mean)
            for mean in (1.5, 0.0)
        ]
        pairs.append(torch.as_tensor(np.array(parts)).permute(2, 0, 1))
    return pairs


def test_piecewise_weights_are_the_ratios_at_one_standard_deviation():
    for nu, expected in ((1.0, UP), (-1.0, DOWN), (0.0, torch.ones_like(UP))):
        torch.testing.assert_close(piecewise_weight(UP, DOWN, at(nu))[0], expected)


def test_piecewise_weights_are_powers_of_the_ratios_beyond():
    for nu in (1.0001, 1.7, 4.0):
        torch.testing.assert_close(piecewise_weight(UP, DOWN, at(nu))[0], UP**nu)
        torch.testing.assert_close(piecewise_weight(UP, DOWN, at(-nu))[0], DOWN**nu)


@pytest.mark.parametrize("nu", [-2.2, -1.0, -0.6, 0.0, 0.3, 0.99, 1.5])
def test_slopes_of_weights_are_their_derivatives(nu):
    above, below = (piecewise_weight(UP, DOWN, at(nu + step))[0] for step in (1e-6, -1e-6))
    slope = piecewise_weight(UP, DOWN, at(nu))[1]
    torch.testing.assert_close(slope, (above - below) / 2e-6, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("nu", [-1.0, 1.0])
def test_weight_slope_and_bend_are_continuous(nu):
    h = 1e-5
    (low, low_slope), (high, high_slope) = (
        piecewise_weight(UP, DOWN, at(nu + side * h)) for side in (-1, 1)
    )
    torch.testing.assert_close(low, high, rtol=0, atol=1e-4)
    torch.testing.assert_close(low_slope, high_slope, rtol=0, atol=1e-3)
    further = [piecewise_weight(UP, DOWN, at(nu + 2 * side * h))[1] for side in (-1, 1)]
    bends = (low_slope - further[0]) / h, (further[1] - high_slope) / h
    torch.testing.assert_close(*bends, rtol=0, atol=1e-2)


def grid():
    """Return ratios on a quadrature, and the weights that average over both nominal densities."""
    x, dx = nodes(-8.0, 10.0, 200)
    nominal = np.stack([dx * norm.pdf(x, 1.5), dx * norm.pdf(x, 0)], axis=-1)
    return ratios(x), torch.as_tensor(nominal)


@pytest.mark.parametrize("nu", [[0.3, -0.8], [1.0, 1.0], [-2.5, 1.8]])
def test_quadratic_changes_have_mean_0_and_exact_slopes(nu):
    (up, down), nominal = grid()
    change = Interpolation().change
    value, slope = change(up[None], down[None], at([nu]))
    assert (nominal * value[0]).sum(0).numpy() == pytest.approx([0, 0], abs=1e-10)
    by_hand = sum(
        (up - down)[..., k] / 2 * v + ((up + down)[..., k] / 2 - 1) * v**2
        for k, v in enumerate(nu)
    )
    torch.testing.assert_close(value[0], by_hand)
    for k in range(2):
        step = at([[1e-5 * (k == index) for index in range(2)]])
        above, below = (change(up[None], down[None], at([nu]) + s * step)[0] for s in (1, -1))
        torch.testing.assert_close(slope[..., k], (above - below) / 2e-5, rtol=1e-6, atol=1e-7)


def test_quadratic_changes_are_the_ratios_at_one_standard_deviation():
    up, down = (part[None, :, None, None] for part in (UP, DOWN))
    for nu, expected in ((1.0, UP), (-1.0, DOWN)):
        found, _ = Interpolation().change(up, down, at([[nu]]))
        torch.testing.assert_close(found[0, :, 0], expected - 1)


@pytest.fixture(scope="module")
def norms():
    """Return means over events drawn from each component, and such events that these lack."""
    rng = np.random.default_rng(1)

    def drawn(n):
        pairs = [ratios(rng.normal(mean, size=n)) for mean in (1.5, 0.0)]
        return [torch.stack([a[:, 0], b[:, 1]], dim=1) for a, b in zip(*pairs, strict=True)]

    return Norms.from_events(*drawn(40_000)), drawn(40_000)


@pytest.mark.parametrize("nu", [[0.37, -0.81], [1.0, -1.0], [1.73, 1.52]])
def test_piecewise_changes_have_mean_0_over_the_nominal_density(norms, nu):
    means, (up, down) = norms
    value, _ = Interpolation("piecewise", means).change(up[None], down[None], at([nu]))
    error = value[0].std(0) / 200
    assert ((value[0].mean(0)).abs() < 4 * np.sqrt(2) * error).all()
    assert (error < 0.01).all()


def test_bare_weights_do_not_keep_the_normalisation(norms):
    up, down = norms[1]
    weight = piecewise_weight(up, down, at([1.73, 1.52]))[0]
    assert ((weight.mean(0) - 1).abs() > 5 * weight.std(0) / 200).all()


@pytest.mark.parametrize("nu", [[0.37, -0.81], [1.73, 1.02], [-2.01, 0.0]])
def test_piecewise_changes_have_exact_slopes(norms, nu):
    means, (up, down) = norms
    interpolation = Interpolation("piecewise", means)
    up, down = up[None, :200], down[None, :200]
    _, slope = interpolation.change(up, down, at([nu]))
    for k in range(2):
        step = at([[1e-5 * (k == index) for index in range(2)]])
        above, below = (interpolation.change(up, down, at([nu]) + s * step)[0] for s in (1, -1))
        torch.testing.assert_close(slope[..., k], (above - below) / 2e-5, rtol=1e-5, atol=1e-7)


def test_means_between_grid_points_are_as_good_as_at_them():
    up, down = UP[:, None, None], DOWN[:, None, None]
    coarse = Norms.from_events(up, down, reach=5, n_grid=101)
    for nu in (0.0, 0.234, -1.03, 3.21):
        value, slope = coarse.at(at([[nu]]))
        weight, by_nu = (part.mean() for part in piecewise_weight(up, down, at(nu)))
        assert value.item() == pytest.approx(weight.item(), abs=2e-6)
        assert slope.item() == pytest.approx(by_nu.item(), abs=2e-4)


def test_piecewise_changes_need_their_means():
    with pytest.raises(ValueError, match="pass `norms`"):
        Interpolation("piecewise").change(UP, DOWN, at([[0.0]]))
