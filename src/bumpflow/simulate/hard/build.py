"""Hard processes with our own matrix elements, by the settings of a sample."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bumpflow.simulate.hard.hh_process import DoubleHiggs
from bumpflow.simulate.hard.partons import HardProcess
from bumpflow.simulate.hard.qqaa_channels import DiphotonSettings
from bumpflow.simulate.hard.qqaa_phase_space import PhaseSpaceCuts
from bumpflow.simulate.hard.qqaa_process import DiphotonBackground, adapt_phase_space
from bumpflow.simulate.settings import LOOP

FLAVOURS = {"bbaa": 5, "ccaa": 4}
"""Codes of the quarks of each tree-level process."""
MIN_DELTA_R, SHARE_DELTA_R = 0.35, 0.6
"""Least distance of photons from quarks: that of the selection times this, as jets are not quite
where their quarks are. Of events that a selection at 1 keeps, 0.6 % have a quark within 0.6."""


def build_hard_process(settings: Mapping[str, Any], table: pd.DataFrame) -> HardProcess:
    """Return what draws the hard processes of a sample.

    Args:
        settings: Settings of the sample.
        table: What its process needs: form factors, or the adapted phase space.
    """
    beams = settings["beams"]
    if settings["process"] in LOOP:
        return DoubleHiggs(
            table,
            energy_gev=beams["energy_gev"],
            pdf=beams["pdf"],
            kappa_lambda=settings.get("kappa_lambda", 1.0),
        )
    return DiphotonBackground(table, diphoton_settings(settings))


def adapt_process(
    settings: Mapping[str, Any], *, n_iterations: int, n_evaluations: int, seed: int
) -> pd.DataFrame:
    """Return the adapted phase space of a sample's tree-level process.

    Args:
        settings: Settings of the sample.
        n_iterations: Iterations of the adaptation.
        n_evaluations: Matrix elements per iteration and channel.
        seed: Seed of the adaptation.
    """
    return adapt_phase_space(
        diphoton_settings(settings),
        n_iterations=n_iterations,
        n_evaluations=n_evaluations,
        rng=np.random.default_rng(seed),
    )


def diphoton_settings(settings: Mapping[str, Any]) -> DiphotonSettings:
    """Return the settings of a tree-level process of two quarks and two photons.

    Args:
        settings: Settings of the sample.
    """
    beams, selected = settings["beams"], settings["selection"].get("min_dr_photon_bjet", 0.0)
    distance = max(MIN_DELTA_R, SHARE_DELTA_R * selected)
    return DiphotonSettings(
        energy_gev=float(beams["energy_gev"]),
        pdf=beams["pdf"],
        flavour=FLAVOURS[settings["process"]],
        cuts=PhaseSpaceCuts(photon_parton_delta_r=distance),
    )
