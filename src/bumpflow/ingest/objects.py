"""Check what files of events say of their objects, and line it up as events."""

import numpy as np
from numpy.typing import NDArray

from bumpflow.ingest.layout import InvalidEvents
from bumpflow.simulate.detector.objects import Events, sort_objects


def check_events(events: Events, *, first: int, file: str) -> Events:
    """Return events with their objects sorted, after a check that all numbers are possible.

    Args:
        events: Some events of a file.
        first: Number of the first of them in the file, from 0.
        file: Name of the file, for messages.

    Raises:
        InvalidEvents: If a momentum or weight is not finite, or an object has no energy.
    """
    for name in ("electrons", "muons", "photons", "jets"):
        objects = getattr(events, name)
        impossible = np.any(~np.isfinite(objects.momentum), axis=1)
        impossible |= ~(objects.momentum[:, 3] > 0)
        place = f"{file}, event {{}} (from 0): the momentum of one of the {name}"
        _refuse(impossible, objects.event + first, objects.momentum, place)
    numbers = first + np.arange(events.n_events)
    for name, values in (
        ("missing transverse momentum", events.missing),
        ("weight", events.weights[:, None]),
    ):
        impossible = np.any(~np.isfinite(values), axis=1)
        _refuse(impossible, numbers, values, f"{file}, event {{}} (from 0): the {name}")
    return Events(
        n_events=events.n_events,
        electrons=sort_objects(events.electrons),
        muons=sort_objects(events.muons),
        photons=sort_objects(events.photons),
        jets=sort_objects(events.jets),
        missing=events.missing,
        weights=events.weights,
    )


def _refuse(impossible: NDArray, numbers: NDArray, values: NDArray, place: str) -> None:
    """Stop at the first impossible value; ``place`` says where, given the event's number."""
    if impossible.any():
        row = int(np.argmax(impossible))
        found = ", ".join(f"{value:g}" for value in values[row])
        where = place.format(numbers[row])
        msg = f"{where} is {found}, which is impossible: correct the event or remove it"
        raise InvalidEvents(msg)
