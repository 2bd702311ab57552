"""Read histograms from tables: one bin a line of text, or a row of Parquet."""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bumpflow.hunts.histogram import InvalidHistogram, Place, join_bins
from bumpflow.ingest.histogram_bins import Bins, center_edges, missing, readable, width_edges

LARGEST = 1 << 24
"""Bytes of text, or rows of Parquet, beyond which a file cannot be one of bins."""
HEAD = 1 << 16
"""Bytes of text in which the first line that is no comment must end."""
ROLES = {
    "low": {"low", "lo", "lower", "left", "min", "xmin", "xlow"},
    "high": {"high", "hi", "upper", "right", "max", "xmax", "xhigh"},
    "edges": {"edge", "edges"},
    "width": {"width", "binwidth"},
    "count": {"count", "counts", "n", "events", "entries", "yield", "observed", "data", "value"}
    | {"values", "content", "contents", "y"},
    "center": {"center", "centre", "centers", "centres", "middle", "mid", "x", "mass"},
}
"""Words by which a column's role is recognised in its name; earlier roles win."""
LAYOUTS = (
    {"low", "high", "count"},
    {"edges", "count"},
    {"center", "width", "count"},
    {"center", "count"},
)
"""Columns that tell a histogram."""
COMMENT = re.compile(r"(^|\s)#.*")
"""The rest of a line that is a comment; a name such as "# of events" within a line is none."""

Columns = Mapping[str, str | int]
"""Names or positions (from 0) of columns by their role."""


class Table(NamedTuple):
    """Columns of a file.

    Attributes:
        file: Name of the file.
        header: Names of its columns; empty if it has none.
        n_columns: How many columns there are.
        n_rows: How many rows there are.
        column: Returns a column's values by position, NaN where the last row has none.
        place: Words for a row's place in the file, by its index from 0.
    """

    file: str
    header: list[str]
    n_columns: int
    n_rows: int
    column: Callable[[int], NDArray[np.float64]]
    place: Place


def read_text_bins(path: Path, columns: Columns | None) -> Bins:
    """Return the bins of a text file.

    Comments begin with ``#``. Columns are separated by semicolons, tabs, commas or blanks,
    whichever comes first in this list and is used in the first line; that line may name them.

    Args:
        path: The file, gzipped if it ends on ``.gz``.
        columns: Which columns to take, see :func:`table_bins`.

    Raises:
        InvalidHistogram: If the file cannot be read, lines have different numbers of columns, or
            a value is not a number.
    """
    numbers, rows = _read_lines(path)
    return table_bins(_text_table(numbers, rows, file=path.name), columns)


def read_text_groups(path: Path, columns: Columns | None, *, by: str) -> dict[str, Bins]:
    """Return the bins of each histogram of a text file, by its name in one of the columns.

    Args:
        path: As for :func:`read_text_bins`.
        columns: Which columns to take, see :func:`table_bins`.
        by: The column of the names.

    Raises:
        InvalidHistogram: As :func:`read_text_bins`, or if there is no such column, or a line has
            no name.
    """
    numbers, rows = _read_lines(path)
    table = _text_table(numbers, rows, file=path.name)
    position = find_column(by, table)
    lines: dict[str, list[int]] = {}
    for line, row in enumerate(rows[1:], start=1):
        name = row[position] if position < len(row) else ""
        lines.setdefault(name, []).append(line)
    if "" in lines:
        where = f"{path.name}, line {numbers[lines[''][0]]}, column {by!r}"
        msg = f"{where}: a bin of no histogram: name its histogram or remove the line"
        raise InvalidHistogram(msg)
    return {
        name: table_bins(
            _text_table(
                [numbers[0], *(numbers[line] for line in own)],
                [rows[0], *(rows[line] for line in own)],
                file=path.name,
            ),
            columns,
        )
        for name, own in lines.items()
    }


