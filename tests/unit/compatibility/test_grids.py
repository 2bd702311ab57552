import math

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid

from bumpflow.compatibility.grids import Axis, ParameterGrid
from bumpflow.simulate.alps.settings import Prior

AXIS = Axis(-1.0, 2.0, 13)
PRIOR = Prior((0.1, 4.5), lifetime_m_per_gev=(0.05, 500))


def test_points_are_equally_far_apart():
    np.testing.assert_allclose(AXIS.points, np.linspace(-1, 2, 13), atol=1e-6)
    assert AXIS.step == 0.25


def test_weights_integrate_by_the_trapezoid_rule():
    values = AXIS.points.exp()
    exact = trapezoid(values, AXIS.points) / (AXIS.high - AXIS.low)
    assert float(AXIS.weights @ values) == pytest.approx(exact, rel=1e-6)
    assert float(AXIS.weights.sum()) == pytest.approx(1, abs=1e-6)


def test_places_interpolate_linearly():
    heights = np.random.default_rng(1).normal(size=13)
    values = np.concatenate([np.random.default_rng(2).uniform(-2, 3, 200), AXIS.points])
    below, fraction = (part.numpy() for part in AXIS.place(torch.from_numpy(values)))
    assert below.min() == 0
    assert below.max() == 11
    found = (1 - fraction) * heights[below] + fraction * heights[below + 1]
    np.testing.assert_allclose(found, np.interp(values, AXIS.points, heights), atol=1e-6)


def test_places_keep_shapes():
    below, fraction = AXIS.place(torch.zeros(2, 3))
    assert below.shape == fraction.shape == (2, 3)


def test_nearest_point():
    values = torch.linspace(-1.5, 2.5, 77)
    distance = (values[:, None] - AXIS.points).abs()
    chosen = distance.gather(1, AXIS.nearest(values)[:, None])[:, 0]
    torch.testing.assert_close(chosen, distance.amin(1))


@pytest.mark.parametrize(("low", "high", "n"), [(1.0, 1.0, 5), (2.0, 1.0, 5), (0.0, 1.0, 1)])
def test_a_grid_that_is_none_is_refused(low, high, n):
    with pytest.raises(ValueError, match=f"grid of {n} points from {low:g} to {high:g} is none"):
        Axis(low, high, n)


def test_grid_spans_the_prior():
    grid = ParameterGrid.of(PRIOR, n_masses=5, n_lifetimes=3)
    assert (grid.mass.low, grid.mass.high) == (math.log10(0.1), math.log10(4.5))
    assert (grid.lifetime.low, grid.lifetime.high) == (math.log10(0.05), math.log10(500))
    theta = torch.from_numpy(PRIOR.sample(1000, np.random.default_rng(3)))
    for axis, values in zip((grid.mass, grid.lifetime), theta.T, strict=True):
        assert float(values.min()) > axis.low
        assert float(values.max()) < axis.high


def test_joint_weights_have_masses_outside():
    grid = ParameterGrid.of(PRIOR, n_masses=5, n_lifetimes=3)
    joint = grid.joint_weights.view(5, 3)
    torch.testing.assert_close(joint.sum(1), grid.mass.weights)
    torch.testing.assert_close(joint.sum(0), grid.lifetime.weights)
    torch.testing.assert_close(joint[2, 1], grid.mass.weights[2] * grid.lifetime.weights[1])


def test_priors_that_are_no_rectangle_are_refused():
    with pytest.raises(ValueError, match=r"give prior\.lifetime_m_per_gev"):
        ParameterGrid.of(Prior((0.1, 4.5), lifetime_m=(0.1, 100)), n_masses=5, n_lifetimes=3)
