"""Posteriors of sets on every device as on the CPU."""

import torch

from bumpflow import io
from bumpflow.reconstruction.amortised import train_sets
from bumpflow.reconstruction.published import PublishedSettings, train_published
from bumpflow.reconstruction.sets import Drawing
from bumpflow.reconstruction.store import load_published, load_sets, store_published, store_sets
from bumpflow.train import TrainSettings
from tests.unit.reconstruction.small import (
    CPU,
    DETECTORS,
    DRAWING,
    SETTINGS,
    SETUP,
    measured,
    new_generator,
    random_posterior,
    true_sets,
)
from tests.unit.simulate.alps.setups import SHORT

TRAINING = TrainSettings(learning_rate=3e-3, batch_size=50, max_epochs=1, patience=5)


def numbers_of(posterior, sets, draws):
    """Return what posteriors say about sets, on the CPU."""
    beliefs = posterior.look(sets)
    grid = posterior.on_grid(beliefs, n_masses=9, n_lifetimes=7)
    summary = posterior.summarise(beliefs)
    below = posterior.mass_below(beliefs, draws[:, 0, 0])
    found = [posterior.log_prob(beliefs, draws), grid, *summary, below]
    assert {part.device for part in found} == {posterior.device}
    return [part.cpu() for part in found]


def test_posteriors_are_the_same_on_both_devices(device, tmp_path):
    sets = measured().rows(slice(0, 20))
    on_cpu = random_posterior()
    tensors, settings = store_sets(on_cpu, SHORT)
    io.write_tensors(tmp_path / "sets.safetensors", tensors, settings=settings)
    loaded = load_sets(tmp_path / "sets.safetensors", device=device)
    generator = torch.Generator(device).manual_seed(2)
    draws = loaded.sample(loaded.look(sets), 5, generator=generator)
    assert draws.device == device
    found, expected = (numbers_of(one, sets, draws.cpu()) for one in (loaded, on_cpu))
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=2e-3)
    assert expected[0].isfinite().all()


def test_training_on_sets_runs_on_the_device(device):
    trained, history = train_sets(
        true_sets(),
        true_sets(100, 4, 2),
        settings=SETTINGS,
        drawing=DRAWING,
        training=TRAINING,
        seed=1,
        device=device,
    )
    assert trained.device == device
    assert history[["train_loss", "validation_loss"]].notna().all(axis=None)


def test_published_network_is_the_same_on_both_devices(device, tmp_path):
    sets = Drawing(SETUP, DETECTORS, (3, 3)).draw(true_sets(), new_generator())
    theta = true_sets().theta
    settings = PublishedSettings(hidden_features=16, layers=2)
    network, _ = train_published(
        sets, theta, settings=settings, training=TRAINING, seed=1, device=device
    )
    tensors, kept = store_published(network)
    io.write_tensors(tmp_path / "cinn.safetensors", tensors, settings=kept)
    parts = []
    for on in (device, CPU):
        loaded = load_published(tmp_path / "cinn.safetensors", device=on)
        x = loaded.concatenate(sets).to(on)
        with torch.no_grad():
            parts.append(loaded.log_prob(loaded(x), theta.to(on)).cpu())
    torch.testing.assert_close(*parts, rtol=1e-3, atol=1e-3)