def column_names(path: Path) -> list[str]:
    """Return the names of a table's columns; none if it has no header or cannot be read."""
    try:
        if path.suffix == ".parquet":
            with readable(path, "Parquet"):
                return list(pq.read_schema(path).names)
        with pa.input_stream(str(path), compression="detect") as stream:
            head = stream.read(HEAD).decode("utf-8-sig", errors="replace")
        fields = split_lines(head, file=path.name)[1][0]
    except (InvalidHistogram, OSError, pa.ArrowException):  # whoever reads it says what is wrong
        return []
    return fields if is_header(fields) else []


def _read_lines(path: Path) -> tuple[list[int], list[list[str]]]:
    """Return the numbers and fields of a file's lines, see :func:`split_lines`."""
    with readable(path, "text"):
        with pa.input_stream(str(path), compression="detect") as stream:
            content = stream.read(LARGEST + 1)
        if len(content) > LARGEST:
            msg = (
                f"{path}: more than {LARGEST >> 20} MB, too much for a histogram: to fill one"
                " from a column of events, set `events`"
            )
            raise InvalidHistogram(msg)
        text = content.decode("utf-8-sig")
    return split_lines(text, file=path.name)


def split_lines(text: str, *, file: str) -> tuple[list[int], list[list[str]]]:
    """Return the numbers (from 1) of the lines that are no comments, and their fields.

    Raises:
        InvalidHistogram: If there is no such line.
    """
    lines = [
        (number, content)
        for number, line in enumerate(text.splitlines(), start=1)
        if (content := COMMENT.sub("", line).rstrip())
    ]
    if not lines:
        msg = f"{file}: no line but comments: give one line per bin"
        raise InvalidHistogram(msg)
    separator = sniff_separator(lines[0][1])
    rows = [_fields(content, separator, place=f"{file}, line {n}") for n, content in lines]
    return [number for number, _ in lines], rows


def _fields(line: str, separator: str, *, place: str) -> list[str]:
    """Return the fields of a line; a quote that is not closed ends with the line."""
    if separator == " ":
        return line.split()
    try:
        (row,) = csv.reader([line], delimiter=separator)
    except csv.Error as error:
        msg = f"{place}: {error}: correct the line or remove it"
        raise InvalidHistogram(msg) from error
    return [field.strip() for field in row]


def sniff_separator(line: str) -> str:
    """Return the separator of a line: semicolon, tab, comma, or a blank if it has none of them."""
    return next((separator for separator in ";\t," if separator in line.strip()), " ")


def is_header(fields: Sequence[str]) -> bool:
    """Return whether no field of a line is a number."""
    return all(np.isnan(_number(field)) and field.lower() != "nan" for field in fields)


def _text_table(numbers: list[int], rows: list[list[str]], *, file: str) -> Table:
    """Return the lines of a text file as a table."""
    header = rows[0] if is_header(rows[0]) else []
    numbers, rows = (numbers[1:], rows[1:]) if header else (numbers, rows)
    n_columns = len(header or rows[0])
    if rows and 0 < len(rows[-1]) < n_columns:  # the last edge has no count
        rows[-1] = rows[-1] + [""] * (n_columns - len(rows[-1]))
    for number, row in zip(numbers, rows, strict=True):
        if len(row) != n_columns:
            msg = (
                f"{file}, line {number}: {len(row)} columns instead of {n_columns}: correct the"
                " line or remove it"
            )
            raise InvalidHistogram(msg)

    def column(position: int) -> NDArray[np.float64]:
        """Return the numbers of a column, NaN where it says so or where the last row ends early."""
        fields = [row[position] for row in rows]
        values = np.array([_number(field) for field in fields], dtype=np.float64)
        for i in np.flatnonzero(np.isnan(values)):
            last = i == len(rows) - 1 and not fields[i]
            if fields[i].lower() != "nan" and not last:
                name = header[position] if header else position
                msg = (
                    f"{file}, line {numbers[i]}, column {name!r}: {fields[i]!r} is not a number:"
                    " correct the line or remove it"
                )
                raise InvalidHistogram(msg)
        return values

    return Table(file, header, n_columns, len(rows), column, lambda i: f"line {numbers[i]}")


