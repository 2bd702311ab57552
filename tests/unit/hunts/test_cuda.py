"""Drawing, fitting, training and hunting on every device as on the CPU."""

from dataclasses import replace

import pytest
import torch

from bumpflow.hunts.library import BackgroundLibrary
from bumpflow.hunts.networks import ARCHITECTURES
from bumpflow.hunts.profiled import z_profiled
from bumpflow.hunts.spectra import draw_backgrounds, draw_spectra
from bumpflow.hunts.store import Hunter, predict
from bumpflow.hunts.targets import z_known
from bumpflow.hunts.training import train_hunter
from tests.unit.hunts.drawn import seeded, settings
from tests.unit.hunts.test_training import SETTINGS

WIDTHS = (1.0, 2.5, 4.0)


@pytest.mark.parametrize("counts", [(0.5, 10.0), (10.0, 1e5)])
def test_significances_are_the_same_on_both_devices(counts, device):
    drawn = draw_spectra(100, settings(counts=counts), n_bins=60, generator=seeded(1))
    observed, background = drawn.observed.to(device), drawn.background.to(device)
    known = z_known(observed, background, widths=WIDTHS).cpu()
    expected = z_known(drawn.observed, drawn.background, widths=WIDTHS)
    torch.testing.assert_close(known, expected, rtol=1e-3, atol=1e-3)
    found = z_profiled(observed, widths=WIDTHS, degree=(2, 4)).z.cpu()
    expected = z_profiled(drawn.observed, widths=WIDTHS, degree=(2, 4)).z
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-2)


def test_histograms_are_drawn_on_the_device(device):
    generator = torch.Generator(device).manual_seed(4)
    drawn = draw_spectra(200, settings(), n_bins=60, generator=generator)
    assert {part.device for part in drawn} == {device}
    assert drawn.observed.isfinite().all()
    z = z_known(drawn.observed, drawn.background, widths=WIDTHS)
    assert float(z.mean()) == pytest.approx(0, abs=1.5)


def test_library_moves_to_the_device(device):
    seen, _ = draw_backgrounds(500, settings(), n_bins=60, generator=seeded(2))
    library = BackgroundLibrary(5, 3).learn([seen], seed=1)
    expected = library(seen[:50], seen[:50]).background().log_background
    library.to(device)
    found = library(seen[:50].to(device), seen[:50].to(device)).background().log_background
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_trained_network_predicts_the_same_on_both_devices(architecture, device):
    n_bins = 100 if architecture == "znet" else 35
    chosen = replace(
        SETTINGS,
        architecture=architecture,
        sizes=SETTINGS.sizes if architecture == SETTINGS.architecture else {},
        spectra=settings(n_bins=(n_bins, n_bins)),
        training=replace(SETTINGS.training, max_epochs=1, batch_size=32),
        epoch_size=64,
        validation_size=32,
    )
    network, history = train_hunter(chosen, seed=1, device=device)
    assert history["validation_loss"].notna().all()
    drawn = draw_spectra(20, chosen.spectra, n_bins=n_bins, generator=seeded(5)).observed
    exposures = [None]
    if architecture == SETTINGS.architecture:
        exposures.append(torch.linspace(0.5, 2, n_bins))
    hunter = Hunter(network.eval(), chosen.widths, (n_bins, n_bins), (10.0, 1e4))
    found = [list(predict(hunter, drawn, exposure=exposure)) for exposure in exposures]
    network.cpu()
    expected = [list(predict(hunter, drawn, exposure=exposure)) for exposure in exposures]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
