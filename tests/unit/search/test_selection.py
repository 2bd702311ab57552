"""Scoring, weighing, and the events that surrogates are trained again on."""

import numpy as np
import pandas as pd
import pytest
import torch

from bumpflow.classifiers import NetworkClassifier, ResMLP, restore_networks, store_networks
from bumpflow.evaluate.reweighting import Reweighter
from bumpflow.flows.density import DensitySettings, EventDensity
from bumpflow.search.selection import member_events, score_pieces

CPU = torch.device("cpu")


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    return NetworkClassifier(ResMLP(2, hidden_features=8, layers=1).eval(), CPU)


@pytest.fixture
def central():
    x = torch.randn(500, 2, generator=torch.Generator().manual_seed(1)) + torch.tensor([5.0, 0.0])
    sizes = {"hidden_features": 8, "layers": 1, "transforms": 1}
    chosen = DensitySettings(("a", "b"), "realnvp", sizes, "gaussrank")
    density = EventDensity(chosen)
    density.fit_scalers(x)
    return density.eval()


def table(n=50):
    x = np.random.default_rng(2).normal(size=(n, 3)).astype("f4")
    return pd.DataFrame(x, columns=["b", "c", "a"])


def test_scores_follow_the_names_of_the_inputs(classifier):
    x = table()
    pieces = [x.iloc[:20], x.iloc[20:]]
    found = pd.concat(score_pieces(pieces, inputs=["a", "b"], classifier=classifier))
    assert list(found) == ["b", "c", "a", "score", "weight"]
    expected = classifier.score(x[["a", "b"]].to_numpy())
    assert np.allclose(found["score"], expected, atol=1e-6)
    assert (found["weight"] == 1).all()


def test_weights_come_from_the_reweighter(classifier):
    weigher = Reweighter([classifier], slope=0.5, offset=0.1, clip=10.0)
    (found,) = score_pieces(
        [table()], inputs=["a", "b"], classifier=classifier, reweighter=weigher
    )
    logit = classifier.logit(table()[["a", "b"]].to_numpy())
    assert np.allclose(found["weight"], np.exp(-0.5 * logit - 0.1), rtol=1e-5)


def test_networks_survive_storage(classifier):
    other = NetworkClassifier(ResMLP(2, hidden_features=4, layers=2).eval(), CPU)
    again = restore_networks(*store_networks([classifier, other]), device=CPU)
    x = table()[["a", "b"]].to_numpy()
    for one, stored in zip((classifier, other), again, strict=True):
        assert np.array_equal(one.logit(x), stored.logit(x))


def draw(kind, central, observed, seed=1):
    return member_events(kind, observed, central=central, seed=seed, block_size=64, device=CPU)


def test_bootstraps_repeat_observed_events_and_replicas_are_new_ones(central):
    observed = [
        np.random.default_rng(k).normal(size=(n, 2)).astype("f4") for k, n in ((0, 200), (1, 70))
    ]
    bootstrap, replica = (draw(kind, central, observed) for kind in ("bootstrap", "replica"))
    for x, again, new in zip(observed, bootstrap, replica, strict=True):
        assert again.shape == new.shape == x.shape
        known = {tuple(row) for row in x}
        n_different = len({tuple(row) for row in again})
        assert {tuple(row) for row in again} <= known
        assert n_different / len(x) == pytest.approx(1 - np.exp(-1), abs=0.15)
        assert not known & {tuple(row) for row in new}
        assert new[:, 0].mean() == pytest.approx(5, abs=0.5)  # where the surrogate puts them
    assert not np.array_equal(replica[0][:70], replica[1])


@pytest.mark.parametrize("kind", ["bootstrap", "replica"])
def test_draws_depend_on_the_seed_alone(kind, central):
    observed = [np.ones((10, 2), "f4") * np.arange(10, dtype="f4")[:, None]]
    first, same, other = (draw(kind, central, observed, seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
