import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from bumpflow.reconstruction.diagnostics import (
    Placed,
    check_coverage,
    density_levels,
    diagnose,
    local_coverage,
    place_truths,
    prior_variances,
    ranks,
    spread_of,
    tarp_levels,
)
from bumpflow.reconstruction.support import Support
from tests.unit.simulate.alps.setups import SHIP, SHORT, build

SUPPORT = Support.of(build(SHORT).prior)
N, K, NOISE, PRIOR = 4000, 199, 0.02, 0.1


def new_generator(seed=1):
    return torch.Generator().manual_seed(seed)


class Normal:
    """Posteriors of normal measurements of normal truths, right or made wrong."""

    def __init__(self, *, widen=1.0, shift=0.0, blind=False):
        generator = new_generator(2)
        self.unit = 0.5 + PRIOR * torch.randn(N, 2, generator=generator)
        measured = self.unit + NOISE * torch.randn(N, 2, generator=generator)
        weight = PRIOR**2 / (PRIOR**2 + NOISE**2)
        off = torch.randn(N, K, 2, generator=generator)
        self.centre = 0.5 + weight * (measured - 0.5) + shift * NOISE
        self.draws = self.centre[:, None] + widen * NOISE * math.sqrt(weight) * off
        if blind:  # the posterior is the prior, whatever was measured
            self.draws = 0.5 + PRIOR * off
        self.theta = SUPPORT.to_theta(self.unit)

    def log_prob(self, unit, chosen):
        centre = self.centre[chosen]
        return -((unit - (centre if unit.ndim == 2 else centre[:, None])) ** 2).sum(-1)

    def __call__(self, chosen):
        draws = self.draws[chosen]
        truth = self.log_prob(self.unit[chosen], chosen)
        return SUPPORT.to_theta(draws), self.log_prob(draws, chosen), truth

    def diagnosis(self):
        placed = place_truths(self, self.theta, SUPPORT, generator=new_generator(3), chunk=300)
        return diagnose(placed, SUPPORT, rng=np.random.default_rng(4))


def p_values(diagnosis):
    """Return the p-values of both ranks, of densities and of TARP."""
    ranks = [one.p_chi2 for one in diagnosis.uniformity.values()]
    return *ranks, diagnosis.density.p, diagnosis.tarp.p


def test_ranks_count_draws_below():
    draws = torch.tensor([[[0.0, 3.0], [1.0, 1.0], [2.0, 2.0]]])
    found = ranks(draws, torch.tensor([[1.5, 0.5]]))
    torch.testing.assert_close(found, torch.tensor([[2.5 / 4, 0.5 / 4]]).double())


def test_levels_count_draws_of_higher_density():
    found = density_levels(torch.tensor([[3.0, 1.0, 2.0, 0.0]]), torch.tensor([1.5]))
    assert found.tolist() == [2.5 / 5]


def test_tarp_counts_draws_nearer_to_the_place():
    draws = torch.tensor([[[0.1, 0.0], [0.0, 0.5], [0.6, 0.6]]])
    found = tarp_levels(draws, torch.tensor([[0.3, 0.4]]), torch.zeros(1, 2))
    assert found.tolist() == [1.5 / 4]


def test_right_posteriors_pass():
    diagnosis = Normal().diagnosis()
    assert min(p_values(diagnosis)) > 0.01
    assert diagnosis.tarp.deviation.value < 4 * 0.5 / math.sqrt(N)
    assert diagnosis.n == N


@pytest.mark.parametrize("wrong", [{"widen": 0.8}, {"widen": 1.25}, {"shift": 0.3}])
def test_wrong_posteriors_fail(wrong):
    p = p_values(Normal(**wrong).diagnosis())
    assert max(p) < 0.1
    assert min(p) < 1e-3


def test_uninformative_posteriors_have_flat_ranks():
    diagnosis = Normal(blind=True).diagnosis()
    assert min(p_values(diagnosis)[:2]) > 0.01
    for posteriors, std in ((diagnosis, PRIOR), (Normal().diagnosis(), 0.0196)):
        exact = 1 - 12 * std**2
        assert posteriors.contraction["log10_mass"].value == pytest.approx(exact, abs=0.003)


