"""Densities on every device as on the CPU."""

import pytest
import torch

from bumpflow.flows.density import (
    DensitySettings,
    EventDensity,
    draw_blocks,
    fit_density,
    load,
    store,
)
from bumpflow.flows.families import FAMILIES, ON_UNIT_BOX
from bumpflow.io import write_tensors
from bumpflow.surrogates import Events, training_record
from bumpflow.train import TrainSettings

CUDA = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
NAMES = ("a", "b", "c", "d")


def trained(family, device, *, mixed_precision=False):
    """Return a density that learnt a little, its training's history, and the events."""
    x = torch.randn(1600, 4, generator=torch.Generator().manual_seed(0)).exp()
    mass = torch.rand(1600, 1, generator=torch.Generator().manual_seed(1))
    settings = DensitySettings(
        features=NAMES,
        family=family,
        sizes={"hidden_features": 32},
        scaler="rank" if family in ON_UNIT_BOX else "gaussrank",
        context=("mass",),
        members=2,
    )
    density = EventDensity(settings, seed=1)
    history = fit_density(
        density,
        train=(x[:1000], mass[:1000]),
        validation=(x[1000:], mass[1000:]),
        settings=TrainSettings(
            learning_rate=1e-3,
            batch_size=250,
            max_epochs=2,
            patience=3,
            mixed_precision=mixed_precision,
        ),
        seed=2,
        device=device,
    )
    return density, history, x, mass


def check(density, x, mass, device):
    """Compare a density and its draws with those of the same density on the CPU."""
    with torch.no_grad():
        found = density.log_prob(x.to(device), mass.to(device))
        generator = torch.Generator(device).manual_seed(3)
        context = mass[:1].expand(2000, 1).to(device)
        drawn = density.sample(2000, context, generator=generator)
        assert {part.device for part in (found, drawn)} == {device}
        on_cpu = density.cpu().log_prob(x, mass)
    torch.testing.assert_close(found.cpu(), on_cpu, rtol=1e-3, atol=1e-3)
    assert drawn.isfinite().all()
    torch.testing.assert_close(drawn.cpu().log().mean(0), x.log().mean(0), rtol=0, atol=0.3)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_trained_density_is_the_same_on_both_devices(family, device):
    density, _, x, mass = trained(family, device)
    check(density, x, mass, device)


@pytest.mark.parametrize("family", [pytest.param(name, marks=CUDA) for name in sorted(FAMILIES)])
def test_half_precision_in_training_leaves_the_density_whole(family):
    device = torch.device("cuda:0")
    density, _, x, mass = trained(family, device, mixed_precision=True)
    check(density, x, mass, device)


def test_stored_density_moves_to_the_device(device, tmp_path):
    density, history, x, mass = trained("box", torch.device("cpu"))
    with torch.no_grad():
        expected = density.log_prob(x, mass)
    tensors, settings = store(density.to(device))
    write_tensors(tmp_path / "model.safetensors", tensors, settings=settings)
    loaded = load(tmp_path / "model.safetensors", device=device)
    parts = {name: Events(x, mass, NAMES) for name in ("train", "validation")}
    record = training_record(loaded, history, parts, device=device)
    assert record["train_nll"] == pytest.approx(-float(expected.mean()), rel=1e-4)
    assert record["device"] == device.type
    pieces = draw_blocks(loaded, 500, block_size=200, seed=1, context=mass.to(device))
    tables = [piece.table(NAMES, ["mass"]) for piece in pieces]
    assert [len(table) for table in tables] == [200, 200, 100]
    assert all(table["mass"].isin(mass[:, 0].numpy()).all() for table in tables)
