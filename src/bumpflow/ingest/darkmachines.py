"""Read events from text files in the format of the Dark Machines challenge.

A line is an event: ``event ID; process ID; weight; MET; METphi; obj1,E1,pt1,eta1,phi1; ...``.

References:
    Aarrestad et al. (2022), section 2, https://arxiv.org/abs/2105.14027
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from bumpflow.ingest.blocks import prefetch
from bumpflow.ingest.delphes import TIGHT
from bumpflow.ingest.layout import InvalidEvents
from bumpflow.simulate.select.mixture import list_columns

CHUNK = 1 << 22
"""Bytes of text read at a time."""
LONGEST_LINE = 1 << 20
"""Bytes beyond which a line cannot be an event."""
LARGEST = 1e30
"""Numbers beyond which none can be meant, far from the end of single precision."""
LARGEST_ETA = 30.0
"""Pseudorapidities beyond that of any beam."""
HEADER = ("event ID", "process ID", "event weight", "MET", "METphi")
"""What a line begins with."""
PARTS = ("object", "E", "pt", "eta", "phi")
"""What it says of each object; as many as there are in the header."""
SYMBOLS = ("j", "b", "e-", "e+", "m-", "m+", "g")
"""Jet, b jet, electrons, muons, photon."""
KINDS = {"electron": ("e-", "e+"), "muon": ("m-", "m+"), "photon": ("g",), "jet": ("j", "b")}
CHARGES = np.array([0, 0, -1, 1, -1, 1, 0], dtype=np.int8)
"""Charges by symbol."""
TAGS = np.array([0, TIGHT, 0, 0, 0, 0, 0], dtype=np.int8)
"""Levels of b tagging by symbol."""
IN_GEV = {"MeV": 1e-3, "GeV": 1.0}

N = len(HEADER)
AS_LINES = bytes.maketrans(b";,", b"\n\n")
NEWLINE, SEMICOLON, COMMA = b"\n;,"
IS_SEPARATOR = np.isin(np.arange(256), (NEWLINE, SEMICOLON, COMMA))  # faster than isin of text


def read_darkmachines_batches(
    path: Path,
    *,
    unit: Literal["MeV", "GeV"] = "MeV",
    luminosity_fb: float = 1,
    chunk_bytes: int = CHUNK,
) -> Iterator[pa.Table]:
    """Yield the events of a file in the Dark Machines format, so that memory is bounded.

    Args:
        path: The file, gzipped if its name ends on ``.gz``.
        unit: Unit of energies and momenta in the file; in the public files it is MeV.
        luminosity_fb: Integrated luminosity that the events' weights are for [1/fb].
        chunk_bytes: How much text becomes one table.

    Yields:
        Tables of generated events' columns: lists ``electron_pt`` [GeV], ``electron_eta``,
        ``electron_phi`` [rad], ``electron_charge``, the same of ``muon``, ``photon_pt``, ``_eta``
        and ``_phi``, ``jet_pt``, ``jet_eta``, ``jet_phi``, ``jet_mass`` [GeV], ``jet_btag`` (0, or
        2 for b jets), hardest first, and numbers ``met`` [GeV], ``met_phi`` [rad], ``weight_fb``
        [fb] and ``sample``, the process.

    Raises:
        InvalidEvents: If a line is malformed or a number impossible, at its line; or if the file
            is damaged.
    """
    first = 1
    for text in prefetch(_whole_lines(path, chunk_bytes)):
        try:
            table = _convert(text, scale=IN_GEV[unit], luminosity_fb=luminosity_fb)
        except pa.ArrowInvalid:
            table = None
        if table is None:
            raise InvalidEvents(_explain(text, first=first, file=path.name))
        yield table
        first += len(table)
    if first == 1:
        msg = f"{path.name}: there are no events: fetch the file again"
        raise InvalidEvents(msg)


def _whole_lines(path: Path, chunk_bytes: int) -> Iterator[bytes]:
    """Yield pieces of the decompressed file, each of whole lines and without blanks."""
    rest, n_lines = b"", 0
    with pa.input_stream(str(path), compression="detect") as stream:
        while True:
            try:
                chunk = stream.read(chunk_bytes)
            except OSError as error:
                msg = (
                    f"{path.name}: damaged or cut short after line {n_lines} ({error}): fetch the"
                    " file again"
                )
                raise InvalidEvents(msg) from error
            text, newline, rest = (rest + chunk).rpartition(b"\n")
            if len(rest) > max(LONGEST_LINE, chunk_bytes):
                msg = (
                    f"{path.name}, line {n_lines + 1}: no end within {len(rest)} bytes: this is"
                    " not a file of events"
                )
                raise InvalidEvents(msg)
            whole = text + newline if chunk else rest + b"\n" * bool(rest)
            if whole:
                n_lines += whole.count(b"\n")
                # Some files end each event, too, with a semicolon.
                yield whole.translate(None, delete=b" \t\r").replace(b";\n", b"\n")
            if not chunk:
                return


def _convert(text: bytes, *, scale: float, luminosity_fb: float) -> pa.Table | None:
    """Return the events of some lines, None if a line is wrong."""
    characters = np.frombuffer(text, dtype=np.uint8)
    separators = characters[IS_SEPARATOR[characters]]
    ends = np.flatnonzero(separators == NEWLINE) + 1  # of lines, in fields
    starts = np.concatenate([[0], ends[:-1]])
    n_fields = ends - starts
    position = np.arange(len(separators)) - np.repeat(starts, n_fields)
    between = np.where((position < N) | (position % N == N - 1), SEMICOLON, COMMA)
    if np.any(n_fields % N) or np.any((separators != between) & (separators != NEWLINE)):
        return None
    fields = _split(text)
    weight, met, met_phi = (
        fields.take(pa.array(starts + place)).cast(pa.float64()).to_numpy() for place in (2, 3, 4)
    )
    objects = np.flatnonzero((position >= N) & (position % N == 0))
    symbols = pc.index_in(fields.take(pa.array(objects)), pa.array(SYMBOLS))
    if symbols.null_count:
        return None
    energy, pt, eta, phi = (
        fields.take(pa.array(objects + place)).cast(pa.float64()).to_numpy()
        for place in range(1, N)
    )
    numbers = [weight, met, met_phi, energy, pt, eta, phi]
    possible = np.all(energy > 0) and np.all(pt > 0) and np.all(met >= 0)
    possible &= np.all(np.abs(eta) < LARGEST_ETA)
    if not (possible and all(np.all(np.abs(values) < LARGEST) for values in numbers)):
        return None
    momenta = {"energy": energy * scale, "pt": pt * scale, "eta": eta, "phi": phi}
    event = np.repeat(np.arange(len(starts)), n_fields // N - 1)
    columns = _lists(symbols.to_numpy(), event, momenta, n_events=len(starts))
    process = fields.take(pa.array(starts + 1)).dictionary_encode()
    return pa.table(
        columns
        | {
            "met": (met * scale).astype(np.float32),
            "met_phi": met_phi.astype(np.float32),
            "weight_fb": weight / luminosity_fb,
            "sample": process,
        }
    )


def _split(text: bytes) -> pa.Array:
    """Return all fields of some lines, as texts."""
    table = pa.csv.read_csv(
        pa.BufferReader(text.translate(AS_LINES)),
        pa.csv.ReadOptions(column_names=["field"], use_threads=False, block_size=len(text) + 1),
        pa.csv.ParseOptions(delimiter="\x01", quote_char=False, ignore_empty_lines=False),
        pa.csv.ConvertOptions(column_types={"field": pa.string()}, strings_can_be_null=False),
    )
    return table["field"].combine_chunks()


def _lists(
    symbols: NDArray[np.integer], event: NDArray, momenta: dict[str, NDArray], *, n_events: int
) -> dict[str, pa.ListArray]:
    """Return the lists of the objects of each kind, hardest first."""
    order = np.lexsort((-momenta["pt"], event))
    symbols, event = symbols[order], event[order]
    sorted_momenta = {name: values[order] for name, values in momenta.items()}
    columns: dict[str, pa.ListArray] = {}
    for kind, own in KINDS.items():
        rows = np.flatnonzero(np.isin(symbols, [SYMBOLS.index(symbol) for symbol in own]))
        energy, pt, eta, phi = (values[rows] for values in sorted_momenta.values())
        found: dict[str, NDArray] = {"pt": pt, "eta": eta, "phi": phi}
        if kind == "jet":
            # Energies are printed with few digits, so light jets may come out spacelike.
            squared = np.square(energy) - np.square(pt * np.cosh(eta))
            found |= {"mass": np.sqrt(np.maximum(squared, 0)), "btag": TAGS[symbols[rows]]}
        elif kind != "photon":
            found["charge"] = CHARGES[symbols[rows]]
        named = {f"{kind}_{name}": values for name, values in found.items()}
        columns |= list_columns(event[rows], n_events, named)
    return columns


def _explain(text: bytes, *, first: int, file: str) -> str:
    """Return a message that names the first malformed line and what is wrong with it."""
    lines = text.decode("utf-8", errors="replace").removesuffix("\n").split("\n")
    faults = ((number, _fault(line)) for number, line in enumerate(lines, start=first))
    number, fault = next(
        (found for found in faults if found[1]), (first, f"it or one of {len(lines)} is malformed")
    )
    return f"{file}, line {number}: {fault}: correct the line or remove it"


def _fault(line: str) -> str:
    """Return what is wrong with a line, nothing if it is well."""
    fields = line.split(";")
    if not line:
        return "an empty line"
    if len(fields) < N:
        return f"{len(fields)} fields instead of at least {N} ({'; '.join(HEADER)})"
    for name, value in zip(HEADER[:2], fields[:2], strict=True):
        if "," in value:
            return f"{name} is {value!r}, which holds a comma"
    for name, value in zip(HEADER[2:], fields[2:N], strict=True):
        if fault := _number_fault(name, value, positive=False):
            return fault
        if name == "MET" and float(value) < 0:
            return f"{name} is {value}, but must not be negative"
    for i, field in enumerate(fields[N:], start=1):
        symbol, *numbers = field.split(",")
        if len(numbers) != len(PARTS) - 1:
            return f"object {i} is {field!r}, but must be {','.join(PARTS)}"
        if symbol not in SYMBOLS:
            return f"object {i} is {symbol!r}, but objects are {', '.join(SYMBOLS)}"
        for name, value in zip(PARTS[1:], numbers, strict=True):
            if fault := _number_fault(name, value, positive=name in ("E", "pt")):
                return f"object {i} ({symbol}): {fault}"
    return ""


def _number_fault(name: str, value: str, *, positive: bool) -> str:
    """Return what is wrong with a number, nothing if it is well."""
    try:
        number = float(value)
    except ValueError:
        return f"{name} is {value!r}, which is not a number"
    if not np.isfinite(number) or "_" in value:
        return f"{name} is {value}, which is not a finite number"
    if abs(number) >= (LARGEST_ETA if name == "eta" else LARGEST):
        return f"{name} is {value}, which is impossible"
    return f"{name} is {value}, but must be positive" if positive and number <= 0 else ""
