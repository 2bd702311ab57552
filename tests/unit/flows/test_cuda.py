"""The same on CUDA as on the CPU."""

import pytest
import torch

from bumpflow.flows.density import DensitySettings, EventDensity, fit_density
from bumpflow.flows.families import FAMILIES, ON_UNIT_BOX
from bumpflow.train import TrainSettings

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.mark.parametrize("mixed_precision", [False, True])
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_trained_density_is_the_same_on_both_devices(family, mixed_precision):
    x = torch.randn(4000, 4, generator=torch.Generator().manual_seed(0)).exp()
    mass = torch.rand(4000, 1, generator=torch.Generator().manual_seed(1))
    settings = DensitySettings(
        features=("a", "b", "c", "d"),
        family=family,
        sizes={"hidden_features": 32},
        scaler="rank" if family in ON_UNIT_BOX else "gaussrank",
        context=("mass",),
        members=2,
    )
    density = EventDensity(settings, seed=1)
    fit_density(
        density,
        train=(x[:3000], mass[:3000]),
        validation=(x[3000:], mass[3000:]),
        settings=TrainSettings(
            learning_rate=1e-3,
            batch_size=256,
            max_epochs=3,
            patience=3,
            mixed_precision=mixed_precision,
        ),
        seed=2,
        device=torch.device("cuda"),
    )
    with torch.no_grad():
        on_cuda = density.log_prob(x.cuda(), mass.cuda()).cpu()
        generator = torch.Generator("cuda").manual_seed(3)
        drawn = density.sample(5000, mass[:1].expand(5000, 1).cuda(), generator=generator).cpu()
        on_cpu = density.cpu().log_prob(x, mass)
    torch.testing.assert_close(on_cuda, on_cpu, rtol=1e-3, atol=1e-3)
    assert drawn.isfinite().all()
    torch.testing.assert_close(drawn.log().mean(0), x.log().mean(0), rtol=0, atol=0.3)
