"""The particles of a batch of generated events, as flat arrays."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEUTRINOS = (12, 14, 16)


@dataclass(frozen=True)
class Particles:
    """Entries of the event records of a batch of events, one event after the other.

    Attributes:
        n_events: Number of events.
        event: Which event each entry belongs to, ascending, shape ``(n,)``.
        pdg: Particle codes of the Particle Data Group, shape ``(n,)``.
        status: Status codes of Pythia, positive for particles of the final state, ``(n,)``.
        mother: Position of the first mother within the event's record, shape ``(n,)``.
        momentum: Momenta (px, py, pz, E) [GeV], shape ``(n, 4)``.
        weights: Weight of each event, shape ``(n_events,)``.
    """

    n_events: int
    event: NDArray[np.int64]
    pdg: NDArray[np.int64]
    status: NDArray[np.int64]
    mother: NDArray[np.int64]
    momentum: NDArray[np.float64]
    weights: NDArray[np.float64]

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """First entry of each event, and the number of entries, shape ``(n_events + 1,)``."""
        return np.searchsorted(self.event, np.arange(self.n_events + 1))


def unpack_batch(batch: Any) -> Particles:  # noqa: ANN401
    """Return the particles of an awkward batch, as Pythia's ``nextBatch`` makes it.

    Entry 0 of each record, which stands for the event as a whole, stays, so that ``mother`` counts
    as Pythia does.
    """
    import awkward as ak

    particles = batch.prt
    counts = ak.to_numpy(ak.num(particles.id))

    def flat(values: Any) -> NDArray:  # noqa: ANN401
        return ak.to_numpy(ak.flatten(values))

    return Particles(
        n_events=len(counts),
        event=np.repeat(np.arange(len(counts)), counts),
        pdg=flat(particles.id),
        status=flat(particles.status),
        mother=flat(particles.mother1),
        momentum=np.stack([flat(particles.p[name]) for name in ("px", "py", "pz", "e")], axis=1),
        weights=ak.to_numpy(batch.info.weights[:, 0]).astype(float),
    )
