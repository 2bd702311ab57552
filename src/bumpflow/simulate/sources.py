"""Where the generated events of a sample come from."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from bumpflow.simulate.beamdump import B_MESONS, fixed_target_settings, sample_parametrised
from bumpflow.simulate.hard.partons import HardProcess
from bumpflow.simulate.hard.pdf import find_set
from bumpflow.simulate.particles import Particles
from bumpflow.simulate.processes import PROCESSES, check_settings
from bumpflow.simulate.pythia import Block, Generator
from bumpflow.simulate.settings import PARAMETRISED
from bumpflow.workflow import derive_seed


class EventSource(Protocol):
    """Anything that makes blocks of generated events.

    Attributes:
        n_generated: Events generated so far.
    """

    n_generated: int

    def generate(self, number: int, *, n_events: int) -> Block:
        """Return a block of events, by its number."""
        ...

    def crosssection_pb(self) -> tuple[float, float]:
        """Return the cross-section before any selection [pb] and its uncertainty."""
        ...


class ParametrisedBeam:
    """B mesons of a parametrised spectrum, one per event.

    Attributes:
        n_generated: Mesons made so far.
    """

    def __init__(self, momentum_gev: float, *, seed: int) -> None:
        """Take the momentum of the proton beam [GeV] and the seed of the sample."""
        self.n_generated = 0
        self._momentum_gev, self._seed = momentum_gev, seed

    def generate(self, number: int, *, n_events: int) -> Block:
        """Return a block of mesons, by its number."""
        rng = np.random.default_rng(derive_seed(self._seed, "mesons", str(number)))
        momentum = sample_parametrised(n_events, rng, beam_momentum_gev=self._momentum_gev)
        self.n_generated += n_events
        particles = Particles(
            n_events=n_events,
            event=np.arange(n_events),
            pdg=rng.choice(B_MESONS, n_events) * rng.choice([-1, 1], n_events),
            status=np.ones(n_events, dtype=np.int64),
            mother=np.zeros(n_events, dtype=np.int64),
            momentum=momentum,
            weights=np.ones(n_events),
        )
        return Block(particles, float(n_events), n_events, rng)

    def crosssection_pb(self) -> tuple[float, float]:
        """Return 1 pb: the parametrisation is of the spectrum, not of the rate."""
        return 1.0, 0.0


def beam_settings(beams: Mapping[str, Any]) -> list[str]:
    """Return Pythia's settings of what collides.

    Args:
        beams: A block of ``beams`` in the configuration.
    """
    parton_densities = find_set(beams["pdf"]).pset
    switch = "on" if beams["underlying_event"] else "off"
    mpi = f"PartonLevel:MPI = {switch}"
    if "momentum_gev" in beams:
        target = fixed_target_settings(
            momentum_gev=beams["momentum_gev"],
            target=beams["target"],
            pdf_set=parton_densities,
        )
        return [*target, mpi]
    return [f"Beams:eCM = {beams['energy_gev']}", f"PDF:pSet = {parton_densities}", mpi]


def build_sources(
    settings: Mapping[str, Any], *, seed: int, hard_process: HardProcess | None = None
) -> list[EventSource]:
    """Return what makes the events of a sample; blocks take turns where there are several.

    Args:
        settings: Settings of the sample.
        seed: Seed of the sample.
        hard_process: Events with our own matrix elements, if Pythia does not make them.

    Raises:
        ValueError: If Pythia would refuse or misread a setting.
    """
    beams, name = beam_settings(settings["beams"]), settings["process"]
    if name in PARAMETRISED:
        return [ParametrisedBeam(settings["beams"]["momentum_gev"], seed=seed)]
    process = PROCESSES.get(name)
    lines: list[list[str]] = [[]]
    if process:
        parities = (0, 1) if process.semileptonic else (0,)
        lines = [process.settings(settings["parameters"], parity=parity) for parity in parities]
    if faults := check_settings(settings["settings"]):
        msg = f"samples.{settings['name']}.settings: {'; '.join(faults)}"
        raise ValueError(msg)
    return [
        Generator(
            [*beams, *own, *settings["settings"]],
            seed=seed,
            hook=process.hook if process else None,
            hard_process=hard_process,
        )
        for own in lines
    ]
