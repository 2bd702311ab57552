"""Networks that compare samples on every device as on the CPU."""

import numpy as np
import pytest
import torch

from bumpflow.evaluate.reweighting import (
    ReweightingSettings,
    restore,
    store,
    train_reweighter,
)
from bumpflow.evaluate.witnesses import hear_witnesses

CPU = torch.device("cpu")
RESMLP = {
    "hidden_features": 16,
    "layers": 2,
    "repeats": 1,
    "validation_fraction": 0.2,
    "training": {"learning_rate": 1e-2, "batch_size": 100, "max_epochs": 2, "patience": 2},
}
TREES = {
    "learning_rate": 0.1,
    "max_iter": 10,
    "max_leaf_nodes": 8,
    "l2_regularization": 1.0,
    "patience": 5,
    "validation_fraction": 0.2,
}
RNG = np.random.default_rng(0)
MC, GENERATED = RNG.normal(size=(600, 2)), RNG.normal((0.8, 0.0), size=(900, 2))


def test_witnesses_say_the_same_on_both_devices(device):
    settings = {
        "train_ratio": 1.0,
        "test_ratio": 1.0,
        "confidence": 0.95,
        "n_permutations": 50,
        "resmlp": RESMLP,
        "trees": TREES,
    }
    given = {"features": ["a", "b"], "settings": settings, "seed": 1}
    heard = [
        hear_witnesses(MC[:400], MC[400:], GENERATED, device=on, **given) for on in (device, CPU)
    ]
    auc = [testimony.record()["resmlp"]["auc"] for testimony in heard]
    assert auc[0] == pytest.approx(auc[1], abs=0.01)
    assert auc[0] > 0.6


def test_reweighting_is_the_same_on_both_devices(device):
    block = {"folds": 2, "clip": 20.0, "resmlp": RESMLP}
    settings = ReweightingSettings.from_config(block)
    reweighter, _ = train_reweighter(MC, GENERATED, settings=settings, seed=2, device=device)
    on_cpu = restore(*store(reweighter), device=CPU)
    weight = reweighter.weight(GENERATED)
    np.testing.assert_allclose(weight, on_cpu.weight(GENERATED), rtol=1e-3)
    assert np.average(GENERATED[:, 0], weights=weight) < 0.5 * GENERATED[:, 0].mean()
