"""Run Pythia 8 so that an event depends on nothing but the study's seed and its block's number.

Events come in blocks. Pythia is initialised with one seed per sample, which fixes its search for
the maxima of cross-sections, and its random numbers start anew with each block's own seed. So a
block is the same whoever generates it, in whatever order: samples can be cut into jobs at will,
and grow without being redone.

References:
    Bierlich et al. (2022), https://arxiv.org/abs/2203.11601
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bumpflow.simulate.extras import optional
from bumpflow.simulate.hard.lhe import build_feed
from bumpflow.simulate.hard.partons import HardProcess, Partons
from bumpflow.simulate.hooks import HookCounts, build_hook
from bumpflow.simulate.particles import Particles, unpack_batch
from bumpflow.workflow import derive_seed

SEEDS = 900_000_000
"""Pythia's seeds are 1 to this number."""
PB_PER_MB = 1e9
SHARED = ("Print:quiet = on", "Random:setSeed = on")


class Block(NamedTuple):
    """One block of generated events.

    Attributes:
        particles: The events that the shower has completed.
        weight_generated: Sum of weights of all events that were tried, those included that a
            preselection dropped; what the sample's cross-section belongs to.
        n_generated: Their number.
        rng: Random numbers for all that follows, such as the detector.
    """

    particles: Particles
    weight_generated: float
    n_generated: int
    rng: np.random.Generator


class Generator:
    """Pythia for one sample.

    Attributes:
        seed: Seed of the sample.
        n_generated: Events generated so far.
    """

    def __init__(
        self,
        settings: Sequence[str],
        *,
        seed: int,
        hook: Mapping[str, Any] | None = None,
        hard_process: HardProcess | None = None,
    ) -> None:
        """Initialise Pythia.

        Args:
            settings: Lines of settings.
            seed: Seed of the sample.
            hook: Keywords of :func:`bumpflow.simulate.hooks.build_hook`, if events are
                preselected or reweighted before they are showered.
            hard_process: Where events come from, if not from Pythia's own processes.

        Raises:
            MissingExtra: If Pythia is not installed.
            ValueError: If Pythia refuses a setting or cannot start.
        """
        self.seed, self.n_generated = seed, 0
        self._hard_process = hard_process
        # Pythia keeps no references to Python objects: the attributes keep them alive.
        self._hook = build_hook(**hook) if hook else None
        self._feed = build_feed(hard_process) if hard_process else None
        self._pythia = make_pythia(
            [*settings, f"Random:seed = {self._pythia_seed('initialise')}"],
            hook=self._hook,
            feed=self._feed,
        )

    def _pythia_seed(self, label: str) -> int:
        return derive_seed(self.seed, "pythia", label) % SEEDS + 1

    def generate(self, number: int, *, n_events: int) -> Block:
        """Return a block of ``n_events`` showered events, a few less if some fail in Pythia.

        Args:
            number: Number of the block, which decides about all random numbers.
            n_events: Events to shower.
        """
        label = str(number)
        self._pythia.rndm.init(self._pythia_seed(label))
        if self._hook:
            self._hook.state.start(derive_seed(self.seed, "hook", label))
        if self._hard_process and self._feed:
            self._feed.fill(
                draw_partons(self._hard_process, seed=self.seed, number=number, n_events=n_events)
            )
        particles = unpack_batch(self._pythia.nextBatch(n_events))
        counts = (
            self._hook.state.counts
            if self._hook
            else HookCounts(particles.n_events, particles.n_events)
        )
        self.n_generated += counts.n_generated
        return Block(
            particles,
            weight_generated=float(particles.weights.sum()) * counts.n_generated / counts.n_kept,
            n_generated=counts.n_generated,
            rng=np.random.default_rng(derive_seed(self.seed, "detector", label)),
        )

    def crosssection_pb(self) -> tuple[float, float]:
        """Return the cross-section before any selection [pb] and its statistical uncertainty.

        Pythia's estimate so far, with what the hook vetoed added back.
        """
        if self._hard_process:
            return self._hard_process.crosssection_pb, self._hard_process.crosssection_error_pb
        info = self._pythia.infoPython()
        factor = PB_PER_MB * (self._hook.state.rejection if self._hook else 1.0)
        return info.sigmaGen() * factor, info.sigmaErr() * factor


def draw_partons(process: HardProcess, *, seed: int, number: int, n_events: int) -> Partons:
    """Return the hard processes of a block.

    Args:
        process: What they are drawn from.
        seed: Seed of the sample.
        number: Number of the block.
        n_events: Events of the block.
    """
    rng = np.random.default_rng(derive_seed(seed, "process", str(number)))
    return process.draw(n_events, rng)


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
    with optional():
        import pythia8mc as pythia8
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
