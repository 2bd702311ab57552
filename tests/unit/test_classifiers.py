from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm

from bumpflow import classifiers
from bumpflow.evaluate.c2st import area_under_curve
from bumpflow.train import TrainSettings

CPU = torch.device("cpu")
NETWORK = classifiers.NetworkSettings(
    hidden_features=16,
    layers=2,
    repeats=2,
    validation_fraction=0.2,
    training=TrainSettings(learning_rate=3e-3, batch_size=128, max_epochs=4, patience=4),
)
TREES = classifiers.TreeSettings(
    learning_rate=0.1,
    max_iter=30,
    max_leaf_nodes=8,
    l2_regularization=1.0,
    patience=10,
    validation_fraction=0.2,
)
SHIFT = 1.0


@pytest.fixture
def samples():
    """Unequal numbers of Gaussian events, apart by 1 in the first of two features."""
    rng = np.random.default_rng(0)
    x0, x1 = rng.normal(size=(1000, 2)), rng.normal(size=(3000, 2))
    return x0, x1 + np.array([SHIFT, 0.0])


def _train(kind, x0, x1):
    if kind == "network":
        return classifiers.train_classifier(x0, x1, settings=NETWORK, seed=1, device=CPU)[0]
    return classifiers.train_trees(x0, x1, settings=TREES, seed=1)


@pytest.mark.parametrize("kind", ["network", "trees"])
def test_classifier_reaches_best_possible_auc(kind, samples):
    classifier = _train(kind, *samples)
    rng = np.random.default_rng(5)
    tests = rng.normal(size=(2, 4000, 2))
    tests[1, :, 0] += SHIFT
    auc = area_under_curve(*(classifier.score(x) for x in tests))
    assert auc.value == pytest.approx(norm.cdf(SHIFT / np.sqrt(2)), abs=0.03)


@pytest.mark.parametrize("kind", ["network", "trees"])
def test_equal_class_weights_make_logits_density_ratios(kind, samples):
    classifier = _train(kind, *samples)
    where = np.column_stack([np.linspace(-0.5, 1.5, 9), np.zeros(9)])
    exact = SHIFT * where[:, 0] - SHIFT**2 / 2
    # without weights all would be off by log(3)
    assert np.mean(classifier.logit(where) - exact) == pytest.approx(0, abs=0.35)
    assert classifier.score(where) == pytest.approx(1 / (1 + np.exp(-classifier.logit(where))))


def test_same_seed_gives_same_network_and_leaves_global_stream_alone(samples):
    before = torch.get_rng_state()
    train = [_train("network", *samples) for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), before)
    x = np.zeros((1, 2))
    assert train[0].logit(x) == train[1].logit(x)


def test_inputs_are_standardised_by_training_events_and_units_do_not_matter(samples):
    scaled = [x * [2.0**20, 2.0**-20] for x in samples]  # exact in floating point
    plain, other = (_train("network", *pair) for pair in (samples, scaled))
    assert other.logit(scaled[0][:50]) == pytest.approx(plain.logit(samples[0][:50]), abs=1e-3)
    network = plain.network
    assert network.mean.tolist() == pytest.approx([0.75 * SHIFT, 0.0], abs=0.1)


def test_constant_feature_is_no_trouble(samples):
    x0, x1 = (np.column_stack([x, np.full(len(x), 3.0)]) for x in samples)
    assert np.isfinite(_train("network", x0, x1).logit(x0[:5])).all()


def test_network_has_asked_layers_and_gradients_reach_all_parameters():
    network = classifiers.ResMLP(3, hidden_features=8, layers=3, repeats=2)
    linear = [m for m in network.modules() if isinstance(m, torch.nn.Linear)]
    assert [layer.in_features for layer in linear] == [3, 8, 3, 8, 8, 8, 8, 8]
    network(torch.randn(16, 3)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_history_stops_at_patience():
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(2, 300, 2))
    training = replace(NETWORK.training, max_epochs=40, patience=2)
    _, history = classifiers.train_classifier(
        *noise, settings=replace(NETWORK, training=training), seed=1, device=CPU
    )
    best = history["validation_loss"].idxmin()
    assert len(history) == min(best + 3, 40)


def test_early_stopping_uses_other_events_than_training(samples, monkeypatch):
    calls = {}

    def spy(network, _loss, *, train, validation, **_settings):
        calls.update(network=network, train=train, validation=validation)

    monkeypatch.setattr(classifiers, "fit", spy)
    classifiers.train_classifier(*samples, settings=NETWORK, seed=1, device=CPU)
    parts = ("train", "validation")
    rows = {part: {tuple(row) for row in calls[part][0].tolist()} for part in parts}
    assert len(rows["train"]) == 3200
    assert len(rows["validation"]) == 800
    assert not rows["train"] & rows["validation"]
    mean = calls["train"][0].mean(dim=0)
    assert torch.allclose(calls["network"].mean, mean, atol=1e-6)
    for part in parts:
        _, labels, weights = calls[part]
        assert weights[labels == 0].sum() == pytest.approx(float(weights[labels == 1].sum()))


def test_copies_of_an_event_are_recognised():
    x = np.array([[1, 2], [3, 4], [1, 2], [1, 4], [3, 4]], dtype="f4")
    assert classifiers.first_alike(x).tolist() == [0, 1, 0, 3, 1]


def test_events_that_occur_once_are_split_by_the_random_order_alone():
    x = np.random.default_rng(0).normal(size=(40, 2)).astype("f4")
    order = np.random.default_rng(3).permutation(40)
    train, validation = classifiers._set_aside(x, 0.25, np.random.default_rng(3))
    assert np.array_equal(validation, x[order[:10]])
    assert np.array_equal(train, x[order[10:]])


def test_copies_of_an_event_never_both_train_and_validate():
    x = np.random.default_rng(0).normal(size=(50, 2)).astype("f4")
    copies = x[np.random.default_rng(1).integers(50, size=200)]
    train, validation = classifiers._set_aside(copies, 0.25, np.random.default_rng(2))
    assert len(train) + len(validation) == 200
    assert 50 <= len(validation) < 60
    assert not {tuple(row) for row in train} & {tuple(row) for row in validation}
