"""Reconstruct events: what a detector makes of generated particles.

Every sample of collisions goes through this one reconstruction.
"""

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.simulate.detector.isolation import is_isolated
from bumpflow.simulate.detector.jet_scale import scale_factors
from bumpflow.simulate.detector.jets import (
    Tags,
    cluster_jets,
    draw_enough_tags,
    draw_tags,
    heavy_hadrons,
    label_flavours,
    tag_probability,
)
from bumpflow.simulate.detector.objects import Events, Jets, Objects, sort_objects, take
from bumpflow.simulate.detector.response import EnergyFlow, respond
from bumpflow.simulate.detector.settings import Candidates, Detector
from bumpflow.simulate.kinematics import pseudorapidity, transverse_momentum
from bumpflow.simulate.particles import Particles

ELECTRON, MUON, PHOTON = 11, 13, 22


def reconstruct(
    particles: Particles,
    detector: Detector,
    rng: np.random.Generator,
    *,
    jet_scale: pd.DataFrame | None = None,
    tagging: Literal["draw", "weight"] = "draw",
    min_tags: int = 0,
) -> Events:
    """Return the objects that a detector reconstructs in generated events.

    Isolated leptons and photons are taken out of what jets are clustered from. The missing
    transverse momentum balances all that was measured, before jets are corrected.

    Args:
        particles: Generated events.
        detector: The detector.
        rng: Random numbers.
        jet_scale: Correction of the jets' energies, as
            :func:`bumpflow.simulate.detector.jet_scale.derive_jet_scale` returns it; None for none.
        tagging: ``"draw"``: jets are tagged or not. ``"weight"``: every event gets at least
            ``min_tags`` tags and is weighted by the probability to have so many, which keeps
            rare events.
        min_tags: Tags that the selection needs; of use if events are weighted.
    """
    flow = respond(particles, detector, rng)
    chosen = {
        code: identify(flow, code, candidates, rng)
        for code, candidates in (
            (ELECTRON, detector.electrons),
            (MUON, detector.muons),
            (PHOTON, detector.photons),
        )
    }
    jets, weights = _reconstruct_jets(
        particles,
        _without(flow, np.concatenate(list(chosen.values()))),
        detector,
        rng,
        jet_scale=jet_scale,
        tagging=tagging,
        min_tags=min_tags,
    )
    return Events(
        n_events=particles.n_events,
        electrons=_pick(flow, chosen[ELECTRON]),
        muons=_pick(flow, chosen[MUON]),
        photons=_pick(flow, chosen[PHOTON]),
        jets=jets,
        missing=missing_momentum(flow),
        weights=particles.weights * weights,
    )


def identify(
    flow: EnergyFlow, code: int, candidates: Candidates, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the positions of leptons or photons that are identified and isolated.

    Args:
        flow: All that the detector measured.
        code: Absolute code of the particles.
        candidates: What is asked of them.
        rng: Random numbers.
    """
    place = np.flatnonzero((flow.pt > candidates.min_pt_gev) & (np.abs(flow.pdg) == code))
    efficiency = candidates.efficiency(np.abs(flow.eta[place]))
    place = place[rng.random(len(place)) < efficiency]
    return place[is_isolated(flow, place, candidates.isolation)]


def missing_momentum(flow: EnergyFlow) -> NDArray[np.float64]:
    """Return what balances the measured transverse momenta [GeV], shape ``(n_events, 2)``."""
    missing = np.zeros((flow.n_events, 2))
    for axis in (0, 1):
        measured = flow.momentum[:, axis]
        missing[:, axis] -= np.bincount(flow.event, measured, minlength=flow.n_events)
    return missing


def _without(flow: EnergyFlow, removed: NDArray) -> tuple[NDArray, NDArray]:
    """Return events and momenta of all but some entries."""
    kept = np.ones(len(flow.event), dtype=bool)
    kept[removed] = False
    return flow.event[kept], flow.momentum[kept]


def _pick(flow: EnergyFlow, place: NDArray) -> Objects:
    """Return identified particles as objects; leptons with positive codes are negative."""
    code = flow.pdg[place]
    charge = np.where(code == PHOTON, 0, -np.sign(code))
    return sort_objects(Objects(flow.event[place], flow.momentum[place], charge))


def _reconstruct_jets(
    particles: Particles,
    constituents: tuple[NDArray, NDArray],
    detector: Detector,
    rng: np.random.Generator,
    *,
    jet_scale: pd.DataFrame | None,
    tagging: Literal["draw", "weight"],
    min_tags: int,
) -> tuple[Jets, NDArray[np.float64]]:
    """Return tagged and corrected jets, and factors of the events' weights."""
    finder, n_events = detector.jets, particles.n_events
    event, momentum = cluster_jets(
        *constituents, n_events=n_events, radius=finder.radius, min_pt=finder.min_raw_pt_gev
    )
    central = np.abs(pseudorapidity(momentum)) < finder.max_abs_eta
    event, momentum = event[central], momentum[central]
    hadrons = heavy_hadrons(particles, min_pt=finder.flavour_min_pt_gev)
    flavour = label_flavours(
        event, momentum, hadrons, n_events=n_events, radius=finder.flavour_radius
    )
    pt = transverse_momentum(momentum)
    if_tagged = scale_factors(pt, np.ones(len(pt), dtype=bool), jet_scale)
    tags = _tag(
        event,
        pt * if_tagged,
        flavour,
        detector,
        n_events=n_events,
        min_tags=min_tags if tagging == "weight" else None,
        rng=rng,
    )
    factor = scale_factors(pt, tags.level > 0, jet_scale)
    charge = np.zeros(len(event), dtype=np.int64)
    jets = Jets(event, momentum * factor[:, None], charge, tags.level, flavour)
    return sort_objects(take(jets, pt * factor >= finder.min_pt_gev)), tags.weights


def _tag(
    event: NDArray,
    pt: NDArray,
    flavour: NDArray,
    detector: Detector,
    *,
    n_events: int,
    min_tags: int | None,
    rng: np.random.Generator,
) -> Tags:
    """Tag jets that are hard enough if tagged; ``pt`` is what they have then."""
    hard = pt >= detector.jets.min_pt_gev
    loose = np.where(hard, tag_probability(pt, flavour, detector.btags.loose), 0)
    tight = np.minimum(tag_probability(pt, flavour, detector.btags.tight), loose)
    if min_tags is None:
        return draw_tags(loose, tight, n_events=n_events, rng=rng)
    return draw_enough_tags(event, loose, tight, n_events=n_events, min_tags=min_tags, rng=rng)