def _number(field: str) -> float:
    """Return a text's value, NaN if it has none."""
    try:
        return float(field) if "_" not in field else float("nan")
    except ValueError:
        return float("nan")


def read_parquet_bins(path: Path, columns: Columns | None) -> Bins:
    """Return the bins of a Parquet table, one a row.

    Args:
        path: The file.
        columns: Which columns to take, see :func:`table_bins`.

    Raises:
        InvalidHistogram: If the file is damaged, or a column holds no numbers.
    """
    return table_bins(_parquet_table(_open_parquet(path)), columns)


def read_parquet_groups(path: Path, columns: Columns | None, *, by: str) -> dict[str, Bins]:
    """Return the bins of each histogram of a Parquet table, by its name in one of the columns.

    Args:
        path: The file.
        columns: Which columns to take, see :func:`table_bins`.
        by: The column of the names, texts or whole numbers.

    Raises:
        InvalidHistogram: As :func:`read_parquet_bins`, or if there is no such column, or a row
            has no name.
    """
    opened = _open_parquet(path)
    position = find_column(by, _parquet_table(opened))
    names = opened.read(position).cast(pa.string()).combine_chunks()
    if names.null_count:
        row = names.is_null().index(True).as_py() + 1
        msg = f"{path.name}, row {row}, column {by!r}: a bin of no histogram: name its histogram"
        raise InvalidHistogram(msg)
    codes = names.dictionary_encode()
    order = np.argsort(codes.indices.to_numpy(), kind="stable")
    ends = np.cumsum(np.bincount(codes.indices.to_numpy()))
    return {
        name: table_bins(_parquet_table(opened, chosen=own), columns)
        for name, own in zip(codes.dictionary.to_pylist(), np.split(order, ends[:-1]), strict=True)
    }


class _Parquet(NamedTuple):
    """A Parquet file: its name, schema, number of rows, and how to read a column by position."""

    file: str
    schema: pa.Schema
    n_rows: int
    read: Callable[[int], pa.ChunkedArray]


def _open_parquet(path: Path) -> _Parquet:
    """Return a Parquet file that is small enough to be one of bins."""
    with readable(path, "Parquet"), pq.ParquetFile(path) as file:
        schema, n_rows = file.schema_arrow, file.metadata.num_rows
    if n_rows > LARGEST:
        msg = f"{path}: {n_rows} rows, too many for a histogram: are these `events`?"
        raise InvalidHistogram(msg)

    @cache
    def read(position: int) -> pa.ChunkedArray:
        """Return a column of the file."""
        with (
            readable(path, "Parquet"),
            pq.ParquetFile(path, page_checksum_verification=True) as file,
        ):
            found = file.read(columns=[schema.field(position).name])[0]
            if len(found) != n_rows:
                msg = f"a column has {len(found)} rows instead of {n_rows}"
                raise ValueError(msg)
            return found

    return _Parquet(path.name, schema, n_rows, read)


def _parquet_table(opened: _Parquet, *, chosen: NDArray[np.int64] | None = None) -> Table:
    """Return all rows of a Parquet file, or the chosen ones, as a table."""
    rows = np.arange(opened.n_rows) if chosen is None else chosen

    def column(position: int) -> NDArray[np.float64]:
        check_numbers(opened.schema.field(position), file=opened.file)
        return opened.read(position).cast(pa.float64(), safe=False).to_numpy()[rows]

    names = list(opened.schema.names)
    return Table(opened.file, names, len(names), len(rows), column, lambda i: f"row {rows[i] + 1}")


def check_numbers(field: pa.Field, *, file: str) -> None:
    """Refuse a column of a Parquet file that does not hold numbers."""
    if not (pa.types.is_integer(field.type) or pa.types.is_floating(field.type)):
        msg = (
            f"{file}, column {field.name!r}: it holds {field.type}, not numbers: convert it or take"
            " another column"
        )
        raise InvalidHistogram(msg)


