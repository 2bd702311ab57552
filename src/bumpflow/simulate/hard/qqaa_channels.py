"""Channels of two partons to two partons and two photons: amplitudes, flavours and colours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bumpflow.simulate.hard.pdf import GLUON
from bumpflow.simulate.hard.qqaa_amplitude import gluons_squared, quarks_squared
from bumpflow.simulate.hard.qqaa_phase_space import PhaseSpaceCuts

CHARGES = MappingProxyType({1: -1 / 3, 2: 2 / 3, 3: -1 / 3, 4: 2 / 3, 5: -1 / 3})
UP_TYPE, DOWN_TYPE = (2, 4), (1, 3)
FLAVOURS = (4, 5)


@dataclass(frozen=True)
class DiphotonSettings:
    """What a quark pair with two photons is made of.

    Attributes:
        energy_gev: Centre-of-mass energy of two protons [GeV].
        pdf: Name of parton densities.
        flavour: Code of the quarks: 5 for b, 4 for c. Incoming quarks of the same flavour, which
            have further diagrams, are left out.
        cuts: Where partons and photons may be.
    """

    energy_gev: float
    pdf: str
    flavour: int = 5
    cuts: PhaseSpaceCuts = field(default_factory=PhaseSpaceCuts)

    def __post_init__(self) -> None:
        """Check the flavour.

        Raises:
            ValueError: If it is neither b nor c.
        """
        if self.flavour not in FLAVOURS:
            msg = f"no amplitudes for a pair of quarks of flavour {self.flavour}: take 5 (b) or 4 (c)"
            raise ValueError(msg)


class Channel(Protocol):
    """Processes that share their amplitudes, so that one importance sampling serves them.

    Attributes:
        codes: Codes of the incoming and the outgoing partons, one row per process, shape
            ``(n_processes, 4)``. Processes with the beams exchanged are not among them.
        symmetric: Whether squared amplitudes and processes are the same after exchange of the
            beams, and after exchange of the outgoing partons.
    """

    @property
    def codes(self) -> NDArray[np.int64]:
        """Codes of the incoming and the outgoing partons."""
        ...

    @property
    def symmetric(self) -> bool:
        """Whether beams, and outgoing partons, can be exchanged."""
        ...

    def squared(self, momenta: NDArray) -> NDArray[np.float64]:
        """Return squared amplitudes [GeV^-4] without couplings, with charges.

        Args:
            momenta: Momenta [GeV] of incoming partons, outgoing partons and photons, shape
                ``(n, 6, 4)``.

        Returns:
            One row per process, or one for all, shape ``(n_processes or 1, n)``.
        """
        ...

    def colours(self, momenta: NDArray, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return lines of colour and anticolour of all six particles, shape ``(n, 6, 2)``."""
        ...


@dataclass(frozen=True)
class GluonChannel:
    """Two gluons to a quark pair and two photons.

    Attributes:
        flavour: Code of the quark.
    """

    flavour: int
    symmetric: bool = True

    @property
    def codes(self) -> NDArray[np.int64]:
        """Codes of incoming and outgoing partons, shape ``(1, 4)``."""
        return np.array([[GLUON, GLUON, self.flavour, -self.flavour]])

    def squared(self, momenta: NDArray) -> NDArray[np.float64]:
        """Return squared amplitudes without couplings, with charges, shape ``(1, n)``."""
        return CHARGES[self.flavour] ** 4 * gluons_squared(momenta).total[None]

    def colours(self, momenta: NDArray, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return lines of colour: which gluon the quark's belongs to is drawn by amplitudes."""
        squares = gluons_squared(momenta)
        share = squares.first_last / (squares.first_last + squares.second_last)
        # The gluon that the line absorbs last is the quark's neighbour.
        neighbour_1 = [[501, 502], [502, 503], [501, 0], [0, 503], [0, 0], [0, 0]]
        neighbour_2 = [[502, 503], [501, 502], [501, 0], [0, 503], [0, 0], [0, 0]]
        drawn = rng.random(len(share)) < share
        return np.where(drawn[:, None, None], neighbour_1, neighbour_2)


@dataclass(frozen=True)
class QuarkChannel:
    """Quarks and antiquarks of one charge to another quark pair and two photons.

    Attributes:
        incoming: Codes of the incoming quarks, all of the same charge.
        flavour: Code of the outgoing quark.
    """

    incoming: tuple[int, ...]
    flavour: int
    symmetric: bool = False

    @property
    def codes(self) -> NDArray[np.int64]:
        """Codes of incoming and outgoing partons, shape ``(n_processes, 4)``."""
        return np.array([[code, -code, self.flavour, -self.flavour] for code in self.incoming])

    def squared(self, momenta: NDArray) -> NDArray[np.float64]:
        """Return squared amplitudes without couplings, with charges, shape ``(1, n)``."""
        charges = CHARGES[self.incoming[0]], CHARGES[self.flavour]
        return quarks_squared(momenta, charge_initial=charges[0], charge_final=charges[1])[None]

    def colours(self, momenta: NDArray, rng: np.random.Generator) -> NDArray[np.int64]:  # noqa: ARG002
        """Return lines of colour, each from an incoming to an outgoing quark."""
        lines = [[501, 0], [0, 502], [501, 0], [0, 502], [0, 0], [0, 0]]
        return np.tile(lines, (len(momenta), 1, 1))


def build_channels(settings: DiphotonSettings) -> Mapping[str, Channel]:
    """Return the channels that make a quark pair and two photons, by name."""
    flavour = settings.flavour
    up, down = (tuple(code for code in codes if code != flavour) for codes in (UP_TYPE, DOWN_TYPE))
    return {
        "gluons": GluonChannel(flavour),
        "up": QuarkChannel(up, flavour),
        "down": QuarkChannel(down, flavour),
    }
