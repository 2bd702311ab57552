import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import poisson

from bumpflow.reconstruction.support import Support
from bumpflow.reconstruction.weights import (
    AcceptanceTable,
    log_rate,
    reweight,
    reweight_grid,
    tabulate_acceptance,
)
from bumpflow.simulate.alps.sampling import acceptance
from tests.unit.simulate.alps.setups import SHORT, build

SETUP = build(SHORT)
SUPPORT = Support.of(SETUP.prior)
DECAYS = (1e3, 1e7)


@pytest.mark.parametrize("n_events", [1, 3, 10])
@pytest.mark.parametrize("value", [1e-9, 3e-5, 1e-2, 0.9])
def test_rate_is_the_integral_over_production(n_events, value):
    low, high = np.log(DECAYS)
    peak = np.clip(np.log(n_events / value), low, high)
    exact, _ = quad(
        lambda t: poisson.pmf(n_events, np.exp(t) * value) / (high - low),
        low,
        high,
        points=[peak, max(peak - 3, low), min(peak + 3, high)],
        limit=500,
        epsabs=0,
    )
    found = log_rate(torch.tensor(value).log(), n_events, n_decays=DECAYS)
    assert found.exp().item() == pytest.approx(exact, rel=1e-5, abs=1e-290)


def test_rate_of_many_numbers_of_events():
    logs = torch.tensor([-5.0, -9.0])
    found = log_rate(logs[:, None], torch.tensor([1, 4]), n_decays=DECAYS)
    for row, column in ((0, 1), (1, 0)):
        one = log_rate(logs[row], [1, 4][column], n_decays=DECAYS)
        assert found[row, column] == one


def test_rate_far_from_what_is_possible_stays_finite():
    found = log_rate(torch.tensor([-500.0, 0.0]), 10, n_decays=DECAYS)
    assert torch.isfinite(found).all()
    assert bool((found < -100).all())


@pytest.mark.parametrize(("n_decays", "n_events"), [((5.0, 2.0), 1), ((0.0, 2.0), 1), (DECAYS, 0)])
def test_impossible_rates_are_refused(n_decays, n_events):
    with pytest.raises(ValueError, match=r"n_decays is .* and the least n_events"):
        log_rate(torch.zeros(1), n_events, n_decays=n_decays)


def test_acceptance_is_interpolated():
    table = tabulate_acceptance(
        SETUP, n_masses=15, n_lifetimes=25, n_tries=1500, rng=np.random.default_rng(1)
    )
    theta = SETUP.prior.sample(40, np.random.default_rng(2))
    theta = theta[theta[:, 1] > -0.5]  # below, the acceptance falls steeply
    exact = acceptance(theta, SETUP, n_tries=4000, rng=np.random.default_rng(3))
    off = table(torch.from_numpy(theta)) - torch.from_numpy(np.log(exact.value))
    error = torch.from_numpy(exact.error / exact.value) + 2 * table.error.median()
    assert float((off.abs() / (error + 0.05)).max()) < 4


def test_interpolation_is_exact_for_planes():
    axes = (torch.linspace(0, 1, n, dtype=torch.float64) for n in (4, 6))
    grid = torch.cartesian_prod(*axes)
    table = AcceptanceTable((2 * grid[:, 0] - grid[:, 1]).view(4, 6), torch.zeros(4, 6), SUPPORT)
    unit = torch.rand(2, 50, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = table(SUPPORT.to_theta(unit))
    torch.testing.assert_close(found, 2 * unit[..., 0] - unit[..., 1], atol=1e-9, rtol=0)


def test_unseen_points_are_named():
    with pytest.raises(ValueError, match="nothing is seen in 2 tries at log10 mass"):
        tabulate_acceptance(
            SETUP, n_masses=5, n_lifetimes=5, n_tries=2, rng=np.random.default_rng(1)
        )


def test_weighted_draws_follow_the_other_density():
    draws = torch.randn(1, 200_000, 2, generator=torch.Generator().manual_seed(1))
    # A normal density times exp(x) is a normal density about 1, worth n / e draws.
    found = reweight(draws, draws[..., 0])
    mean = (found.weights[..., None] * found.theta).sum(1)[0]
    assert mean.tolist() == pytest.approx([1, 0], abs=0.02)
    assert float(found.effective) == pytest.approx(200_000 / math.e, rel=0.05)
    again = found.resample(50_000, generator=torch.Generator().manual_seed(2))[0]
    assert again.mean(0).tolist() == pytest.approx([1, 0], abs=0.03)
    assert again.std(0).tolist() == pytest.approx([1, 1], abs=0.03)


def test_priors_that_exclude_all_draws_are_refused():
    with pytest.raises(ValueError, match=r"all draws of sets \[1\] have no weight"):
        reweight(torch.zeros(2, 3, 2), torch.tensor([[0.0] * 3, [-torch.inf] * 3]))


def test_weighted_grids_are_normalised():
    logs = torch.randn(2, 21, 31, generator=torch.Generator().manual_seed(1)).double()
    weight = torch.randn(21, 31, generator=torch.Generator().manual_seed(2)).double()
    found = reweight_grid(logs, weight)
    total = torch.trapezoid(torch.trapezoid(found.exp(), dx=1 / 30), dx=1 / 20)
    torch.testing.assert_close(total, torch.ones(2).double())
    shift = found - logs - weight
    torch.testing.assert_close(shift, shift[:, :1, :1].expand_as(shift))