def table_bins(table: Table, columns: Columns | None) -> Bins:
    """Return the bins that some columns of a table give.

    Args:
        table: The table.
        columns: Names or positions of ``low``, ``high`` and ``count``, of ``edges`` (the last of
            which has no count) and ``count``, of ``center`` and ``count`` for bins of equal
            width, or of ``center``, ``width`` and ``count``. By default they are recognised: by
            words in their names such as "low", or else by whether some columns' values join as
            the ends of adjacent bins do.

    Raises:
        InvalidHistogram: If columns are not there or not recognised, or bins do not join.
    """
    if not table.n_rows:
        msg = f"{table.file}: no bins, only a header: give one line per bin"
        raise InvalidHistogram(msg)
    used = _find(table, columns) if columns else _recognise(table)
    parts = {role: table.column(position) for role, position in used.items()}
    values, place = parts["count"], table.place
    if "low" in parts:
        return Bins(
            values, join_bins(parts["low"], parts["high"], name=table.file, place=place), place
        )
    if "edges" in parts:
        if not np.isnan(values[-1]):
            msg = (
                f"{table.file}, {place(table.n_rows - 1)}: the last of the edges has the count"
                f" {values[-1]:g}, but no bin begins there: add a line with the last bin's upper"
                " edge and no count"
            )
            raise InvalidHistogram(msg)
        edges = parts["edges"]
        return Bins(
            values[:-1], join_bins(edges[:-1], edges[1:], name=table.file, place=place), place
        )
    if "width" in parts:
        edges = width_edges(parts["center"], parts["width"], file=table.file, place=place)
        return Bins(values, edges, place)
    return Bins(values, center_edges(parts["center"], file=table.file, place=place), place)


def _find(table: Table, columns: Columns) -> dict[str, int]:
    """Return the positions of the columns that are asked for."""
    if set(columns) not in LAYOUTS:
        known = "; ".join(", ".join(sorted(layout)) for layout in LAYOUTS)
        msg = f"{table.file}: `columns` gives {', '.join(sorted(columns))}, but must give: {known}"
        raise InvalidHistogram(msg)
    return {role: find_column(name, table) for role, name in columns.items()}


def find_column(name: str | int, table: Table) -> int:
    """Return the position of a column by name or position."""
    cure = "correct `columns`"
    if isinstance(name, int):
        if not 0 <= name < table.n_columns:
            positions = [str(position) for position in range(table.n_columns)]
            raise InvalidHistogram(
                missing("column at position", name, positions, file=table.file, cure=cure)
            )
        return name
    if name not in table.header:
        cure = cure if table.header else "its columns have no names: give positions, from 0"
        raise InvalidHistogram(missing("column", name, table.header, file=table.file, cure=cure))
    return table.header.index(name)


def _recognise(table: Table) -> dict[str, int]:
    """Return positions of columns whose role their names or values show."""
    named: dict[str, int] = {}
    for position, name in enumerate(table.header):
        words = set(re.findall(r"[a-z]+", name.lower()))
        role = next((role for role, known in ROLES.items() if words & known), None)
        if role:
            named.setdefault(role, position)
    for layout in LAYOUTS:
        if layout <= set(named):
            return {role: named[role] for role in layout}
    n = table.n_columns
    for low in range(min(n - 2, 2)):  # HEPData's text files have the centre before the ends
        if _join(table.column(low), table.column(low + 1)):
            return {"low": low, "high": low + 1, "count": low + 2}
    if n in (2, 3):  # the third is the count's error
        return {"center": 0, "count": 1}
    there = f" {', '.join(map(repr, table.header))}" if table.header else ""
    msg = (
        f"{table.file}: cannot tell which of its {n} columns{there} are bins and counts: set"
        " `columns`, such as {low: 0, high: 1, count: 2}"
    )
    raise InvalidHistogram(msg)


def _join(low: NDArray, high: NDArray) -> bool:
    """Return whether two columns look like lower and upper ends of mostly adjacent bins."""
    return len(low) > 1 and bool(np.mean(np.isclose(high[:-1], low[1:], rtol=1e-6)) > 0.5)
