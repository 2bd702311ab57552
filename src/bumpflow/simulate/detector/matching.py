"""Find the jets that belong to quarks of the hard process."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.simulate.detector.jet_scale import B_JETS, OTHER_JETS
from bumpflow.simulate.detector.jets import BOTTOM
from bumpflow.simulate.detector.objects import Jets
from bumpflow.simulate.detector.pairing import pair_up
from bumpflow.simulate.detector.reconstruction import reconstruct
from bumpflow.simulate.detector.settings import Detector
from bumpflow.simulate.kinematics import azimuth, delta_r, pseudorapidity, transverse_momentum
from bumpflow.simulate.particles import Particles

HARD_OUTGOING = 23
"""Absolute status code of what leaves the hard process or the decay of a heavy resonance."""
HEAVIEST_QUARK, CHARGED_LEPTONS = 5, (11, 13, 15)
MATCH_RADIUS, ISOLATION_RADIUS = 0.3, 0.8


def match_partons(
    particles: Particles, detector: Detector, rng: np.random.Generator
) -> pd.DataFrame:
    """Return pairs of jets, before any correction, and the quarks that they come from.

    A quark is used if no other quark and no charged lepton of the hard process lies within 0.8;
    the nearest jet within 0.3 is its own.

    Args:
        particles: Generated events, best of semileptonic top quark pairs.
        detector: The detector.
        rng: Random numbers.

    Returns:
        One row per pair: ``group`` (``"b"`` or ``"light"``, of the quark), and the transverse
        momenta ``parton_pt_gev`` and ``jet_pt_gev`` [GeV].
    """
    raw = replace(detector.jets, min_pt_gev=detector.jets.min_raw_pt_gev)
    events = reconstruct(particles, replace(detector, jets=raw), rng)
    quark = _isolated_quarks(particles)
    momentum = particles.momentum[quark]
    jet = _nearest_jet(particles.event[quark], momentum, events.jets, particles.n_events)
    matched = jet >= 0
    is_b = np.abs(particles.pdg[quark]) == BOTTOM
    return pd.DataFrame(
        {
            "group": np.where(is_b, B_JETS, OTHER_JETS)[matched],
            "parton_pt_gev": transverse_momentum(momentum)[matched],
            "jet_pt_gev": events.jets.pt[jet[matched]],
        }
    )


def _isolated_quarks(particles: Particles) -> NDArray[np.int64]:
    """Return the entries of quarks of the hard process with no other parton around."""
    code = np.abs(particles.pdg)
    is_quark = code <= HEAVIEST_QUARK
    hard = np.abs(particles.status) == HARD_OUTGOING
    parton = np.flatnonzero(hard & (is_quark | np.isin(code, CHARGED_LEPTONS)))
    eta, phi = pseudorapidity(particles.momentum[parton]), azimuth(particles.momentum[parton])
    event = particles.event[parton]
    first, second = pair_up(event, event, particles.n_events)
    near = delta_r(eta[first], phi[first], eta[second], phi[second]) < ISOLATION_RADIUS
    alone = np.bincount(first[near], minlength=len(parton)) == 1  # only itself
    return parton[alone & is_quark[parton]]


def _nearest_jet(
    event: NDArray, momentum: NDArray, jets: Jets, n_events: int
) -> NDArray[np.int64]:
    """Return the position of the nearest jet of each quark, or -1 if none is near."""
    quark, jet = pair_up(event, jets.event, n_events)
    eta, phi = pseudorapidity(momentum), azimuth(momentum)
    distance = delta_r(eta[quark], phi[quark], jets.eta[jet], jets.phi[jet])
    near = distance < MATCH_RADIUS
    quark, jet, distance = quark[near], jet[near], distance[near]
    nearest = np.full(len(event), -1)
    order = np.argsort(-distance, kind="stable")  # of those set last, the nearest remains
    nearest[quark[order]] = jet[order]
    return nearest
