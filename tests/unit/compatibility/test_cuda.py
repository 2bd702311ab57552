"""Posteriors, ratios, pairs and toys on every device as on the CPU."""

import numpy as np
import pandas as pd
import pytest
import torch

from bumpflow import io
from bumpflow.compatibility.ensembles import (
    PairSettings,
    restore_pair_networks,
    store_pair_networks,
    train_pair_networks,
)
from bumpflow.compatibility.hunting import Scorer, try_hunts
from bumpflow.compatibility.inference import locate, summarise
from bumpflow.compatibility.networks import pair_logits
from bumpflow.compatibility.posteriors import load_posterior, store_posterior, train_posterior
from bumpflow.compatibility.ratio import (
    RatioSettings,
    log_ratios,
    restore_ratio,
    store_ratio,
    train_ratio,
)
from bumpflow.compatibility.toys import Toys, draw_toys
from bumpflow.simulate.alps.features import FEATURES, observe
from bumpflow.simulate.alps.sampling import PARAMETERS, sample_events
from tests import compatible_events as made
from tests.unit.compatibility import test_hunting as hunts
from tests.unit.compatibility.test_posteriors import POOR, RESOLUTION, SETTINGS, SETUP, TRAINING
from tests.unit.simulate.alps.setups import SHIP

CPU = torch.device("cpu")
TRAINED = {"learning_rate": 1e-2, "batch_size": 100, "max_epochs": 2, "patience": 2}


def seeded(seed, device=CPU):
    return torch.Generator(device).manual_seed(seed)


@pytest.fixture(scope="module")
def events():
    """Features and true parameters of simulated events."""
    table = sample_events(SETUP, [0], seed=1, n_events=400)
    features = observe(table, SETUP, POOR, rng=np.random.default_rng(2))
    both = features[list(FEATURES)], table[list(PARAMETERS)]
    return tuple(torch.tensor(part.to_numpy(), dtype=torch.float32) for part in both)


def test_posteriors_are_the_same_on_both_devices(events, device, tmp_path):
    given = {"settings": SETTINGS, "setup": SETUP, "resolution": POOR, "training": TRAINING}
    x, theta = events
    posterior, _ = train_posterior(x, theta, **given, seed=1, device=device)
    assert posterior.device == device
    tensors, settings = store_posterior(posterior, {"setup": SHIP, "resolution": RESOLUTION})
    io.write_tensors(tmp_path / "posterior.safetensors", tensors, settings=settings)
    on_cpu = load_posterior(tmp_path / "posterior.safetensors", device=CPU)
    again = load_posterior(tmp_path / "posterior.safetensors", device=device)
    for name in ("log_ratio", "joint_log_ratio"):
        expected = getattr(on_cpu, name)(x)
        for found in (getattr(posterior, name)(x), getattr(again, name)(x.to(device))):
            assert found.device == device
            torch.testing.assert_close(found.cpu(), expected, rtol=1e-3, atol=2e-3)
    axis = posterior.grid.mass
    found, expected = (summarise(one.log_ratio(x), axis) for one in (again, on_cpu))
    torch.testing.assert_close([part.cpu() for part in found], list(expected), rtol=0, atol=1e-2)
    found, expected = (locate(one.log_ratio(x), axis, theta[:, 0]) for one in (again, on_cpu))
    torch.testing.assert_close([part.cpu() for part in found], list(expected), rtol=0, atol=1e-2)


@pytest.mark.parametrize("contrast", ["all", "halves"])
def test_ratios_are_the_same_on_both_devices(contrast, device):
    theta = made.draw_background(500, seeded(1))
    x = torch.stack([made.draw_signal(500, seeded(2), at=theta), theta.flip(0)], 1)
    block = {
        "sizes": {"hidden_features": 16, "layers": 2, "max_norm": 2.0},
        "contrast": contrast,
        "validation_fraction": 0.2,
        "training": TRAINED,
    }
    settings = RatioSettings.from_config(block)
    network, _ = train_ratio(x, theta, settings=settings, seed=3, device=device)
    found = log_ratios(network, x, made.GRID, made.WEIGHTS)
    assert found.device == device
    restored = restore_ratio(*store_ratio(network), device=CPU)
    expected = log_ratios(restored, x, made.GRID, made.WEIGHTS)
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("architecture", ["features", "posteriors"])
def test_pair_networks_are_the_same_on_both_devices(architecture, apart, device):
    theta = made.draw_background(300, seeded(1))
    pairs = made.draw_signal(600, seeded(2), at=theta.repeat_interleave(2)).view(300, 2)
    together = pairs[..., None].float() if architecture == "features" else made.log_ratio(pairs)
    sizes = {"channels": [8, 8]} if architecture == "posteriors" else {}
    block = {
        "architecture": architecture,
        "sizes": {"hidden_features": 8, "layers": 2} | sizes,
        "members": 1,
        "validation_fraction": 0.2,
        "training": TRAINED,
    }
    trained = train_pair_networks(
        together,
        together.roll(1, 0) if apart else None,
        settings=PairSettings.from_config(block),
        seed=4,
        device=device,
    )
    stored = store_pair_networks(trained.networks, architecture)
    (on_cpu,) = restore_pair_networks(*stored, device=CPU)
    (again,) = restore_pair_networks(*stored, device=device)
    toys = together[:40].flatten(0, 1).unflatten(0, (16, 5))
    mask = torch.rand(16, 5, generator=seeded(5)) < 0.8
    expected = pair_logits(on_cpu, toys, mask)
    for x, there in ((toys, mask), (toys.to(device), mask.to(device))):
        for network in (trained.networks[0], again):
            found = pair_logits(network, x, there)
            assert found.device == x.device
            torch.testing.assert_close(found.cpu(), expected, rtol=1e-3, atol=1e-3)


def test_toys_are_hunted_the_same_on_both_devices(device):
    networks = {
        "eco": Scorer("x", hunts.near),
        "epo": Scorer("published", lambda logs, _: torch.sigmoid(logs @ logs.mT / 1e3)),
    }
    toys = hunts.draw_cells(
        hunts.CELLS, background_pool=30, signal_pool=20, generator=seeded(3, device)
    )
    assert toys.rows.device == device
    background, signal = (type(pool)(*(part.to(device) for part in pool)) for pool in hunts.POOLS)
    given = {"weights": made.WEIGHTS, "networks": networks, "settings": hunts.SETTINGS}
    found = try_hunts(toys, background, signal, **given)
    on_cpu = Toys(*(part.cpu() for part in toys))
    expected = try_hunts(on_cpu, *hunts.POOLS, **given)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-3, atol=1e-3)


def test_toys_are_drawn_on_the_device(device):
    toys = draw_toys([3, 5, 0], 2, background_pool=50, signal_pool=9, generator=seeded(1, device))
    assert {part.device for part in toys} == {device}
    assert toys.mask.sum(1).tolist() == [5, 7, 2]
    assert toys.signal.sum(1).tolist() == [2, 2, 2]
