"""Small networks that hunt bumps, for tests."""

import torch

from bumpflow.hunts.networks import build_network
from bumpflow.hunts.spectra import draw_backgrounds
from bumpflow.hunts.store import Hunter
from tests.unit.hunts.drawn import seeded, settings

WIDTHS = (1.0, 2.0, 3.0)
SIZES = {"components": 6, "directions": 2, "candidates": 1, "features": 8, "blocks": 2}


def small_network(architecture="library", *, widths=WIDTHS):
    """Return an untrained network, its library learnt."""
    torch.manual_seed(0)
    sizes = SIZES if architecture == "library" else {}
    network = build_network(architecture, widths=widths, **sizes)
    if architecture == "library":
        backgrounds = [
            draw_backgrounds(400, settings(), n_bins=n_bins, generator=seeded(1))[0]
            for n_bins in (30, 100)
        ]
        network.library.learn(backgrounds, seed=0)
    return network


def small_hunter(architecture="library"):
    """Return an untrained network as one that can be used."""
    return Hunter(small_network(architecture).eval(), WIDTHS, (30, 100), (10.0, 1e4))
