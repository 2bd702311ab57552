"""Densities, scores, fits and pseudo-experiments on every device as on the CPU."""

import pytest
import torch

from bumpflow import io
from bumpflow.resonance.densities import load_densities, log_densities, smear, store_densities
from bumpflow.resonance.fitting import curvatures, fit
from bumpflow.resonance.likelihood import DataSets, Events, Sidebands
from tests.unit.resonance import world
from tests.unit.resonance.test_densities import TRAINING, events, train
from tests.unit.resonance.test_fitting import FULL, MODEL

CPU = torch.device("cpu")


def moved(data, device):
    """Return data sets on a device."""
    events, weight, sidebands, measured = data
    return DataSets(
        Events(*(part.to(device) for part in events)),
        weight.to(device),
        Sidebands(*(part.to(device) for part in sidebands)),
        measured.to(device),
    )


def test_fits_are_the_same_on_both_devices(device):
    data = world.toys(3, 90.0, 1000.0, **FULL)
    found, expected = (fit(MODEL, moved(data, on)) for on in (device, CPU))
    assert found.values.device == device
    assert expected.good.all()
    for name, part in expected._asdict().items():
        other = getattr(found, name).cpu()
        torch.testing.assert_close(other, part, rtol=1e-4, atol=1e-4, msg=name)
    shape = curvatures(MODEL, moved(data, device), found.values)
    torch.testing.assert_close(
        shape.cpu(), curvatures(MODEL, data, expected.values), rtol=1e-4, atol=1e-4
    )


def test_densities_are_the_same_on_both_devices(device, tmp_path):
    x, mass = events(600)
    trained = train(x, mass, n_bootstraps=1, training=TRAINING, device=device)
    tensors, settings = store_densities(trained.densities)
    io.write_tensors(tmp_path / "densities.safetensors", tensors, settings=settings)
    parts = []
    for on in (device, CPU):
        loaded = load_densities(tmp_path / "densities.safetensors", device=on)
        assert {density.lower.device for density in loaded} == {on}
        parts.append(log_densities(loaded, x.to(on), mass.to(on)).cpu())
    torch.testing.assert_close(*parts, rtol=1e-3, atol=1e-3)


def test_events_are_smeared_on_the_device(device):
    x, _ = events(100)
    generator = torch.Generator(device).manual_seed(1)
    widths = torch.ones(2, dtype=x.dtype, device=device)
    moved_x = smear(x.to(device), widths, generator=generator)
    assert moved_x.device == device
    assert float((moved_x.cpu() - x).std()) == pytest.approx(1, abs=0.2)
