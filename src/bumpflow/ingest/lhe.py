"""Read hard processes from LHE files, as if a perfect detector had measured their partons.

References:
    Alwall et al. (2007), https://arxiv.org/abs/hep-ph/0609017
"""

import warnings
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bumpflow.ingest.layout import InvalidEvents
from bumpflow.ingest.objects import check_events
from bumpflow.simulate.detector.objects import Events, Jets, Objects
from bumpflow.simulate.hard.partons import OUTGOING
from bumpflow.simulate.particles import NEUTRINOS

ROWS = 10_000
"""Events read at a time."""
ELECTRON, MUON, PHOTON, GLUON = 11, 13, 22, 21
CHARM, BOTTOM = 4, 5
RESONANCES = {6: "top quark", 23: "Z boson", 24: "W boson", 25: "Higgs boson"}
TIGHT = 2
"""Level of b tagging of b quarks."""


def read_lhe_batches(path: Path, *, batch_size: int = ROWS) -> Iterator[Events]:
    """Yield the events of an LHE file in batches.

    Outgoing electrons, muons and photons are objects as they are; quarks and gluons are jets, b
    quarks are those tagged; neutrinos are the missing transverse momentum. Tau leptons are left
    out. Weights are those of the events, not reweighted ones.

    Args:
        path: A ``.lhe`` or ``.lhe.gz`` file.
        batch_size: Events per batch.

    Raises:
        InvalidEvents: If the file is damaged or has no events, an event has a particle that must
            decay before it is measured, or numbers are impossible.
    """
    with _readable(path):
        events = _open(path).events
    first = 0
    with closing(events):
        while batch := _take(events, batch_size, path=path):
            converted = _convert(batch, first=first, file=path.name)
            yield check_events(converted, first=first, file=path.name)
            first += len(batch)
    if first == 0:
        msg = f"{path.name}: there are no events: generate or fetch the file again"
        raise InvalidEvents(msg)


def read_crosssection_pb(path: Path) -> tuple[float, float]:
    """Return the cross-section of all processes of an LHE file [pb] and its uncertainty.

    Raises:
        InvalidEvents: If the file is damaged.
    """
    with _readable(path):
        file = _open(path)
        file.events.close()
    processes = file.init.procInfo
    errors = [process.error for process in processes]
    return sum(process.xSection for process in processes), float(np.hypot.reduce(errors))


def _open(path: Path) -> Any:  # noqa: ANN401
    """Return a file of which the header has been read."""
    import pylhe

    return pylhe.LHEFile.fromfile(path, with_attributes=False)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file leads to into one exception with a cure."""
    try:
        with warnings.catch_warnings():
            # The reader merely warns where XML breaks off, and would return fewer events.
            warnings.simplefilter("error", RuntimeWarning)
            yield
    except (RuntimeWarning, ValueError, IndexError, EOFError, OSError, zlib.error) as error:
        msg = f"{path.name}: not a whole LHE file ({error}): fetch or write it again"
        raise InvalidEvents(msg) from error


def _take(events: Iterator[Any], n: int, *, path: Path) -> list[Any]:
    """Return the next ``n`` events, or as many as there are."""
    with _readable(path):
        return list(islice(events, n))


def _convert(batch: list[Any], *, first: int, file: str) -> Events:
    """Return a batch of the reader's events as arrays."""
    rows = [
        (number, particle.id, particle.px, particle.py, particle.pz, particle.e)
        for number, event in enumerate(batch)
        for particle in event.particles
        if particle.status == OUTGOING
    ]
    table = np.array(rows, dtype=float).reshape(-1, 6)
    event, pdg, momentum = table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2:]
    code = np.abs(pdg)
    _refuse_resonances(code, event + first, file=file)
    neutrino = np.isin(code, NEUTRINOS)
    missing = [
        np.bincount(event[neutrino], momentum[neutrino, axis], minlength=len(batch))
        for axis in (0, 1)
    ]

    def objects(wanted: int) -> Objects:
        kept = code == wanted
        charge = np.zeros(kept.sum(), dtype=int) if wanted == PHOTON else -np.sign(pdg[kept])
        return Objects(event[kept], momentum[kept], charge)

    return Events(
        n_events=len(batch),
        electrons=objects(ELECTRON),
        muons=objects(MUON),
        photons=objects(PHOTON),
        jets=_convert_jets(event, code, momentum),
        missing=np.stack(missing, axis=1),
        weights=np.array([event.eventinfo.weight for event in batch], dtype=float),
    )


def _convert_jets(event: NDArray, code: NDArray, momentum: NDArray) -> Jets:
    """Return quarks and gluons as jets."""
    kept = (code <= BOTTOM) | (code == GLUON)
    code = code[kept]
    return Jets(
        event=event[kept],
        momentum=momentum[kept],
        charge=np.zeros(len(code), dtype=int),
        tag=np.where(code == BOTTOM, TIGHT, 0),
        flavour=np.where(np.isin(code, (CHARM, BOTTOM)), code, 0),
    )


def _refuse_resonances(code: NDArray, event: NDArray, *, file: str) -> None:
    """Refuse events with particles that decay before any detector sees them."""
    undecayed = np.isin(code, list(RESONANCES))
    if undecayed.any():
        row = int(np.argmax(undecayed))
        msg = (
            f"{file}, event {event[row]} (from 0): a {RESONANCES[code[row]]} has not decayed: let"
            " the generator decay it, as only its products can be selected"
        )
        raise InvalidEvents(msg)
