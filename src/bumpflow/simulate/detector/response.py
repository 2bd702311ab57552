"""What a detector measures of each particle that reaches it.

Each particle is measured by the part of the detector that measures it best, as particle-flow
reconstruction does ideally: charged hadrons and muons by the tracker, electrons and photons by the
electromagnetic calorimeter, all else by the hadronic one. There is no pile-up, no magnetic field
and no granularity.

References:
    de Favereau et al. (2013), Delphes 3, https://arxiv.org/abs/1307.6346
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bumpflow.simulate.detector.settings import Detector
from bumpflow.simulate.kinematics import azimuth
from bumpflow.simulate.particles import NEUTRINOS, Particles

CHARGED_HADRONS = (211, 321, 2212, 3112, 3222, 3312, 3334)
"""Those that live long enough to be measured."""
LARGEST_CODE = 10_000


class Category(IntEnum):
    """What part of the detector a particle is measured by."""

    NEUTRAL = 0
    CHARGED = 1
    ELECTRON = 2
    MUON = 3
    PHOTON = 4
    INVISIBLE = 5


@dataclass(frozen=True)
class EnergyFlow:
    """What the detector measures of the particles of a batch of events.

    Attributes:
        n_events: Number of events.
        event: Which event each entry belongs to, ascending, shape ``(n,)``.
        pdg: Codes of the particles behind them, shape ``(n,)``.
        momentum: Measured momenta (px, py, pz, E) [GeV], shape ``(n, 4)``.
        pt: Measured transverse momenta [GeV], shape ``(n,)``.
        eta: Pseudorapidities, shape ``(n,)``.
        phi: Azimuths [rad], shape ``(n,)``.
    """

    n_events: int
    event: NDArray[np.int64]
    pdg: NDArray[np.int64]
    momentum: NDArray[np.float64]
    pt: NDArray[np.float64]
    eta: NDArray[np.float64]
    phi: NDArray[np.float64]


@cache
def _categories() -> NDArray[np.int8]:
    """Return the category of each absolute particle code; larger ones are neutral."""
    table = np.full(LARGEST_CODE + 1, Category.NEUTRAL, np.int8)
    table[list(CHARGED_HADRONS)] = Category.CHARGED
    table[list(NEUTRINOS)] = Category.INVISIBLE
    table[11], table[13], table[22] = Category.ELECTRON, Category.MUON, Category.PHOTON
    return table


def respond(particles: Particles, detector: Detector, rng: np.random.Generator) -> EnergyFlow:
    r"""Return what a detector measures of generated particles.

    A particle of energy :math:`E` is measured with a factor that is log-normal, with mean 1 and
    the relative resolution as its standard deviation, so that nothing becomes negative. Directions
    are exact. Charged hadrons that the tracker misses are measured by the hadronic calorimeter.

    Args:
        particles: Generated events.
        detector: The detector.
        rng: Random numbers.
    """
    final = np.flatnonzero(particles.status > 0)
    codes = np.minimum(np.abs(particles.pdg[final]), LARGEST_CODE)
    category = _categories()[codes]
    seen = category != Category.INVISIBLE
    final, category = final[seen], category[seen]
    px, py, pz, energy = particles.momentum[final].T
    pt = np.hypot(px, py)
    eta = np.arcsinh(pz / np.maximum(pt, 1e-9))
    part, lost = _assign(category, np.abs(eta), pt, detector, rng)
    scale = _draw_scale(part, np.abs(eta), pt, energy, detector, rng)
    for calorimeter, kind in ((detector.ecal, Category.PHOTON), (detector.hcal, Category.NEUTRAL)):
        lost |= (part == kind) & (energy * scale < calorimeter.min_energy_gev)
    kept = np.flatnonzero(~lost)
    momentum = particles.momentum[final[kept]] * scale[kept, None]
    return EnergyFlow(
        n_events=particles.n_events,
        event=particles.event[final[kept]],
        pdg=particles.pdg[final[kept]],
        momentum=momentum,
        pt=pt[kept] * scale[kept],
        eta=eta[kept],
        phi=azimuth(momentum),
    )


def _assign(
    category: NDArray,
    abs_eta: NDArray,
    pt: NDArray,
    detector: Detector,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Return what measures each particle (charged, photon or neutral), and which are lost.

    Particles along the beam, without transverse momentum, are lost by their pseudorapidity.
    """
    tracker = detector.tracker
    inside = abs_eta < tracker.efficiency.abs_eta[-1]
    charged = (category >= Category.CHARGED) & (category <= Category.MUON)
    lost = charged & inside & (pt < tracker.min_pt_gev)
    lost |= (category == Category.MUON) & ~inside
    part = np.where(category == Category.MUON, Category.CHARGED, category).astype(np.int8)
    hadron = np.flatnonzero(category == Category.CHARGED)
    missed = rng.random(len(hadron)) >= tracker.efficiency(abs_eta[hadron])
    part[hadron[missed]] = Category.NEUTRAL
    part[category == Category.ELECTRON] = Category.PHOTON
    lost |= (part == Category.PHOTON) & (abs_eta > detector.ecal.max_abs_eta)
    lost |= (part == Category.NEUTRAL) & (abs_eta > detector.hcal.max_abs_eta)
    return part, lost


def _draw_scale(
    part: NDArray,
    abs_eta: NDArray,
    pt: NDArray,
    energy: NDArray,
    detector: Detector,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return measured energies in units of the true ones."""
    sigma = np.empty(len(part))
    for kind, resolution, size in (
        (Category.CHARGED, detector.tracker.resolution, pt),
        (Category.PHOTON, detector.ecal.resolution, energy),
        (Category.NEUTRAL, detector.hcal.resolution, energy),
    ):
        place = np.flatnonzero(part == kind)
        sigma[place] = resolution(abs_eta[place], size[place])
    variance = np.log1p(np.square(sigma))
    normal = rng.standard_normal(len(part))
    return np.exp(np.sqrt(variance) * normal - variance / 2)
