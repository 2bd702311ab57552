"""Settings of drawn histograms, for tests."""

from dataclasses import replace

import torch

from bumpflow.hunts.spectra import SpectraSettings

SETTINGS = SpectraSettings(
    n_bins=(30, 100),
    counts=(10.0, 1e4),
    log_counts=True,
    families={"exponential": 1.0, "power2": 1.0, "dijet": 1.0, "dilepton": 1.0},
    stretch=0.5,
    widths=(1.0, 2.0, 3.0, 4.0),
    any_width=True,
    significance=(0.0, 10.0),
    signal_share=0.5,
    positions=(0.0, 1.0),
    on_centers=False,
    fluctuate_signal=True,
)


def settings(**changes):
    """Return the settings with some changed."""
    return replace(SETTINGS, **changes)


def seeded(seed):
    """Return a generator of random numbers."""
    return torch.Generator().manual_seed(seed)


def poisson(expected, *, seed):
    """Return fluctuated counts."""
    return torch.poisson(expected, generator=seeded(seed))
