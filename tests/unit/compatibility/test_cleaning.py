import numpy as np
import pytest
import torch

from bumpflow.compatibility.cleaning import clean, removal_levels

THRESHOLDS = np.linspace(0.04, 0.96, 24)


def random_scores(n_toys, n_events, seed=1):
    scores = np.random.default_rng(seed).beta(0.7, 0.7, (n_toys, n_events, n_events))
    return torch.as_tensor((scores + scores.transpose(0, 2, 1)) / 2)


def clean_by_hand(scores, threshold):
    """Algorithm 1 of https://arxiv.org/abs/2407.20329 for one toy, event by event."""
    events = list(range(len(scores)))
    if len(events) < 2:
        return len(events), events
    while len(events) > 1:
        means = [sum(scores[i][j] for j in events if j != i) / (len(events) - 1) for i in events]
        if min(means) > threshold:
            return len(events), events
        if len(events) == 2:
            break
        del events[means.index(min(means))]
    return 1, []


def test_cleaning_matches_the_algorithm_event_by_event():
    n_events = torch.arange(300) % 9
    mask = torch.arange(8) < n_events[:, None]
    scores = random_scores(300, 8)
    found = clean(scores, mask, thresholds=THRESHOLDS)
    for toy, n in enumerate(n_events.tolist()):
        for k, threshold in enumerate(THRESHOLDS):
            statistic, events = clean_by_hand(scores[toy, :n, :n].tolist(), threshold)
            assert found.statistic[toy, k] == statistic
            assert found.survivors[toy, k].nonzero()[:, 0].tolist() == events


def test_order_of_events_does_not_matter():
    scores = random_scores(200, 7, seed=2)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    found = clean(scores, thresholds=THRESHOLDS)
    shuffled = clean(scores[:, order][:, :, order], thresholds=THRESHOLDS)
    assert torch.equal(found.statistic, shuffled.statistic)
    assert torch.equal(found.survivors[..., order], shuffled.survivors)


def test_diagonal_and_absent_events_do_not_matter():
    scores = random_scores(50, 6, seed=3)
    mask = torch.arange(6) < torch.arange(50)[:, None] % 7
    other = scores.clone()
    other[~(mask[:, :, None] & mask[:, None])] = torch.nan
    other[:, range(6), range(6)] = torch.nan
    assert torch.equal(removal_levels(scores, mask), removal_levels(other, mask))


def test_no_and_one_event_count_themselves():
    scores = torch.zeros(2, 3, 3)
    mask = torch.tensor([[False, False, False], [False, True, False]])
    found = clean(scores, mask, thresholds=[0.0, 0.5, 0.99])
    assert found.statistic.tolist() == [[0, 0, 0], [1, 1, 1]]
    assert found.survivors.sum(-1).tolist() == [[0, 0, 0], [1, 1, 1]]
    assert clean(torch.zeros(4, 0, 0), thresholds=[0.5]).statistic.tolist() == [[0]] * 4


def test_without_survivors_the_statistic_is_one():
    found = clean(torch.full((1, 4, 4), 0.3), thresholds=[0.5])
    assert found.statistic.item() == 1
    assert not found.survivors.any()


def test_scores_of_zero_are_scores():
    # Three events that agree, one of which has a score of exactly 0 with the fourth.
    scores = torch.full((1, 4, 4), 0.9)
    scores[0, 3], scores[0, :, 3] = 0.6, 0.6
    scores[0, 0, 3] = scores[0, 3, 0] = 0.0
    found = clean(scores, thresholds=[0.3, 0.5])
    assert found.statistic.tolist() == [[4, 3]]


def test_mean_at_the_threshold_is_removed():
    found = clean(torch.full((1, 3, 3), 0.5), thresholds=[0.499999, 0.5])
    assert found.statistic.tolist() == [[3, 1]]


def test_events_survive_below_their_level_only():
    scores = random_scores(40, 5, seed=4)
    level = removal_levels(scores, torch.ones(40, 5, dtype=torch.bool))
    found = clean(scores, thresholds=THRESHOLDS)
    assert torch.equal(found.survivors, level[:, None] > torch.as_tensor(THRESHOLDS)[:, None])
    assert torch.all(found.statistic[:, 1:] <= found.statistic[:, :-1])


def test_nan_names_the_pair():
    scores = random_scores(3, 4)
    scores[2, 0, 3] = torch.nan
    with pytest.raises(ValueError, match="events 0 and 3 of toy 2 is NaN"):
        clean(scores, thresholds=[0.5])
