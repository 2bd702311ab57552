"""Read hard processes from LHE files, as if a perfect detector had measured their partons.

References:
    Alwall et al. (2007), https://arxiv.org/abs/hep-ph/0609017
"""

import gzip
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bumpflow.damage import readable
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
GZIP = b"\x1f\x8b"
"""How gzipped files begin."""
TIGHT = 2
"""Level of b tagging of b quarks."""
LONGEST_HEADER, LONGEST_EVENT = 1 << 26, 1 << 22
"""Bytes of text in which they must end."""
MOST = 1 << 20
"""Particles after which a batch ends."""


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
        file, stream = _open(path)
    first = 0
    with closing(file.events):
        while batch := _take(file.events, stream, batch_size, path=path):
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
        file, _ = _open(path)
        file.events.close()
    processes = file.init.procInfo
    errors = [process.error for process in processes]
    return sum(process.xSection for process in processes), float(np.hypot.reduce(errors))


class _Stream:
    """An open file that ends the reading of a header or an event that does not end.

    Attributes:
        left: Bytes that may still be read.
    """

    def __init__(self, file: BufferedIOBase) -> None:
        self.left = LONGEST_HEADER
        self._file = file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, empty at the end."""
        found = self._file.read(size)
        self.left -= len(found)
        if self.left < 0:
            msg = "its header, or an event, does not end"
            raise ValueError(msg)
        return found


def _open(path: Path) -> tuple[Any, _Stream]:
    """Return a file of which the header has been read, and the stream that it comes from."""
    import pylhe

    with path.open("rb") as start:
        zipped = start.read(len(GZIP)) == GZIP
    stream = _Stream(gzip.open(path) if zipped else path.open("rb"))  # noqa: SIM115
    return pylhe.LHEFile.frombuffer(stream, with_attributes=False), stream


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file leads to into one exception with a cure."""
    cure, also = "fetch or write it again", (RuntimeWarning,)
    with (
        readable(path.name, "LHE file", error=InvalidEvents, cure=cure, also=also),
        warnings.catch_warnings(),
    ):
        # The reader merely warns where XML breaks off, and would return fewer events.
        warnings.simplefilter("error", RuntimeWarning)
        yield


def _take(events: Iterator[Any], stream: _Stream, n: int, *, path: Path) -> list[Any]:
    """Return the next ``n`` events, or as many as there are or have :data:`MOST` particles."""
    batch: list[Any] = []
    n_particles = 0
    with _readable(path):
        while len(batch) < n and n_particles < MOST:
            stream.left = LONGEST_EVENT
            event = next(events, None)
            if event is None:
                break
            batch.append(event)
            n_particles += len(event.particles)
    return batch


def _convert(batch: list[Any], *, first: int, file: str) -> Events:
    """Return a batch of the reader's events as arrays."""
    rows = [
        (number, particle.id, particle.px, particle.py, particle.pz, particle.e)
        for number, event in enumerate(batch)
        for particle in event.particles
        if particle.status == OUTGOING
    ]
    table = np.array(rows, dtype=float).reshape(-1, 6)
    _refuse_codes(table[:, 1], table[:, 0] + first, file=file)
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


def _refuse_codes(code: NDArray, event: NDArray, *, file: str) -> None:
    """Refuse codes that no particle can have: they have ten digits at most."""
    wrong = np.abs(code) >= 1e10
    if wrong.any():
        row = int(np.argmax(wrong))
        msg = (
            f"{file}, event {event[row]:.0f} (from 0): {code[row]:g} is not the code of a particle:"
            " correct the event or remove it"
        )
        raise InvalidEvents(msg)


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
