import math
from itertools import combinations

import pytest
import torch

from bumpflow.compatibility import likelihood_ratio as lr
from bumpflow.compatibility.pairs import log_bayes_factors
from tests import compatible_events as made

N_TOYS, N_EVENTS = 12, 6


@pytest.fixture
def events():
    """Toys of 0 to 6 events, half of them signal."""
    generator = torch.Generator().manual_seed(1)
    shape = (N_TOYS, N_EVENTS)
    background = made.draw_background(N_TOYS * N_EVENTS, generator).view(shape)
    signal = made.draw_signal(N_TOYS * N_EVENTS, generator).view(shape)
    x = torch.where(torch.arange(N_EVENTS) % 2 == 0, signal, background)
    mask = torch.arange(N_EVENTS) < (torch.arange(N_TOYS) % (N_EVENTS + 1))[:, None]
    return made.log_ratio(x), mask


def subset_sums(ratio):
    """Return e_k on the grid, shape ``(n + 1, n_grid)``, from all subsets of events."""
    n = len(ratio)
    return torch.stack(
        [
            sum(ratio[list(some)].prod(0) for some in combinations(range(n), k))
            for k in range(n + 1)
        ]
    )


def each_toy(events):
    log_ratio, mask = events
    for toy in range(N_TOYS):
        yield toy, log_ratio[toy][mask[toy]].double().exp()


def test_mean_polynomials_match_sums_over_subsets(events):
    log_ratio, mask = events
    found = lr.log_mean_polynomials(log_ratio, made.WEIGHTS, mask=mask, n_max=8)
    assert found.shape == (N_TOYS, 9)
    for toy, ratio in each_toy(events):
        expected = (subset_sums(ratio) @ made.WEIGHTS).log()
        torch.testing.assert_close(found[toy, : len(expected)], expected, rtol=1e-5, atol=1e-5)
        assert torch.all(torch.isneginf(found[toy, len(expected) :]))


def test_second_polynomial_is_the_sum_of_bayes_factors(events):
    log_ratio, mask = events
    pairs = log_bayes_factors(log_ratio, made.WEIGHTS, mask=mask).double().exp().triu(1)
    found = lr.log_mean_polynomials(log_ratio, made.WEIGHTS, mask=mask).exp()
    torch.testing.assert_close(found[:, 2], pairs.sum((1, 2)), rtol=1e-4, atol=1e-20)
    torch.testing.assert_close(found[:, 1], mask.sum(1).double(), rtol=1e-5, atol=1e-5)


def test_mean_polynomials_have_known_means_over_background():
    # All r have mean 1 and are independent given theta, so E_k has the mean n over k.
    generator = torch.Generator().manual_seed(3)
    x = made.draw_background(4 * 20_000, generator).view(-1, 4)
    e = lr.log_mean_polynomials(made.log_ratio(x), made.WEIGHTS).exp()
    for k in range(5):
        error = float(e[:, k].std()) / len(e) ** 0.5
        assert float(e[:, k].mean()) == pytest.approx(math.comb(4, k), abs=4 * error + 1e-4)


def test_extended_ratio_matches_the_likelihood(events):
    log_ratio, mask = events
    mu_b, rates = 2.5, torch.tensor([0.5, 3.0, 7.5], dtype=torch.float64)
    log_e = lr.log_mean_polynomials(log_ratio, made.WEIGHTS, mask=mask)
    found = lr.log_likelihood_ratio(log_e, mask.sum(1), lr.known_background(mu_b, rates))
    for toy, ratio in each_toy(events):
        products = (1 + rates[:, None, None] / mu_b * ratio).prod(1)
        expected = (torch.exp(-rates) * (products @ made.WEIGHTS)).mean().log()
        assert float(found[toy]) == pytest.approx(float(expected), abs=1e-5)


def test_conditional_ratio_matches_the_mixture(events):
    log_ratio, mask = events
    shares = torch.tensor([0.0, 0.2, 0.9], dtype=torch.float64)
    log_e = lr.log_mean_polynomials(log_ratio, made.WEIGHTS, mask=mask)
    found = lr.log_likelihood_ratio(log_e, mask.sum(1), lr.unknown_background(shares))
    for toy, ratio in each_toy(events):
        f = shares[:, None, None]
        expected = (((1 - f) + f * ratio).prod(1) @ made.WEIGHTS).mean().log()
        assert float(found[toy]) == pytest.approx(float(expected), abs=1e-5)


