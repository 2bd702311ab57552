import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from bumpflow.reconstruction.support import Support
from tests.unit.simulate.alps.setups import SHIP, SHORT, build

PARALLELOGRAM = Support.of(build(SHORT).prior)
RECTANGLE = Support.of(build(SHIP).prior)


def test_corners_of_the_prior_are_those_of_the_square():
    corners = [(m, c / m) for m in (0.1, 4.5) for c in (0.1, 100)]
    unit = PARALLELOGRAM.to_unit(torch.tensor(np.log10(corners)))
    torch.testing.assert_close(
        unit, torch.cartesian_prod(*2 * [torch.tensor([0.0, 1.0])]).double()
    )


@pytest.mark.parametrize("setup", [SHORT, SHIP])
def test_prior_is_flat_in_the_square(setup):
    prior = build(setup).prior
    theta = torch.from_numpy(prior.sample(20_000, np.random.default_rng(1)))
    unit = Support.of(prior).to_unit(theta).numpy()
    assert all(kstest(column, "uniform").pvalue > 1e-3 for column in unit.T)
    assert abs(np.corrcoef(unit.T)[0, 1]) < 4 / math.sqrt(20_000)


@pytest.mark.parametrize("support", [PARALLELOGRAM, RECTANGLE])
def test_parameters_come_back(support):
    unit = torch.rand(100, 3, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    torch.testing.assert_close(support.to_unit(support.to_theta(unit)), unit)


def test_area_is_that_of_the_parallelogram():
    corners = PARALLELOGRAM.to_theta(
        torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    )
    x, y = corners.double().numpy().T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    assert math.exp(PARALLELOGRAM.log_area) == pytest.approx(area, rel=1e-6)


def test_region_ends_where_the_prior_ends():
    inside, below = torch.tensor([[0.0, 1.99]]), torch.tensor([[0.0, 2.01]])
    assert bool(PARALLELOGRAM.contains(inside))
    assert not bool(PARALLELOGRAM.contains(below))
    assert not bool(PARALLELOGRAM.contains(torch.tensor([[0.5, 1.99]])))  # c tau of 309 m
    assert bool(RECTANGLE.contains(torch.tensor([[0.5, 1.99]])))
