"""Run Pythia 8 so that an event depends on nothing but the study's seed and its block's number.

Events come in blocks. Pythia is initialised with one seed per sample, which fixes its search for
the maxima of cross-sections, and its random numbers start anew with each block's own seed. So a
block is the same whoever generates it, in whatever order: samples can be cut into jobs at will,
and grow without being redone.

References:
    Bierlich et al. (2022), https://arxiv.org/abs/2203.11601
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from bumpflow.simulate.extras import require
from bumpflow.simulate.hooks import HookCounts, build_hook
from bumpflow.simulate.lhe import build_feed
from bumpflow.simulate.particles import Particles, unpack_batch
from bumpflow.simulate.partons import HardProcess
from bumpflow.simulate.pdf import find_set
from bumpflow.workflow import derive_seed

log = logging.getLogger(__name__)

SEEDS = 900_000_000
"""Pythia's seeds are 1 to this number."""
PB_PER_MB = 1e9
SHARED = ("Print:quiet = on", "Random:setSeed = on")


@dataclass(frozen=True)
class Beams:
    """What collides.

    Attributes:
        energy_gev: Centre-of-mass energy of the two protons [GeV].
        pdf: Name of the parton densities, a key of :data:`bumpflow.simulate.pdf.PDF_SETS`.
        underlying_event: Whether multiparton interactions are simulated, at four times the cost.
    """

    energy_gev: float
    pdf: str
    underlying_event: bool

    def settings(self) -> list[str]:
        """Return Pythia's settings of the beams, all but the energy."""
        switch = "on" if self.underlying_event else "off"
        return [f"PDF:pSet = {find_set(self.pdf).pset}", f"PartonLevel:MPI = {switch}"]


class Block(NamedTuple):
    """One block of generated events.

    Attributes:
        number: Which block of the sample.
        particles: The events that the shower has completed.
        weight_generated: Sum of weights of all events that were tried, those included that a
            preselection dropped; what the sample's cross-section belongs to.
        n_generated: Their number.
        rng: Random numbers for all that follows, such as the detector.
    """

    number: int
    particles: Particles
    weight_generated: float
    n_generated: int
    rng: np.random.Generator


class Generator:
    """Pythia for one sample.

    Attributes:
        sample: Name of the sample, which seeds derive from.
        seed: Seed of the study.
    """

    def __init__(
        self,
        settings: Sequence[str],
        *,
        sample: str,
        seed: int,
        hook: Mapping[str, Any] | None = None,
        hard_process: HardProcess | None = None,
    ) -> None:
        """Initialise Pythia.

        Args:
            settings: Lines of settings.
            sample: Name of the sample.
            seed: Seed of the study.
            hook: Keywords of :func:`bumpflow.simulate.hooks.build_hook`, if events are
                preselected or reweighted before they are showered.
            hard_process: Where events come from, if not from Pythia's own processes.

        Raises:
            MissingExtra: If Pythia is not installed.
            ValueError: If Pythia refuses a setting or cannot start.
        """
        self.sample, self.seed = sample, seed
        self._hard_process = hard_process
        # Pythia keeps no references to Python objects: the attributes keep them alive.
        self._hook = build_hook(**hook) if hook else None
        self._feed = build_feed(hard_process) if hard_process else None
        self._pythia = make_pythia(
            [*settings, f"Random:seed = {self._pythia_seed('initialise')}"],
            hook=self._hook,
            feed=self._feed,
        )

    def _pythia_seed(self, *labels: str) -> int:
        return derive_seed(self.seed, "simulate", self.sample, *labels) % SEEDS + 1

    def blocks(self, numbers: Sequence[int], *, n_events: int) -> Iterator[Block]:
        """Yield blocks of events by their numbers, each of ``n_events`` showered events.

        Some events may fail in Pythia, so a block may hold a few less.
        """
        for number in numbers:
            rng = np.random.default_rng(
                derive_seed(self.seed, "detect", self.sample, str(number))
            )
            self._pythia.rndm.init(self._pythia_seed(str(number)))
            if self._hook:
                self._hook.state.start(derive_seed(self.seed, "hook", self.sample, str(number)))
            if self._feed:
                self._refill(number, n_events)
            particles = unpack_batch(self._pythia.nextBatch(n_events))
            counts = self._hook.state.counts if self._hook else HookCounts(n_events, n_events)
            weight = float(particles.weights.sum()) * counts.n_generated / counts.n_kept
            yield Block(number, particles, weight, counts.n_generated, rng)

    def _refill(self, number: int, n_events: int) -> None:
        """Give Pythia the hard processes of a block."""
        assert self._hard_process is not None
        rng = np.random.default_rng(derive_seed(self.seed, "hard", self.sample, str(number)))
        self._feed.fill(self._hard_process.draw(n_events, rng))

    def crosssection_pb(self) -> tuple[float, float]:
        """Return the cross-section before any selection [pb] and its statistical uncertainty.

        Pythia's estimate so far, with what the hook vetoed added back.
        """
        if self._hard_process:
            return (
                self._hard_process.crosssection_pb,
                self._hard_process.crosssection_error_pb,
            )
        info = self._pythia.infoPython()
        factor = PB_PER_MB * (self._hook.state.rejection if self._hook else 1.0)
        return info.sigmaGen() * factor, info.sigmaErr() * factor


def make_pythia(
    settings: Sequence[str],
    *,
    hook: Any = None,  # noqa: ANN401
    feed: Any = None,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Return an initialised Pythia.

    Args:
        settings: Lines of settings.
        hook: A ``UserHooks`` of Pythia.
        feed: An ``LHAup`` of Pythia, with the hard processes.

    Raises:
        ValueError: If Pythia refuses a setting or cannot start.
    """
    pythia8 = require("pythia8mc")
    pythia = pythia8.Pythia("", False)
    lines = [*SHARED, *settings, *(["Beams:frameType = 5"] if feed else [])]
    refused = [line for line in lines if not pythia.readString(line)]
    if refused:
        msg = f"Pythia does not know the settings {refused}: look at `settings` of the sample"
        raise ValueError(msg)
    if hook and not pythia.addUserHooksPtr(hook):
        msg = "Pythia takes no hook: another one is in place"
        raise ValueError(msg)
    if feed:
        pythia.setLHAupPtr(feed)
    if not pythia.init():
        msg = f"Pythia cannot start with {list(settings)}: its own messages are above"
        raise ValueError(msg)
    return pythia
