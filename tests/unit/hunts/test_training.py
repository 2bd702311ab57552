"""Training on histograms that are drawn meanwhile."""

from dataclasses import replace

import pytest
import torch

from bumpflow import io
from bumpflow.hunts import training
from bumpflow.hunts.networks import LibraryNet, Prediction
from bumpflow.hunts.training import (
    HunterSettings,
    draw_batch,
    hunting_loss,
    targets_of,
    train_hunter,
)
from bumpflow.train import TrainSettings
from tests.unit.hunts.drawn import seeded, settings
from tests.unit.hunts.networks import SIZES

CONFIG = io.read_yaml("config/config.yaml")
SETTINGS = HunterSettings(
    architecture="library",
    sizes=SIZES,
    widths=(1.0, 3.0),
    spectra=settings(n_bins=(30, 40)),
    training=TrainSettings(learning_rate=3e-3, batch_size=64, max_epochs=3, patience=3),
    epoch_size=640,
    validation_size=256,
    library_size=400,
)
CPU = torch.device("cpu")


def weights(network):
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def test_training_lowers_the_loss_and_repeats_itself():
    network, history = train_hunter(SETTINGS, seed=1, device=CPU)
    assert history["validation_loss"].iloc[-1] < history["validation_loss"].iloc[0]
    assert history["histograms"].tolist() == [640, 1280, 1920]
    again, _ = train_hunter(SETTINGS, seed=1, device=CPU)
    other, _ = train_hunter(SETTINGS, seed=2, device=CPU)
    assert torch.equal(weights(network), weights(again))
    assert not torch.equal(weights(network), weights(other))


def test_killed_training_resumes(tmp_path, monkeypatch):
    monkeypatch.setattr("bumpflow.train.CHECKPOINT_SECONDS", 0.0)
    whole, _ = train_hunter(SETTINGS, seed=1, device=CPU)
    calls = iter(range(1000))

    class Killed(Exception):
        pass

    def loss(*arguments):
        if next(calls) > 20:
            raise Killed
        return hunting_loss(*arguments)

    checkpoint = tmp_path / "checkpoint.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(training, "hunting_loss", loss)
        with pytest.raises(Killed):
            train_hunter(SETTINGS, seed=1, device=CPU, checkpoint=checkpoint)
    assert checkpoint.exists()
    resumed, history = train_hunter(SETTINGS, seed=1, device=CPU, checkpoint=checkpoint)
    assert torch.equal(weights(whole), weights(resumed))
    assert history["epoch"].tolist() == [0, 1, 2]
    assert not checkpoint.exists()


def test_target_of_several_widths_is_their_largest():
    batch = draw_batch(20, SETTINGS, n_bins=30, generator=seeded(1))
    assert batch.z.shape == (20, 3, 30)
    assert torch.equal(batch.z[:, 2], batch.z[:, :2].amax(1))
    one = targets_of(batch.observed, batch.background, widths=(1.0,))
    assert torch.equal(one, batch.z[:, :1])
    assert set(batch.has_signal.tolist()) == {0.0, 1.0}


def told(batch, *, off=0.0):
    """Return the prediction of a network that knows the truth but for a constant."""
    z_max = batch.z[:, -1].amax(1).clamp_min(0)
    quantiles = (z_max + off)[:, None] + 0.01 * torch.arange(-2.0, 3.0)
    log_sigma = torch.full_like(batch.z, -3.0)
    evidence = 20 * (2 * batch.has_signal - 1)
    background = batch.background * (1 + 0.1 * off)
    return Prediction(background, batch.z + off, log_sigma, z_max + off, quantiles, evidence)


@pytest.mark.parametrize("part", Prediction._fields)
def test_loss_tells_every_output_from_the_truth(part):
    batch = draw_batch(50, SETTINGS, n_bins=30, generator=seeded(1))
    right, wrong = told(batch), told(batch, off=0.5)
    wrong_part = -right.evidence if part == "evidence" else getattr(wrong, part)
    if part == "log_sigma":
        wrong_part = right.log_sigma + 2
    mixed = right._replace(**{part: wrong_part})
    losses = [hunting_loss(lambda _, p=p: p, *batch).mean() for p in (right, mixed)]
    assert losses[1] > losses[0] + 1e-3


def test_networks_of_one_target_are_compared_with_the_largest():
    batch = draw_batch(10, SETTINGS, n_bins=30, generator=seeded(1))
    right = told(batch)
    single = right._replace(z=right.z[:, -1:], log_sigma=right.log_sigma[:, -1:])
    first = right._replace(z=right.z[:, :1], log_sigma=right.log_sigma[:, :1])
    assert (
        hunting_loss(lambda _: single, *batch).mean()
        < hunting_loss(lambda _: first, *batch).mean()
    )


@pytest.mark.parametrize("name", CONFIG["hunters"])
def test_every_network_of_the_configuration_can_be_built_and_fed(name):
    block = CONFIG["hunters"][name]
    chosen = HunterSettings.from_config(block, CONFIG["spectra"][block["spectra"]])
    assert chosen.spectra.widths == chosen.widths
    network = training.build_network(chosen.architecture, widths=chosen.widths, **chosen.sizes)
    simulated = {**chosen.spectra.families, "simulated": 0}
    drawn = replace(chosen, spectra=replace(chosen.spectra, families=simulated))
    batch = draw_batch(4, drawn, n_bins=100, generator=seeded(1))
    if isinstance(network, LibraryNet):
        network.library.learn([batch.background.repeat(200, 1) * torch.rand(800, 100)], seed=0)
    assert hunting_loss(network, *batch).shape == (4,)


def test_thesis_networks_differ_by_width_and_histograms():
    """Table 2 of the thesis."""
    for prefix, simulated in (("f", 0), ("dmf", 10)):
        for width in ("1w", "2w", "3w", "4w", "mw"):
            block = CONFIG["hunters"][prefix + width]
            families = CONFIG["spectra"][block["spectra"]]["families"]
            assert block["widths"] == ([1, 2, 3, 4] if width == "mw" else [int(width[0])])
            assert families.get("simulated", 0) == simulated
            assert sum(families.values()) == 10 + simulated
            assert training.build_network(block["architecture"], widths=block["widths"]).widths
