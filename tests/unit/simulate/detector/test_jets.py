"""Jets, their true flavours and their tags."""

from itertools import product

import numpy as np
import pytest

from bumpflow.simulate.detector.jets import (
    HeavyHadrons,
    cluster_jets,
    draw_enough_tags,
    draw_tags,
    heavy_hadrons,
    label_flavours,
    tag_probability,
)
from bumpflow.simulate.detector.settings import WorkingPoint
from tests.unit.simulate.handmade import make_particles, momentum

POINT = WorkingPoint(
    b=(0.85, 0.0025, 25.0, 0.063), c=(0.25, 0.018, 1.0, 0.0013), light=(0.01, 0.000038)
)


def test_close_particles_merge_and_distant_ones_do_not():
    pytest.importorskip("fastjet")
    close, far = momentum(30, 0.0, 0.3), momentum(40, 0.0, 2.0)
    momenta = np.array([momentum(50), close, far, momentum(5, 1.5, -1), momentum(25)])
    event, jets = cluster_jets(
        np.array([0, 0, 0, 0, 2]), momenta, n_events=3, radius=0.4, min_pt=20
    )
    assert event.tolist() == [0, 0, 2]
    jets = jets[np.lexsort((-jets[:, 3], event))]
    assert jets == pytest.approx(np.array([momentum(50) + close, far, momentum(25)]))


def test_last_hadrons_of_a_chain_are_found():
    b_star, b_meson = momentum(30.1), momentum(30, 0.1)
    chain = [
        (5, momentum(40), -71, 0),  # 1: a quark is no hadron
        (513, b_star, -83, 1),  # 2
        (511, b_meson, -91, 2),  # 3
        (411, momentum(20, 0.2), -91, 3),  # 4
        (211, momentum(5), 1, 4),
        (4122, momentum(9, 1.0), -83, 0),  # 6
        (5203, momentum(9, 2.0), -71, 0),  # a diquark
        (521, momentum(4.9), -83, 0),  # too soft
        (333, momentum(50), -83, 0),
    ]
    found = heavy_hadrons(make_particles([], chain), min_pt=5)
    assert found.event.tolist() == [1, 1, 1]
    assert found.flavour.tolist() == [5, 4, 4]
    assert found.eta == pytest.approx([0.1, 0.2, 1.0])


def test_jets_have_the_heaviest_flavour_around():
    hadrons = HeavyHadrons(
        event=np.array([0, 0, 1]),
        flavour=np.array([4, 5, 4]),
        eta=np.array([0.1, -0.1, 0.0]),
        phi=np.array([0.0, 0.0, np.pi - 0.1]),
    )
    event = np.array([0, 0, 1, 1, 2])
    jets = np.array([momentum(30), momentum(30, 0, 1), momentum(30, 0, -3.1), *[momentum(9)] * 2])
    flavour = label_flavours(event, jets, hadrons, n_events=3, radius=0.4)
    assert flavour.tolist() == [5, 0, 4, 0, 0]


def test_probabilities_follow_the_formulas():
    pt = np.array([100.0, 100.0, 100.0])
    expected = [
        0.85 * np.tanh(0.25) * 25 / 7.3,
        0.25 * np.tanh(1.8) / 1.13,
        0.0138,
    ]
    assert tag_probability(pt, np.array([5, 4, 0]), POINT) == pytest.approx(expected)
    steep = WorkingPoint(b=POINT.b, c=POINT.c, light=(0.0, 0.02))
    assert tag_probability(pt, np.zeros(3), steep).tolist() == [1, 1, 1]


def test_tags_are_drawn_with_their_probabilities():
    n = 20_000
    loose, tight = np.full(n, 0.6), np.full(n, 0.45)
    tags = draw_tags(loose, tight, n_events=3, rng=np.random.default_rng(1))
    assert tags.weights.tolist() == [1, 1, 1]
    for level, expected in ((0, 0.4), (1, 0.15), (2, 0.45)):
        error = np.sqrt(expected * (1 - expected) / n)
        assert np.mean(tags.level == level) == pytest.approx(expected, abs=4 * error)


def enough_tags(loose, tight, min_tags, n_copies, seed=0):
    """Tag the same jets in many events; return levels by event and the weights."""
    n_jets = len(loose)
    tags = draw_enough_tags(
        np.repeat(np.arange(n_copies), n_jets),
        np.tile(loose, n_copies),
        np.tile(tight, n_copies),
        n_events=n_copies,
        min_tags=min_tags,
        rng=np.random.default_rng(seed),
    )
    return tags.level.reshape(n_copies, n_jets), tags.weights


@pytest.mark.parametrize("min_tags", [0, 1, 2, 3])
def test_weighted_tags_have_the_exact_conditional_probabilities(min_tags):
    loose, tight = np.array([0.7, 0.02, 0.2]), np.array([0.5, 0.005, 0.2])
    n = 20_000
    levels, weights = enough_tags(loose, tight, min_tags, n)
    chances = {
        pattern: float(np.prod(np.where(pattern, loose, 1 - loose)))
        for pattern in product([0, 1], repeat=3)
        if sum(pattern) >= min_tags
    }
    total = sum(chances.values())
    assert weights == pytest.approx(np.full(n, total))
    for pattern, chance in chances.items():
        share = np.mean((levels > 0) == np.array(pattern), axis=1) == 1
        error = np.sqrt(chance / total * (1 - chance / total) / n)
        assert share.mean() == pytest.approx(chance / total, abs=4.5 * error)
    is_tight = (levels[:, 0] == 2)[levels[:, 0] > 0]
    error = np.sqrt(5 / 7 * 2 / 7 / len(is_tight))
    assert is_tight.mean() == pytest.approx(5 / 7, abs=4 * error)


def test_both_modes_agree_in_means():
    n, rng = 30_000, np.random.default_rng(5)
    counts = rng.integers(0, 7, n)
    event = np.repeat(np.arange(n), counts)
    loose = rng.uniform(0.02, 0.6, len(event))
    tight = loose * 0.5
    pt = rng.exponential(50, len(event))
    drawn = draw_tags(loose, tight, n_events=n, rng=rng)
    weighted = draw_enough_tags(event, loose, tight, n_events=n, min_tags=2, rng=rng)
    means, errors = [], []
    for tags in (drawn, weighted):
        n_tags = np.bincount(event, tags.level > 0, minlength=n)
        selected = tags.weights * (n_tags >= 2)
        sums = np.bincount(event, pt * tags.level, minlength=n)
        for value in (selected, selected * sums, selected * n_tags):
            means.append(value.mean())
            errors.append(value.std() / np.sqrt(n))
    for k in range(3):
        assert means[k] == pytest.approx(means[k + 3], abs=4 * np.hypot(errors[k], errors[k + 3]))
        assert errors[k + 3] < errors[k]  # what weights are for


def test_events_that_cannot_have_enough_tags_weigh_nothing():
    tags = draw_enough_tags(
        np.array([0, 2, 2]),
        np.array([0.5, 0.0, 1.0]),
        np.zeros(3),
        n_events=4,
        min_tags=2,
        rng=np.random.default_rng(0),
    )
    assert tags.weights.tolist() == [0, 0, 0, 0]
    assert len(tags.level) == 3


def test_without_jets_there_is_nothing_to_tag():
    none = np.zeros(0)
    tags = draw_enough_tags(
        none.astype(int), none, none, n_events=2, min_tags=1, rng=np.random.default_rng(0)
    )
    assert tags.level.tolist() == []
    assert tags.weights.tolist() == [0, 0]
