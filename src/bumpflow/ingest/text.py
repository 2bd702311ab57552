"""Read events from separated text, plain or gzipped, in blocks of bounded size."""

import csv
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from bumpflow.ingest.blocks import (
    Block,
    count_columns,
    name_positions,
    ordered,
    place_of,
    prefetch,
)
from bumpflow.ingest.layout import InvalidEvents, Layout, match_header

# Sizes that keep most of the work within a processor's cache: measured, see benchmarks/ingest.py.
CHUNK = 1 << 22  # bytes read at a time
PARSE = 1 << 18  # bytes parsed at a time
LONGEST_LINE = 1 << 26  # bytes
N_LABELS = 1000  # lines looked at to find the labels


def read_text_blocks(path: Path, layout: Layout) -> Iterator[Block]:
    """Yield the events of a ``.csv`` or ``.tsv`` file, either of which may be gzipped.

    Args:
        path: The file; its suffixes tell separator and compression.
        layout: What it must hold.

    Raises:
        InvalidEvents: If a line has another number of columns than the first, a value is not a
            number, or the file is damaged or cut short.
    """
    separator = "\t" if ".tsv" in path.suffixes else ","
    names: list[str | None] = []
    line = 1
    for text in prefetch(_whole_lines(path)):
        if not names:
            text = text.removeprefix(b"\xef\xbb\xbf")
            names, has_header = _find_names(text, separator, layout, file=path.name)
            if has_header:
                text = text.partition(b"\n")[2]
                line = 2
        if text:
            yield _parse(text, separator, names, layout, line=line, file=path.name)
            line += text.count(b"\n")


def _whole_lines(path: Path) -> Iterator[bytes]:
    """Yield pieces of the decompressed file, each ending where a line ends."""
    held, rest, n_lines = b"", b"", 0
    compression = "gzip" if path.suffix == ".gz" else None
    with pa.input_stream(str(path), compression=compression) as stream:
        while chunk := _read(stream, file=path.name, n_lines=n_lines):
            cut = chunk.rfind(b"\n") + 1
            if cut:
                if held:
                    yield held
                held, rest = rest + chunk[:cut], chunk[cut:]
                n_lines += held.count(b"\n")
            elif len(rest := rest + chunk) > LONGEST_LINE:
                place = place_of(path.name, "line", n_lines + 1)
                msg = f"{place}: no end within {LONGEST_LINE} bytes: this is not a table of text"
                raise InvalidEvents(msg)
    if last := (held + rest).rstrip(b"\r\n"):
        yield last


def _read(stream: pa.NativeFile, *, file: str, n_lines: int) -> bytes:
    """Return the next bytes of a stream, empty at its end."""
    try:
        return stream.read(CHUNK)
    except OSError as error:
        msg = (
            f"{file}: the gzip stream is damaged or cut short after line {n_lines} ({error}):"
            " fetch the file again"
        )
        raise InvalidEvents(msg) from error


def _find_names(
    text: bytes, separator: str, layout: Layout, *, file: str
) -> tuple[list[str | None], bool]:
    """Return the canonical name of each column, and whether the first line is a header."""
    lines = _split(text, separator, limit=N_LABELS)
    header = [name.strip() for name in lines[0]]
    names_only = len(header) > 1 and all(np.isnan(_number(name)) for name in header)
    if layout.header == "present" or (layout.header == "auto" and names_only):
        return match_header(layout, header, file=file), True
    first, last = (np.array([_number(line[i]) for line in lines if line]) for i in (0, -1))
    place = place_of(file, "line", 1)
    return name_positions(layout, len(header), first, last, place=place), False


def _parse(
    text: bytes, separator: str, names: list[str | None], layout: Layout, *, line: int, file: str
) -> Block:
    """Return the events of some whole lines."""
    keys = [str(position) for position in range(len(names))]
    used = [key for key, name in zip(keys, names, strict=True) if name]
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(text),
            pa.csv.ReadOptions(column_names=keys, block_size=PARSE, use_threads=False),
            pa.csv.ParseOptions(delimiter=separator, ignore_empty_lines=False),
            pa.csv.ConvertOptions(
                column_types=dict.fromkeys(keys, pa.float32()),
                include_columns=used,
                null_values=[],
            ),
        )
    except pa.ArrowInvalid as error:
        _explain(text, separator, names, line=line, file=file)
        msg = f"{place_of(file, 'line', line)} or later: {error}"
        raise InvalidEvents(msg) from error
    columns = {name: table[str(names.index(name))].to_numpy() for name in ordered(layout, names)}
    return Block(columns, "line", line, partial(_original, text, separator, names))


def _explain(
    text: bytes, separator: str, names: list[str | None], *, line: int, file: str
) -> None:
    """Raise an error that names the first value which cannot be read."""
    for number, values in enumerate(_split(text, separator), start=line):
        if len(values) != len(names):
            found = count_columns(len(values)) if values else "an empty line"
            msg = (
                f"{place_of(file, 'line', number)}: {found} instead of {len(names)} columns:"
                " correct the line or remove it"
            )
            raise InvalidEvents(msg)
        for name, value in zip(names, values, strict=True):
            if name and (np.isnan(_number(value)) or "_" in value) and not _is_nan(value):
                msg = (
                    f"{place_of(file, 'line', number, name)}: {value!r} is not a number:"
                    " correct the line or remove it"
                )
                raise InvalidEvents(msg)


def _original(text: bytes, separator: str, names: list[str | None], row: int, column: str) -> str:
    """Return a value as the file writes it."""
    return _split(text, separator, limit=row + 1)[row][names.index(column)]


def _split(text: bytes, separator: str, *, limit: int = -1) -> list[list[str]]:
    """Return the values of each line as texts, of the first lines if there is a limit."""
    lines = text.split(b"\n", limit)
    lines = lines[:limit] if limit >= 0 else lines
    if lines and not lines[-1]:
        lines.pop()
    readable = (line.decode("utf-8", errors="replace") for line in lines)
    return [*csv.reader(readable, delimiter=separator)]


def _number(value: str) -> float:
    """Return a text's value, NaN if it has none."""
    try:
        return float(value)
    except ValueError:
        return float("nan")


def _is_nan(value: str) -> bool:
    return value.strip().lower().lstrip("+-") == "nan"
