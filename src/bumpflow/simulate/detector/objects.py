"""Reconstructed objects of a batch of events: what analyses select from."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.simulate.detector.pairing import leading_positions, line_up
from bumpflow.simulate.kinematics import azimuth, pseudorapidity, transverse_momentum

O = TypeVar("O", bound="Objects")


@dataclass(frozen=True)
class Objects:
    """Objects of one kind, one event after the other, hardest first within an event.

    Attributes:
        event: Which event each object belongs to, ascending, shape ``(n,)``.
        momentum: Momenta (px, py, pz, E) [GeV], shape ``(n, 4)``.
        charge: Electric charges, shape ``(n,)``; 0 of photons and jets.
    """

    event: NDArray[np.int64]
    momentum: NDArray[np.float64]
    charge: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of objects."""
        return len(self.event)

    @property
    def pt(self) -> NDArray[np.float64]:
        """Transverse momenta [GeV], shape ``(n,)``."""
        return transverse_momentum(self.momentum)

    @property
    def eta(self) -> NDArray[np.float64]:
        """Pseudorapidities, shape ``(n,)``."""
        return pseudorapidity(self.momentum)

    @property
    def phi(self) -> NDArray[np.float64]:
        """Azimuths [rad], shape ``(n,)``."""
        return azimuth(self.momentum)

    def counts(self, n_events: int) -> NDArray[np.int64]:
        """Return the number of objects in each event, shape ``(n_events,)``."""
        return np.bincount(self.event, minlength=n_events)


@dataclass(frozen=True)
class Jets(Objects):
    """Jets.

    Attributes:
        tag: Level of b tagging: 0 untagged, 1 loose, 2 tight, shape ``(n,)``.
        flavour: True flavour: 5 with a b hadron, 4 with a c hadron, else 0; shape ``(n,)``.
    """

    tag: NDArray[np.int64]
    flavour: NDArray[np.int64]


@dataclass(frozen=True)
class Events:
    """Reconstructed events.

    Attributes:
        n_events: Number of events.
        electrons: Isolated electrons.
        muons: Isolated muons.
        photons: Isolated photons.
        jets: Jets of all else.
        missing: Missing transverse momenta (px, py) [GeV], shape ``(n_events, 2)``.
        weights: Weight of each event, shape ``(n_events,)``.
    """

    n_events: int
    electrons: Objects
    muons: Objects
    photons: Objects
    jets: Jets
    missing: NDArray[np.float64]
    weights: NDArray[np.float64]


class Selection(NamedTuple):
    """Events that pass a selection.

    Attributes:
        features: One row per event.
        event: Which events of the batch they are, shape ``(n,)``.
        weights: Their weights, shape ``(n,)``.
        cutflow: Number of events left after each step.
    """

    features: pd.DataFrame
    event: NDArray[np.int64]
    weights: NDArray[np.float64]
    cutflow: dict[str, int]


def take(objects: O, chosen: NDArray) -> O:
    """Return some objects, by a mask or by positions."""
    values: dict[str, Any] = {name: value[chosen] for name, value in vars(objects).items()}
    return replace(objects, **values)


def sort_objects(objects: O) -> O:
    """Return objects sorted by event, and by falling transverse momentum within an event."""
    return take(objects, np.lexsort((-objects.pt, objects.event)))


def leading_momenta(objects: Objects, n_events: int, k: int) -> NDArray[np.float64]:
    """Return momenta [GeV] of the ``k`` hardest objects of each event, 0 where there are less.

    Args:
        objects: Sorted objects.
        n_events: Number of events.
        k: Number of objects per event.

    Returns:
        Momenta, shape ``(n_events, k, 4)``.
    """
    return line_up(objects.momentum, leading_positions(objects.event, n_events, k))
