"""Events of a hard process, before any shower: what the LHE format holds, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

INCOMING, INTERMEDIATE, OUTGOING = -1, 2, 1
"""Status codes of the LHE format."""


@dataclass(frozen=True)
class Partons:
    """Events of one hard process, all with the same number of particles.

    Attributes:
        pdg: Particle codes of the Particle Data Group, shape ``(n_events, n_particles)``.
        status: Status codes of the LHE format, shape ``(n_particles,)``.
        mothers: First and last mother, counted from 1, 0 for none, shape ``(n_particles, 2)``.
        colours: Colour and anticolour line, shape ``(n_events, n_particles, 2)``.
        momenta: Momenta (px, py, pz, E) [GeV] in the laboratory, ``(n_events, n_particles, 4)``.
        masses: Masses [GeV], shape ``(n_particles,)``.
        scale: Factorisation scale [GeV], at which the shower starts, shape ``(n_events,)``.
        alpha_s: Strong coupling that the matrix element was evaluated with, ``(n_events,)``.
        weights: Weights; 1 but for events above the maximum of unweighting, ``(n_events,)``.

    References:
        Alwall et al. (2007), https://arxiv.org/abs/hep-ph/0609017
    """

    pdg: NDArray[np.int64]
    status: NDArray[np.int64]
    mothers: NDArray[np.int64]
    colours: NDArray[np.int64]
    momenta: NDArray[np.float64]
    masses: NDArray[np.float64]
    scale: NDArray[np.float64]
    alpha_s: NDArray[np.float64]
    weights: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.scale)


class HardProcess(Protocol):
    """Anything that draws unweighted events of a hard process.

    Attributes:
        energy_gev: Centre-of-mass energy of the beams, two protons [GeV].
        crosssection_pb: Cross-section within the generator's own cuts [pb].
        crosssection_error_pb: Its statistical uncertainty [pb].
    """

    energy_gev: float
    crosssection_pb: float
    crosssection_error_pb: float

    def draw(self, n_events: int, rng: np.random.Generator) -> Partons:
        """Return ``n_events`` events; the same ``rng`` state gives the same events."""
        ...


def join_partons(blocks: Sequence[Partons]) -> Partons:
    """Return the events of several blocks of one process, one after the other."""
    per_event = ("pdg", "colours", "momenta", "scale", "alpha_s", "weights")
    joined = {
        name: np.concatenate([getattr(block, name) for block in blocks]) for name in per_event
    }
    return replace(blocks[0], **joined)
