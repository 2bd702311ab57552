"""Damaged and odd files, drawn by Hypothesis, and what readers may make of them."""

import os
import resource
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EFFORT = float(os.environ.get("BUMPFLOW_FUZZ", "1"))
"""How many times the usual number of inputs to try; other inputs than usual, if it is not 1."""
LONGEST = timedelta(seconds=30)
"""What no input may take, however busy the machine is."""
MEMORY_MB = 600
"""By how much no reader may raise the memory, libraries that it loads included."""
ODD = (
    *("", " ", "nan", "NaN", "inf", "-inf", "1e400", "-1e308", "1e-400", "9" * 400, "-0", "0x1F"),
    *("1_0", "1,2", "1;2", "\t", '"', "'", '"a', "a\nb", "\r", "#", "é", "\u2028", "\x00", "\x0c"),
    *("\ufeff", "true", "None", "\u0660", "x" * 300, "&a", "*a", "!!int", "1:2", "%", "{", "]"),
)
"""What nobody expects in a cell."""


def inputs(n: int) -> settings:
    """Return settings of a test that tries ``n`` inputs, the same ones at each run."""
    return settings(
        max_examples=max(1, int(n * EFFORT)),
        derandomize=EFFORT == 1,
        database=None,
        deadline=LONGEST,
        suppress_health_check=[*HealthCheck],
    )


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Return a file's content with one to three faults as disks, networks and editors make them."""
    for _ in range(draw(st.integers(1, 3))):
        content = draw(st.sampled_from(FAULTS))(draw, content)
    return content


@st.composite
def misspelt(draw: st.DrawFn, text: str, separator: str) -> bytes:
    """Return a table of text with one to three lines or cells spoilt."""
    lines = text.splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 3))):
        row = draw(st.integers(0, len(lines) - 1))
        cells = lines[row].rstrip("\n").split(separator)
        kind = draw(st.sampled_from(("cell", "cell", "cell", "drop", "double", "swap", "longer")))
        if kind == "cell":
            cells[draw(st.integers(0, len(cells) - 1))] = draw(st.sampled_from(ODD))
            lines[row] = separator.join(cells) + "\n"
        elif kind == "longer":
            lines[row] = separator.join([*cells, draw(st.sampled_from(ODD))]) + "\n"
        elif kind == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[row], lines[other] = lines[other], lines[row]
        else:
            lines[row] = "" if kind == "drop" else 2 * lines[row]
    return "".join(lines).encode()


@st.composite
def odd_tables(draw: st.DrawFn, header: tuple[str, ...], separator: str) -> bytes:
    """Return a small table of text in which anything may stand anywhere."""
    cells = st.sampled_from((*ODD, "1", "2.5", "-3", "100", "0"))
    names = draw(st.sampled_from(((), header, header[:-1], (*header, header[0]), header[::-1])))
    width = max(1, len(names) or draw(st.integers(1, 12)))
    row = st.lists(cells, min_size=max(1, width - 1), max_size=width + 1)
    rows = [list(names)] * bool(names) + draw(st.lists(row, max_size=5))
    end = draw(st.sampled_from(("\n", "\r\n", "\r", "\n\n")))
    return end.join(separator.join(line) for line in rows).encode()


def must_read_or_refuse(
    read: Callable[[Path], object], path: Path, documented: tuple[type[Exception], ...]
) -> bool:
    """Check that a reader takes a file, or refuses it by a documented error that names it.

    Args:
        read: The reader; what it calls "histogram mine" may also be named so.
        path: The file.
        documented: Errors that the reader says it raises; any other fails the test.

    Returns:
        Whether it was read.
    """
    fault: Exception | None = None
    try:
        read(path)
    except documented as error:
        fault = error
    if fault is not None:
        named = path.name in str(fault) or "histogram mine" in str(fault)
        assert named, f"{fault!r} does not name {path.name}"
        assert len(str(fault)) < 5000, f"a message of {len(str(fault))} characters"
    return fault is None


def peak_memory_mb() -> float:
    """Return the most memory that this process has ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _flip(draw: st.DrawFn, content: bytes) -> bytes:
    at = draw(st.integers(0, max(0, len(content) - 1)))
    bit = 1 << draw(st.integers(0, 7))
    return content[:at] + bytes(byte ^ bit for byte in content[at : at + 1]) + content[at + 1 :]


def _set(draw: st.DrawFn, content: bytes) -> bytes:
    at, n = draw(st.integers(0, len(content))), draw(st.sampled_from((1, 1, 2, 4, 8)))
    byte = draw(st.sampled_from((b"\x00", b"\xff", b"\x7f", b"\x80", b"0", b'"', b"\n")))
    return content[:at] + byte * n + content[at + n :]


def _cut(draw: st.DrawFn, content: bytes) -> bytes:
    return content[: draw(st.integers(0, len(content)))]


def _insert(draw: st.DrawFn, content: bytes) -> bytes:
    at = draw(st.integers(0, len(content)))
    return content[:at] + draw(st.binary(min_size=1, max_size=9)) + content[at:]


def _remove(draw: st.DrawFn, content: bytes) -> bytes:
    at = draw(st.integers(0, len(content)))
    return content[:at] + content[at + draw(st.integers(1, 64)) :]


def _double(draw: st.DrawFn, content: bytes) -> bytes:
    at, n = draw(st.integers(0, len(content))), draw(st.integers(1, 64))
    return content[: at + n] + content[at:]


def _zero(draw: st.DrawFn, content: bytes) -> bytes:
    at, n = draw(st.integers(0, len(content))), draw(st.integers(1, 512))
    n = min(n, len(content) - at)
    return content[:at] + bytes(n) + content[at + n :]


FAULTS = (_flip, _flip, _set, _set, _cut, _insert, _remove, _double, _zero)