def test_ratios_have_mean_one_over_background():
    generator = torch.Generator().manual_seed(4)
    n_toys, mu_b = 10_000, 2.0
    n = torch.poisson(torch.full((n_toys,), mu_b), generator=generator).long()
    x = made.draw_background(n_toys * int(n.max()), generator).view(n_toys, -1)
    mask = torch.arange(x.shape[1]) < n[:, None]
    log_e = torch.cat(
        [
            lr.log_mean_polynomials(made.log_ratio(some), made.WEIGHTS, mask=there)
            for some, there in zip(x.split(5000), mask.split(5000), strict=True)
        ]
    )
    for strength in (
        lr.known_background(mu_b, [0.5, 1.0]),
        lr.unknown_background([0.1, 0.4]),
    ):
        ratio = lr.log_likelihood_ratio(log_e, n, strength).exp()
        error = float(ratio.std()) / n_toys**0.5
        assert error < 0.05
        assert float(ratio.mean()) == pytest.approx(1.0, abs=4 * error)


def test_wrong_background_rate_spoils_the_mean(events):
    log_ratio, mask = events
    log_e = lr.log_mean_polynomials(log_ratio, made.WEIGHTS, mask=mask)
    few, many = (
        lr.log_likelihood_ratio(log_e, mask.sum(1), lr.known_background(mu_b))
        for mu_b in (1.0, 6.0)
    )
    assert torch.all(few[mask.any(1)] > many[mask.any(1)])


def test_many_events_neither_overflow_nor_vanish():
    generator = torch.Generator().manual_seed(5)
    x = torch.cat([made.draw_background(60, generator), made.draw_signal(60, generator)])[None]
    log_ratio = made.log_ratio(x)
    n = torch.tensor([120])
    log_e = lr.log_mean_polynomials(log_ratio, made.WEIGHTS)
    for strength in (lr.known_background(60.0, [20.0, 60.0]), lr.unknown_background()):
        found = lr.log_likelihood_ratio(log_e, n, strength)
        odds = strength.odds.double()[:, None]
        logs = torch.log1p(odds[..., None] * log_ratio[0].double().exp()).sum(1)
        logs = logs + strength.log_factors(n)[0, :, None] + made.WEIGHTS.log()
        expected = torch.logsumexp(logs.flatten(), 0) - math.log(len(odds))
        assert float(found) == pytest.approx(float(expected), abs=1e-4)


def test_likelihoods_of_hundreds_of_events_stay_finite():
    log_ratio = made.log_ratio(torch.zeros(1, 400, dtype=torch.float64))
    odds = torch.tensor([0.1, 10.0], dtype=torch.float64)
    found = lr.log_likelihoods(log_ratio, odds)[0]
    expected = 400 * torch.log1p(odds[:, None] * log_ratio[0, 0].double().exp())
    assert expected.max() > 900
    torch.testing.assert_close(found, expected)


def test_maximum_matches_a_search_of_the_grid(events):
    log_ratio, mask = events
    odds = torch.logspace(-1, 1, 7, dtype=torch.float64)
    largest = lr.log_largest_likelihoods(log_ratio, odds, mask=mask)
    n = mask.sum(1)
    for mu_b in (0.7, 4.0):
        found = lr.log_maximum_ratio(largest, n, lr.known_background(mu_b, mu_b * odds))
        for toy, ratio in each_toy(events):
            logs = torch.log1p(odds[:, None, None] * ratio).sum(1) - mu_b * odds[:, None]
            assert float(found[toy]) == pytest.approx(max(0.0, float(logs.max())), abs=1e-5)
    shares = odds / (1 + odds)
    found = lr.log_maximum_ratio(largest, n, lr.unknown_background(shares))
    for toy, ratio in each_toy(events):
        f = shares[:, None, None]
        logs = ((1 - f) + f * ratio).log().sum(1)
        assert float(found[toy]) == pytest.approx(max(0.0, float(logs.max())), abs=1e-5)


