import pytest
import torch

from bumpflow.compatibility.pairs import LOG_FLOOR, log_bayes_factors, pair_scores
from tests import compatible_events as made

N_TOYS, N_EVENTS = 7, 5


@pytest.fixture
def log_ratio():
    generator = torch.Generator().manual_seed(1)
    x = made.draw_background(N_TOYS * N_EVENTS, generator).view(N_TOYS, N_EVENTS)
    return made.log_ratio(x)


def test_bayes_factors_are_sums_over_the_grid(log_ratio):
    found = log_bayes_factors(log_ratio, made.WEIGHTS)
    for toy in range(N_TOYS):
        for i in range(N_EVENTS):
            for j in range(N_EVENTS):
                both = log_ratio[toy, i].double() + log_ratio[toy, j].double()
                expected = torch.logsumexp(both + made.WEIGHTS.log(), 0).clamp_min(LOG_FLOOR)
                assert found[toy, i, j] == pytest.approx(float(expected), abs=1e-3)


def test_bayes_factor_of_two_measurements_is_that_of_their_distance():
    # In the bulk of a flat prior of length L, ln B = ln L + ln N(x_1 - x_2; 0, sqrt(2) width).
    x = torch.tensor([[-0.1, 0.0]], dtype=torch.float64)
    length = float(made.GRID[-1] - made.GRID[0])
    normal = torch.distributions.Normal(0.0, 2**0.5 * made.WIDTH)
    expected = torch.tensor(length).log() + normal.log_prob(torch.tensor(0.1))
    found = log_bayes_factors(made.log_ratio(x), made.WEIGHTS)[0, 0, 1]
    assert found == pytest.approx(float(expected), abs=1e-3)


def test_scores_are_posterior_probabilities():
    # Of pairs with a score of s, a share s has one common parameter.
    generator = torch.Generator().manual_seed(2)
    n = 40_000
    index = torch.multinomial(made.WEIGHTS, 2 * n, replacement=True, generator=generator)
    theta = made.GRID[index].view(n, 2)
    common = torch.rand(n, generator=generator) < 0.5
    theta[common, 1] = theta[common, 0]
    x = theta + made.WIDTH * torch.randn(n, 2, generator=generator, dtype=torch.float64)
    score = pair_scores(made.log_ratio(x), made.WEIGHTS)[:, 0, 1].double()
    for low, high in [(0.0, 0.1), (0.3, 0.6), (0.6, 0.8), (0.8, 1.0)]:
        here = (score >= low) & (score < high)
        expected = float(score[here].mean())
        error = (expected * (1 - expected) / int(here.sum())) ** 0.5
        assert float(common[here].double().mean()) == pytest.approx(expected, abs=4 * error)


def test_disjoint_and_empty_posteriors_have_a_floor():
    logs = torch.full((1, 3, 200), -torch.inf)
    logs[0, 0, 0] = logs[0, 1, -1] = 5.0
    found = log_bayes_factors(logs, made.WEIGHTS)
    assert torch.all(found[0][~torch.eye(3, dtype=torch.bool)] == LOG_FLOOR)
    scores = pair_scores(logs, made.WEIGHTS)
    assert torch.all((scores > 0) & (scores < 1))


def test_small_and_large_log_ratios_do_not_overflow():
    logs = torch.zeros(1, 2, 200) + torch.tensor([60.0, -55.0])[:, None]
    found = log_bayes_factors(logs, made.WEIGHTS)[0]
    torch.testing.assert_close(found, torch.tensor([[120.0, 5.0], [5.0, LOG_FLOOR]]))


def test_absent_events_are_incompatible_and_change_nothing(log_ratio):
    mask = torch.ones(N_TOYS, N_EVENTS, dtype=torch.bool)
    mask[0, 3:] = False
    noisy = log_ratio.clone()
    noisy[0, 3:] = torch.nan
    found = log_bayes_factors(noisy, made.WEIGHTS, mask=mask)
    torch.testing.assert_close(
        found[0, :3, :3], log_bayes_factors(log_ratio, made.WEIGHTS)[0, :3, :3]
    )
    assert torch.all(found[0, 3:] == LOG_FLOOR)
    assert torch.all(found[0, :, 3:] == LOG_FLOOR)


def test_nan_names_the_event(log_ratio):
    log_ratio[4, 2, 17] = torch.nan
    with pytest.raises(ValueError, match="event 2 of toy 4 reach nan"):
        pair_scores(log_ratio, made.WEIGHTS)
