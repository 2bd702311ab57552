"""Reweight and preselect hard processes before they are showered."""

import random
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from bumpflow.simulate.extras import optional

CHARGED_LEPTONS = (11, 13)
W_BOSON = 24
SCALARS = (25, 35, 36, 37)


class HookCounts(NamedTuple):
    """What a hook did to the events that it saw.

    Attributes:
        n_generated: Events after the polarisation was put right, before the preselection.
        n_kept: Events after both, which are showered.
    """

    n_generated: int
    n_kept: int


@dataclass
class HookState:
    """Counts and random numbers of a hook.

    Attributes:
        n_generated: Events of the current block after the polarisation was put right.
        n_block: Events of the current block that were kept.
        n_tried: Events seen since the beginning.
        n_kept: Events kept since the beginning.
        rng: Random numbers of the current block.
    """

    n_generated: int = 0
    n_block: int = 0
    n_tried: int = 0
    n_kept: int = 0
    rng: random.Random = field(default_factory=random.Random)

    @property
    def counts(self) -> HookCounts:
        """What happened since the block started."""
        return HookCounts(self.n_generated, self.n_block)

    @property
    def rejection(self) -> float:
        """Events seen per event kept, since the beginning."""
        return self.n_tried / self.n_kept

    def start(self, seed: int) -> None:
        """Start a block of events."""
        self.rng.seed(seed)
        self.n_generated = self.n_block = 0


@cache
def _hook_class() -> type:
    """Return the class of hooks, which needs Pythia to be defined."""
    with optional():
        import pythia8mc as pythia8

    class ProcessHook(pythia8.UserHooks):
        """Accept or reject hard processes."""

        def __init__(
            self, *, polarise: bool, lepton_pt_gev: float | None, lepton_eta: float
        ) -> None:
            pythia8.UserHooks.__init__(self)
            self.state = HookState()
            self._polarise, self._eta = polarise, lepton_eta
            self._pt = lepton_pt_gev

        def canVetoProcessLevel(self) -> bool:  # noqa: N802  (Pythia's name)
            return True

        def doVetoProcessLevel(self, process: Any) -> bool:  # noqa: N802, ANN401
            state = self.state
            state.n_tried += 1
            entries = [process[place] for place in range(5, process.size())]
            if self._polarise and state.rng.random() > _longitudinal_weight(process, entries):
                return True
            state.n_generated += 1
            if self._pt is not None and not self._has_lepton(entries):
                return True
            state.n_kept += 1
            state.n_block += 1
            return False

        def _has_lepton(self, entries: list[Any]) -> bool:
            return any(
                entry.idAbs() in CHARGED_LEPTONS
                and entry.pT() > self._pt
                and abs(entry.eta()) < self._eta
                for entry in entries
            )

    return ProcessHook


def build_hook(
    *, polarise: bool, lepton_pt_gev: float | None = None, lepton_eta: float = 2.6
) -> Any:  # noqa: ANN401
    r"""Return a hook of Pythia that acts on hard processes.

    Args:
        polarise: Whether W bosons from decays of scalars are made longitudinal, as the decay of a
            scalar into a W boson and another scalar demands. Pythia decays them isotropically;
            the fraction :math:`\sin^2\theta^*` of these decays is kept, with :math:`\theta^*`
            the angle between fermion and scalar in the rest frame of the W boson.
        lepton_pt_gev: Least transverse momentum [GeV] of an electron or muon that each event must
            have; None keeps all events.
        lepton_eta: Largest absolute pseudorapidity of that lepton.
    """
    return _hook_class()(polarise=polarise, lepton_pt_gev=lepton_pt_gev, lepton_eta=lepton_eta)


def _longitudinal_weight(process: Any, entries: list[Any]) -> float:  # noqa: ANN401
    r"""Return the product of :math:`\sin^2\theta^*` over W bosons that scalars decayed to."""
    weight = 1.0
    for boson in entries:
        if boson.idAbs() == W_BOSON and process[boson.mother1()].idAbs() in SCALARS:
            scalar, fermion = process[boson.mother1()], process[boson.daughter1()]
            weight *= 1 - _squared_cosine(boson.p(), scalar.p(), fermion.p())
    return weight


def _squared_cosine(boson: Any, scalar: Any, fermion: Any) -> float:  # noqa: ANN401
    r"""Return :math:`\cos^2\theta^*` between two momenta in the rest frame of a third.

    There, energies are :math:`E = p \cdot p_W / m_W`, so invariants suffice.
    """
    mass = boson.mCalc()
    energy_s, energy_f = (boson * scalar) / mass, (boson * fermion) / mass
    square_s = energy_s**2 - scalar.m2Calc()
    square_f = energy_f**2 - fermion.m2Calc()
    cosine = energy_s * energy_f - scalar * fermion
    return min(cosine**2 / max(square_s * square_f, 1e-300), 1.0)