def test_parameter_posterior_and_signal_probabilities_sum_over_all_assignments(events):
    log_ratio, mask = events
    mu_b, rates = 1.5, torch.tensor([0.5, 4.0], dtype=torch.float64)
    strength = lr.known_background(mu_b, rates)
    posterior = lr.log_parameter_ratio(log_ratio, made.WEIGHTS, strength, mask=mask).exp()
    probability = lr.signal_probabilities(log_ratio, made.WEIGHTS, strength, mask=mask)
    for toy, ratio in each_toy(events):
        n = len(ratio)
        theta, signal, total = torch.zeros(len(made.GRID)), torch.zeros(n), 0.0
        for mu in rates:
            for k in range(n + 1):
                for some in combinations(range(n), k):
                    each = torch.exp(-mu) * (mu / mu_b) ** k * ratio[list(some)].prod(0)
                    mean = float(each @ made.WEIGHTS)
                    theta, total = theta + each, total + mean
                    signal[list(some)] += mean
        torch.testing.assert_close(posterior[toy], theta / total, rtol=1e-4, atol=1e-6)
        expected = (signal / total).double()
        torch.testing.assert_close(probability[toy, :n], expected, rtol=1e-4, atol=1e-6)
        assert torch.all(probability[toy, n:] == 0)
    torch.testing.assert_close(posterior @ made.WEIGHTS, torch.ones(N_TOYS).double())


def test_signal_probabilities_are_calibrated():
    generator = torch.Generator().manual_seed(6)
    n_toys, n_events, shares = 4000, 5, [0.2, 0.7]
    index = torch.multinomial(made.WEIGHTS, n_toys, replacement=True, generator=generator)
    share = torch.tensor(shares)[torch.randint(2, (n_toys, 1), generator=generator)]
    signal = torch.rand(n_toys, n_events, generator=generator) < share
    common = made.draw_signal(n_toys * n_events, generator).view(n_toys, -1)
    own = made.draw_background(n_toys * n_events, generator).view(n_toys, -1)
    x = torch.where(signal, common + made.GRID[index][:, None], own)
    found = lr.signal_probabilities(made.log_ratio(x), made.WEIGHTS, lr.unknown_background(shares))
    for low, high in [(0.0, 0.3), (0.3, 0.6), (0.6, 0.9), (0.9, 1.0)]:
        here = (found >= low) & (found < high)
        assert int(here.sum()) > 400
        expected = float(found[here].mean())
        error = (expected * (1 - expected) / int(here.sum())) ** 0.5
        # Events of a toy share their parameters, hence the wider band.
        assert float(signal[here].double().mean()) == pytest.approx(expected, abs=6 * error)


def test_no_events_say_nothing_about_parameters():
    log_ratio = torch.zeros(2, 0, 200)
    strength = lr.known_background(1.0)
    posterior = lr.log_parameter_ratio(log_ratio, made.WEIGHTS, strength)
    torch.testing.assert_close(posterior, torch.zeros_like(posterior), rtol=0, atol=1e-12)
    assert lr.signal_probabilities(log_ratio, made.WEIGHTS, strength).shape == (2, 0)
    log_e = lr.log_mean_polynomials(log_ratio, made.WEIGHTS)
    found = lr.log_likelihood_ratio(log_e, torch.zeros(2), strength)
    mean = sum(math.exp(-mu) for mu in lr.SIGNAL_RATES) / len(lr.SIGNAL_RATES)
    assert found.tolist() == pytest.approx([math.log(mean)] * 2)


def test_zero_prior_and_impossible_settings():
    weights = made.WEIGHTS.clone()
    weights[0] = 0.0
    logs = made.log_ratio(torch.zeros(1, 3, dtype=torch.float64))
    posterior = lr.log_parameter_ratio(logs, weights, lr.known_background(1.0))
    assert torch.isfinite(posterior).all()
    with pytest.raises(ValueError, match="expected background is 0"):
        lr.known_background(0)
    with pytest.raises(ValueError, match="below 1"):
        lr.unknown_background([0.5, 1.0])
    logs[0, 1, 5] = torch.inf
    with pytest.raises(ValueError, match="event 1 of toy 0 reach inf"):
        lr.log_mean_polynomials(logs, weights)
