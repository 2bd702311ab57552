"""Cross-sections and mass spectra of pairs of Higgs bosons by their trilinear coupling."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bumpflow.simulate.gather import FB_PER_PB
from bumpflow.simulate.hard.hh_process import DoubleHiggs
from bumpflow.simulate.kinematics import invariant_mass
from bumpflow.workflow import derive_seed

MASS_EDGES_GEV = np.concatenate([np.arange(250, 600, 10), np.arange(600, 1001, 40)])
N_EVENTS = 20_000
GLUONS = slice(0, 2)


def tabulate_double_higgs(
    form_factors: pd.DataFrame,
    *,
    energy_gev: float,
    pdf: str,
    kappa_lambdas: Sequence[float],
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return spectra and total cross-sections of gg to HH, without decays.

    Args:
        form_factors: Table of :func:`~bumpflow.simulate.hard.form_factors.tabulate_form_factors`.
        energy_gev: Centre-of-mass energy of two protons [GeV].
        pdf: Name of parton densities.
        kappa_lambdas: Trilinear couplings in units of the Standard Model's.
        seed: Seed of the events that spectra are drawn with.

    Returns:
        Spectra: ``kappa_lambda``, ``m_hh_gev`` (centre of a bin), ``m_hh_low_gev``,
        ``m_hh_high_gev``, ``dsigma_fb_per_gev`` and ``dsigma_error``. Totals: ``kappa_lambda``,
        ``crosssection_fb`` and ``crosssection_error_fb``.
    """
    spectra, totals = [], []
    for kappa in kappa_lambdas:
        process = DoubleHiggs(form_factors, energy_gev=energy_gev, pdf=pdf, kappa_lambda=kappa)
        total = process.pair_crosssection_pb * FB_PER_PB
        relative = process.crosssection_error_pb / process.crosssection_pb
        totals.append((kappa, total, relative * total))
        spectra.append(
            _spectrum(process, total, derive_seed(seed, str(kappa))).assign(kappa_lambda=kappa)
        )
    columns = ["kappa_lambda", "crosssection_fb", "crosssection_error_fb"]
    return pd.concat(spectra, ignore_index=True), pd.DataFrame(totals, columns=columns)


def _spectrum(process: DoubleHiggs, total: float, seed: int) -> pd.DataFrame:
    """Return the spectrum of the pair's mass, from events that are drawn."""
    partons = process.draw(N_EVENTS, np.random.default_rng(seed))
    mass = invariant_mass(partons.momenta[:, GLUONS].sum(axis=1))
    low, high = MASS_EDGES_GEV[:-1], MASS_EDGES_GEV[1:]
    sums, squares = (
        np.histogram(mass, MASS_EDGES_GEV, weights=partons.weights**power)[0] for power in (1, 2)
    )
    scale = total / partons.weights.sum() / (high - low)
    return pd.DataFrame(
        {
            "m_hh_gev": (low + high) / 2,
            "m_hh_low_gev": low,
            "m_hh_high_gev": high,
            "dsigma_fb_per_gev": sums * scale,
            "dsigma_error": np.sqrt(squares) * scale,
        }
    )
