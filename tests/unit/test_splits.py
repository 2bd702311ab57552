import numpy as np
import pytest

from bumpflow.splits import assign_splits, upper_edges

FRACTIONS = {"train": 0.68, "validation": 0.06, "test": 0.02, "holdouta": 0.12, "holdoutb": 0.12}
N_EVENTS = 20_000


@pytest.fixture(scope="module")
def events():
    return np.random.default_rng(5).normal(size=(N_EVENTS, 6)).astype("float32")


def test_splits_survive_reordering(events):
    order = np.random.default_rng(6).permutation(N_EVENTS)
    splits = assign_splits(events.T, fractions=FRACTIONS)
    np.testing.assert_array_equal(
        assign_splits(events[order].T, fractions=FRACTIONS), splits[order]
    )


def test_an_event_keeps_its_split_in_any_part_of_the_file(events):
    splits = assign_splits(events.T, fractions=FRACTIONS)
    parts = [assign_splits(part.T, fractions=FRACTIONS) for part in np.array_split(events, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), splits)


def test_every_event_falls_in_exactly_one_split_of_the_right_size(events):
    counts = np.bincount(assign_splits(events.T, fractions=FRACTIONS), minlength=5)
    assert counts.sum() == N_EVENTS
    expected = N_EVENTS * np.array([*FRACTIONS.values()])
    assert np.all(np.abs(counts - expected) < 4 * np.sqrt(expected))


def test_equal_events_share_a_split(events):
    splits = assign_splits(np.concatenate([events, events]).T, fractions=FRACTIONS)
    np.testing.assert_array_equal(splits[:N_EVENTS], splits[N_EVENTS:])


def test_splits_do_not_depend_on_the_features(events):
    train = assign_splits(events.T, fractions=FRACTIONS) == 0
    shift = events[train].mean(axis=0) - events[~train].mean(axis=0)
    assert np.all(np.abs(shift) < 4 * np.sqrt(1 / train.sum() + 1 / (~train).sum()))


def test_salts_give_independent_splits(events):
    halves = {"a": 0.5, "b": 0.5}
    a, b = (assign_splits(events.T, fractions=halves, salt=salt) for salt in (0, 1))
    assert np.mean(a == b) == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / N_EVENTS))


def test_moving_a_border_moves_only_the_events_beside_it(events):
    before = assign_splits(events.T, fractions={"train": 0.6, "test": 0.2, "rest": 0.2})
    after = assign_splits(events.T, fractions={"train": 0.5, "test": 0.3, "rest": 0.2})
    assert np.all(after[before == 1] == 1)
    assert np.all(after[before == 2] == 2)


@pytest.mark.parametrize(
    "fractions", [{"a": 1.0, "b": 0.0}, {"a": 0.0, "b": 1.0}, {"a": 0.1 + 0.2, "b": 0.7, "c": 0.0}]
)
def test_empty_splits_stay_empty(fractions, events):
    found = {[*fractions][i] for i in assign_splits(events.T, fractions=fractions)}
    assert found == {name for name, fraction in fractions.items() if fraction}


def test_no_number_lies_beyond_the_last_split():
    thirds = {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3, "d": 0.0}
    assert upper_edges(thirds)[2:].tolist() == [1.0, 1.0]
    assert upper_edges({str(i): 0.1 for i in range(10)})[-1] == 1.0


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ({"train": 0.5, "test": 0.4}, r"the fractions add up to 0\.9, not to 1: \{'train': 0\.5"),
        ({"train": 1.5, "test": -0.5}, r"the fraction of 'train' is 1\.5: it must lie within"),
        ({}, "the fractions add up to 0, not to 1"),
    ],
)
def test_fractions_that_make_no_sense(fractions, message, events):
    with pytest.raises(ValueError, match=message):
        assign_splits(events.T, fractions=fractions)
