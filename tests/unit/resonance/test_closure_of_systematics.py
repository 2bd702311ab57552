"""Mock data with varied features give back their signal and the size of the variation.

References:
    https://arxiv.org/abs/2506.06438, section 4.4
"""

import numpy as np
import pytest
import torch

from bumpflow.resonance.fitting import fit
from bumpflow.resonance.likelihood import ResonanceModel
from bumpflow.resonance.scoring import score
from bumpflow.resonance.toys import Pool, draw_toys, share_of
from bumpflow.resonance.variations import Interpolation, Norms
from tests.unit.resonance import world

N_TOYS, N_POOL = 60, 40_000
N_SIGNAL, N_BACKGROUND = 200.0, 8000.0
DENSITIES = world.densities(systematics=[world.SCALE])


def pool(kind, nu, seed):
    """Return events whose feature is that of the truth times ``1 + 0.03 nu``, scored."""
    generator = world.seeded(seed)
    x, mass = world.TRUTH.draw(kind, N_POOL, world.REGION, generator)
    shape = world.TRUTH.mass_density(kind)
    events = score(x.double() * (1 + 0.03 * nu), mass, DENSITIES)
    beside = torch.as_tensor(world.LAYOUT.shares(shape))
    return Pool(events, share_of(shape, world.REGION), beside)


def nominal_norms():
    """Return means of weights over the nominal densities."""
    parts = [pool(kind, 0, seed).events for seed, kind in enumerate(("signal", "background"))]
    up, down = (
        torch.stack([getattr(part, side)[:, index] for index, part in enumerate(parts)], dim=1)
        for side in ("up", "down")
    )
    return Norms.from_events(up, down)


@pytest.mark.parametrize("scheme", ["quadratic", "piecewise"])
@pytest.mark.parametrize("nu", [-1, 0, 1])
def test_signal_and_variation_are_given_back(scheme, nu):
    pools = [pool(kind, nu, 10 + seed) for seed, kind in enumerate(("signal", "background"))]
    toys = draw_toys(
        pools,
        [N_SIGNAL, N_BACKGROUND],
        N_TOYS,
        layout=world.LAYOUT,
        peak=world.p_signal,
        generator=world.seeded(nu + 5),
    )
    toys = toys._replace(measured=torch.full_like(toys.measured, float(nu)))
    norms = nominal_norms() if scheme == "piecewise" else None
    model = ResonanceModel(
        world.MASSES.background, n_systematics=1, interpolation=Interpolation(scheme, norms)
    )
    found = fit(model, toys)
    assert found.good.all()
    place = model.names.index("systematic1")
    for index, truth in ((0, N_SIGNAL), (place, float(nu))):
        values = found.values[:, index].numpy()
        errors = found.covariance[:, index, index].sqrt().numpy()
        mean_error = np.sqrt(np.mean(errors**2) / N_TOYS + np.mean(errors**2) / 20)
        assert values.mean() == pytest.approx(truth, abs=3 * mean_error)
    errors = found.covariance[:, place, place].sqrt().numpy()
    assert np.all(errors < 0.9)  # data say more of the variation than its constraint does
