"""Training, and classifiers, on every device as on the CPU."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from bumpflow import train
from bumpflow.classifiers import (
    NetworkSettings,
    restore_networks,
    store_networks,
    train_classifier,
)
from bumpflow.train import TrainSettings, fit

CPU = torch.device("cpu")
SETTINGS = TrainSettings(learning_rate=1e-2, batch_size=64, max_epochs=3, patience=3)
X = torch.randn(600, 3, generator=torch.Generator().manual_seed(1))
Y = X.sum(1) ** 2


class Killed(Exception):
    pass


def squared_error(model, x, y):
    return (model(x)[:, 0] - y) ** 2


def trained(device, *, loss=squared_error, **files):
    """Return a trained network's weights, on the CPU, and the training's history."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))
    events = {"train": (X[:500], Y[:500]), "validation": (X[500:], Y[500:])}
    history = fit(model, loss, **events, settings=SETTINGS, seed=3, device=device, **files)
    parameters = list(model.parameters())
    assert {parameter.device for parameter in parameters} == {device}
    return torch.cat([parameter.detach().cpu().flatten() for parameter in parameters]), history


def assert_alike(found, expected):
    """Compare weights and histories of two trainings."""
    torch.testing.assert_close(found[0], expected[0], rtol=1e-3, atol=1e-4)
    columns = ["epoch", "train_loss", "validation_loss"]
    pd.testing.assert_frame_equal(found[1][columns], expected[1][columns], rtol=1e-3)


def test_training_is_the_same_on_both_devices(device):
    assert_alike(trained(device), trained(CPU))


def test_events_that_do_not_fit_come_batch_by_batch(device, monkeypatch):
    monkeypatch.setattr(train, "DEVICE_SHARE", 0.0)
    assert_alike(trained(device), trained(CPU))


@pytest.mark.parametrize("calls", [5, 20])
def test_killed_training_resumes_on_the_device(device, tmp_path, monkeypatch, calls):
    monkeypatch.setattr(train, "CHECKPOINT_SECONDS", 0.0)
    left = iter(range(calls))

    def killing(model, x, y):
        if next(left, None) is None:
            raise Killed
        return squared_error(model, x, y)

    files = {"checkpoint": tmp_path / "part.safetensors"}
    with pytest.raises(Killed):
        trained(device, loss=killing, **files)
    assert_alike(trained(device, **files), trained(CPU))


def test_short_memory_halves_batches_on_the_device(device, caplog):
    def loss(model, x, y):
        if len(x) > 20 and torch.is_grad_enabled():
            msg = "CUDA out of memory"
            raise torch.OutOfMemoryError(msg)
        return squared_error(model, x, y)

    assert_alike(trained(device, loss=loss), trained(CPU))
    assert caplog.text.count("out of memory") == 2


def test_classifier_is_the_same_on_both_devices(device):
    rng = np.random.default_rng(0)
    x0, x1 = rng.normal(size=(400, 2)), rng.normal(size=(600, 2)) + 0.5
    settings = NetworkSettings(
        hidden_features=16, layers=2, repeats=2, validation_fraction=0.2, training=SETTINGS
    )
    classifier, _ = train_classifier(x0, x1, settings=settings, seed=1, device=device)
    (on_cpu,) = restore_networks(*store_networks([classifier]), device=CPU)
    (again,) = restore_networks(*store_networks([classifier]), device=device)
    expected = on_cpu.logit(x0)
    np.testing.assert_allclose(classifier.logit(x0), expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(again.logit(x0), expected, rtol=1e-3, atol=1e-3)
    other, _ = train_classifier(x0, x1, settings=settings, seed=1, device=CPU)
    np.testing.assert_allclose(classifier.logit(x0), other.logit(x0), rtol=0, atol=0.1)