def test_sharpness_is_that_of_the_draws():
    diagnosis = Normal().diagnosis()
    low, high = SUPPORT.log_mass
    std = 1 / math.hypot(1 / NOISE, 1 / PRIOR)
    assert diagnosis.sharpness["log10_mass"].value == pytest.approx(std * (high - low), rel=0.01)
    wide = math.hypot(3 * std, std * (high - low))  # c tau / m shares the error of the mass
    assert diagnosis.sharpness["log10_lifetime"].value == pytest.approx(wide, rel=0.01)


def test_rank_histograms_have_a_band():
    table = Normal().diagnosis().ranks
    assert table.groupby("parameter")["observed"].sum().tolist() == [N, N]
    inside = table["observed"].between(table["band_low"], table["band_high"])
    assert inside.mean() > 0.8


@pytest.mark.parametrize("setup", [SHORT, SHIP])
def test_prior_variances(setup):
    prior = build(setup).prior
    exact = prior.sample(100_000, np.random.default_rng(1)).var(0)
    np.testing.assert_allclose(prior_variances(Support.of(prior)), exact, rtol=0.02)


def test_bootstrap_errors_are_binomial():
    levels = np.random.default_rng(1).beta(1, 1.5, 3000)
    curve = check_coverage(levels, rng=np.random.default_rng(2), n_bootstrap=4000).curve
    share = curve["empirical"]
    np.testing.assert_allclose(curve["error"], np.sqrt(share * (1 - share) / 3000), rtol=0.06)


def test_p_values_of_coverage_are_uniform():
    rng = np.random.default_rng(5)
    p = [check_coverage(rng.random(500), rng=rng, n_bootstrap=200).p for _ in range(300)]
    assert np.mean(p) == pytest.approx(0.5, abs=4 * math.sqrt(1 / 12 / 300))
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=4 * math.sqrt(0.09 / 300))


def test_deviation_is_the_largest():
    levels = np.concatenate([np.full(80, 0.01), np.full(20, 0.99)])
    found = check_coverage(levels, rng=np.random.default_rng(1), expected=[0.2, 0.5, 0.9])
    assert found.deviation.value == pytest.approx(0.6)
    assert found.p == pytest.approx(1 / 2001)


def test_local_coverage_in_numbers():
    rng = np.random.default_rng(1)
    mean = rng.normal([0.1, 1.0], [0.02, 0.5], (N, 2))
    std = np.tile([0.04, 0.5], (N, 1))
    rank = norm.cdf((np.array([0.0, 1.0]) - mean) / std)
    level = rng.random(N)
    placed = Placed(rank, level, level, mean, std, level)
    table = local_coverage(placed, (0.0, 1.0)).set_index("parameter")
    mass, lifetime = table.loc["log10_mass"], table.loc["log10_lifetime"]
    assert mass["bias"] == pytest.approx(0.1, abs=4 * mass["bias_error"])
    assert mass["spread"] == pytest.approx(0.02, rel=0.06)
    assert mass["sigma"] == pytest.approx(0.04)
    assert mass["pull_mean"] == pytest.approx(2.5, abs=0.05)
    assert mass["central95"] < 0.2
    for level, name in ((0.68, "central68"), (0.95, "central95"), (0.68, "density68")):
        assert lifetime[name] == pytest.approx(level, abs=4 * lifetime[f"{name}_error"])


def test_error_of_the_spread():
    samples = np.random.default_rng(1).standard_t(8, (2000, 400))
    spreads = [spread_of(one) for one in samples]
    exact = np.std([one.value for one in spreads])
    assert np.mean([one.uncertainty for one in spreads]) == pytest.approx(exact, rel=0.1)


def test_single_sets_are_no_test():
    one = np.zeros(1)
    with pytest.raises(ValueError, match="1 sets are given"):
        diagnose(Placed(*6 * [one]), SUPPORT, rng=np.random.default_rng(1))
