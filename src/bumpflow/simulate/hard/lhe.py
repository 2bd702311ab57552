"""Hand events of a hard process to Pythia in memory, or write them as a file of events.

References:
    Alwall et al. (2007), https://arxiv.org/abs/hep-ph/0609017
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from bumpflow.simulate.extras import optional
from bumpflow.simulate.hard.partons import HardProcess, Partons

PROTON = 2212
PROCESS = 9999
WEIGHTED = 4
"""Strategy of the LHE format: all events are accepted and keep their weights."""
ALPHA_QED = 1 / 137.036
UNKNOWN_SPIN = 9.0


@cache
def _feed_class() -> type:
    """Return the class of feeds, which needs Pythia to be defined."""
    with optional():
        import pythia8mc as pythia8

    class PartonFeed(pythia8.LHAup):
        """Gives Pythia one event after the other."""

        def __init__(self, process: HardProcess) -> None:
            pythia8.LHAup.__init__(self)
            self._process = process
            self._events: Iterator[Any] = iter(())

        def fill(self, partons: Partons) -> None:
            """Take the next events; what is left of earlier ones is dropped."""
            self._events = _as_arguments(partons)

        def setInit(self) -> bool:  # noqa: N802  (Pythia's name)
            energy = self._process.energy_gev / 2
            self.setBeamA(PROTON, energy, 0, 0)
            self.setBeamB(PROTON, energy, 0, 0)
            self.setStrategy(WEIGHTED)
            sigma, error = self._process.crosssection_pb, self._process.crosssection_error_pb
            self.addProcess(PROCESS, sigma, error, sigma)
            return True

        def setEvent(self, _process: int = 0) -> bool:  # noqa: N802
            event = next(self._events, None)
            if event is None:
                return False
            head, particles = event
            self.setProcess(*head)
            for particle in particles:
                self.addParticle(*particle)
            return True

    return PartonFeed


def build_feed(process: HardProcess) -> Any:  # noqa: ANN401
    """Return an ``LHAup`` of Pythia whose method ``fill`` takes the events to shower.

    Args:
        process: Its cross-section and beams are Pythia's initialisation.
    """
    return _feed_class()(process)


def _as_arguments(partons: Partons) -> Iterator[tuple[list[Any], list[list[Any]]]]:
    """Yield what Pythia wants to know of each event, as plain numbers."""
    heads = np.stack([partons.weights, partons.scale], axis=1).tolist()
    couplings = partons.alpha_s.tolist()
    mothers, status, masses = (
        part.tolist() for part in (partons.mothers, partons.status, partons.masses)
    )
    codes, colours = partons.pdg.tolist(), partons.colours.tolist()
    momenta = partons.momenta.tolist()
    for (weight, scale), coupling, code, colour, momentum in zip(
        heads, couplings, codes, colours, momenta, strict=True
    ):
        particles = [
            [c, s, *m, *col, *p, mass, 0.0, UNKNOWN_SPIN]
            for c, s, m, col, p, mass in zip(
                code, status, mothers, colour, momentum, masses, strict=True
            )
        ]
        yield [PROCESS, weight, scale, ALPHA_QED, coupling], particles


def format_lhe(partons: Partons, process: HardProcess) -> Iterator[str]:
    """Yield the lines of an LHE file, version 3.

    Weights are such that their mean is the cross-section [pb].

    Args:
        partons: Events.
        process: What they are drawn from.
    """
    energy = process.energy_gev / 2
    sigma, error = process.crosssection_pb, process.crosssection_error_pb
    yield '<LesHouchesEvents version="3.0">'
    yield "<header></header>"
    yield "<init>"
    yield f"{PROTON} {PROTON} {energy:.8e} {energy:.8e} 0 0 0 0 -{WEIGHTED} 1"
    yield f"{sigma:.8e} {error:.8e} {sigma:.8e} {PROCESS}"
    yield "</init>"
    scale = sigma / partons.weights.mean()
    for (number, weight, hard, qed, qcd), particles in _as_arguments(partons):
        yield "<event>"
        yield f"{len(particles)} {number} {weight * scale:.8e} {hard:.8e} {qed:.8e} {qcd:.8e}"
        for particle in particles:
            integers = " ".join(map(str, particle[:6]))
            yield f"{integers} {' '.join(f'{value:.10e}' for value in particle[6:])}"
        yield "</event>"
    yield "</LesHouchesEvents>"
