"""Read events from separated text, plain or gzipped, in blocks of bounded size."""

import csv
import re
from collections.abc import Iterator, Sequence
from functools import partial
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv

from bumpflow.chunks import WHOLE, share
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
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LONE_RETURN = re.compile(rb"\r(?!\n)")


class Span(NamedTuple):
    """Some bytes of a file: the first one, and the one after the last."""

    start: int
    stop: int


def read_text_blocks(
    path: Path, layout: Layout, *, chunk: Sequence[int] = WHOLE
) -> Iterator[Block]:
    """Yield the events of a ``.csv`` or ``.tsv`` file, either of which may be gzipped.

    Args:
        path: The file; its suffixes tell separator and compression.
        layout: What it must hold.
        chunk: Number of the part of the lines to read, and how many there are.

    Raises:
        InvalidEvents: If a line has another number of columns than the first, a value is not a
            number, or the file is damaged or cut short.
    """
    separator = "\t" if ".tsv" in path.suffixes else ","
    names: list[str | None] = []
    line = 1
    span = _span_of(path, chunk) if chunk[1] > 1 else None
    if span and span.start:
        head = next(_whole_lines(path)).removeprefix(BYTE_ORDER_MARK)
        names, _ = _find_names(head, separator, layout, file=path.name)
        line += _count_lines(path, span.start)
    for text in prefetch(_whole_lines(path, span, n_lines=line - 1)):
        if not names:
            text = text.removeprefix(BYTE_ORDER_MARK)
            names, has_header = _find_names(text, separator, layout, file=path.name)
            if has_header:
                text = text.partition(b"\n")[2]
                line = 2
        if text:
            _refuse_returns(text, line=line, file=path.name)
            yield _parse(text, separator, names, layout, line=line, file=path.name)
            line += text.count(b"\n")


def _span_of(path: Path, chunk: Sequence[int]) -> Span:
    """Return which bytes of a file are a chunk's lines; a line belongs where it starts."""
    with path.open("rb") as file:
        size = file.seek(0, SEEK_END)
        file.seek(max(0, size - CHUNK))
        tail = file.read()
        size -= len(tail) - len(tail.rstrip(b"\r\n"))
        edges = share(size, chunk)
        return Span(*(_next_line(file, edge, size) for edge in (edges.start, edges.stop)))


def _next_line(file: BinaryIO, offset: int, size: int) -> int:
    """Return where the first line starts that does not start before ``offset``."""
    if not offset:
        return 0
    file.seek(offset - 1)
    file.readline(LONGEST_LINE)
    return min(file.tell(), size)


def _count_lines(path: Path, stop: int) -> int:
    """Return how many lines end before a place in a file."""
    with path.open("rb") as file:
        sizes = (min(CHUNK, stop - start) for start in range(0, stop, CHUNK))
        return sum(file.read(size).count(b"\n") for size in sizes)


def _whole_lines(path: Path, span: Span | None = None, *, n_lines: int = 0) -> Iterator[bytes]:
    """Yield pieces of the decompressed file, or of a span of it, each ending where a line ends."""
    held, rest = b"", b""
    compression = "gzip" if path.suffix == ".gz" else None
    with pa.input_stream(str(path), compression=compression) as stream:
        if span:
            stream.seek(span.start)
        while chunk := _read(stream, span, file=path.name, n_lines=n_lines):
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
    last = held + rest
    if last := last if span else last.rstrip(b"\r\n"):
        yield last


def _read(stream: pa.NativeFile, span: Span | None, *, file: str, n_lines: int) -> bytes:
    """Return the next bytes of a stream, empty at its end."""
    try:
        return stream.read(min(CHUNK, span.stop - stream.tell()) if span else CHUNK)
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
    _refuse_returns(text, line=1, file=file)
    lines = _split(text, separator, limit=N_LABELS, line=1, file=file)
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
    original = partial(_original, text, separator, names, line=line, file=file)
    return Block(columns, "line", line, original)


def _explain(
    text: bytes, separator: str, names: list[str | None], *, line: int, file: str
) -> None:
    """Raise an error that names the first value which cannot be read."""
    rows = _split(text, separator, line=line, file=file)
    for number, values in enumerate(rows, start=line):
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


def _original(
    text: bytes,
    separator: str,
    names: list[str | None],
    row: int,
    column: str,
    *,
    line: int,
    file: str,
) -> str:
    """Return a value as the file writes it."""
    rows = _split(text, separator, limit=row + 1, line=line, file=file)
    return rows[row][names.index(column)]


def _split(
    text: bytes, separator: str, *, line: int, file: str, limit: int = -1
) -> list[list[str]]:
    """Return the values of each line as texts, of the first lines if there is a limit."""
    lines = text.split(b"\n", limit)
    lines = lines[:limit] if limit >= 0 else lines
    if lines and not lines[-1]:
        lines.pop()
    rows: list[list[str]] = []
    try:
        for content in lines:  # a quote that is not closed ends with its line
            rows += csv.reader([content.decode("utf-8", errors="replace")], delimiter=separator)
    except csv.Error as error:
        place = place_of(file, "line", line + len(rows))
        msg = f"{place}: {error}: correct the line or remove it"
        raise InvalidEvents(msg) from error
    return rows


def _refuse_returns(text: bytes, *, line: int, file: str) -> None:
    """Refuse carriage returns that end no line, of which readers make different things."""
    if text.count(b"\r") != text.count(b"\r\n") and (found := LONE_RETURN.search(text)):
        place = place_of(file, "line", line + text.count(b"\n", 0, found.start()))
        msg = f"{place}: a carriage return within the line: end lines with line feeds"
        raise InvalidEvents(msg)


def _number(value: str) -> float:
    """Return a text's value, NaN if it has none."""
    try:
        return float(value)
    except ValueError:
        return float("nan")


def _is_nan(value: str) -> bool:
    return value.strip().lower().lstrip("+-") == "nan"
