"""A reader, whole files that it takes, and the same files damaged."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.damage import (
    MEMORY_MB,
    damaged,
    inputs,
    misspelt,
    must_read_or_refuse,
    odd_tables,
    peak_memory_mb,
)


@dataclass(frozen=True)
class Case:
    """A reader, and files that it takes.

    Attributes:
        file: Name of the files.
        read: The reader.
        contents: Whole files; each is damaged.
        separator: Of the cells of a table of text; empty for other files.
        header: Names of its columns.
        n: Inputs of each kind to try.
    """

    file: str
    read: Callable[[Path], object]
    contents: tuple[bytes, ...]
    separator: str = ""
    header: tuple[str, ...] = ()
    n: int = 120


def check_whole(case: Case, folder: Path) -> None:
    """Check that whole files are read."""
    path = folder / case.file
    for content in case.contents:
        path.write_bytes(content)
        assert must_read_or_refuse(case.read, path, (ValueError,))


def check_damaged(case: Case, folder: Path) -> None:
    """Check that damaged files are read or refused."""
    _check(case, st.sampled_from(case.contents).flatmap(damaged), folder)


def check_misspelt(case: Case, folder: Path) -> None:
    """Check that texts with wrong lines and cells are read or refused."""
    _check(case, misspelt(case.contents[0].decode(), case.separator), folder)


def check_odd(case: Case, folder: Path) -> None:
    """Check that tables of anything are read or refused."""
    _check(case, odd_tables(case.header, case.separator), folder)


def _check(case: Case, contents: st.SearchStrategy[bytes], folder: Path) -> None:
    """Check that files are read or refused, and that none takes much memory."""
    path, before = folder / case.file, peak_memory_mb()

    @inputs(case.n)
    @given(contents)
    def run(content: bytes) -> None:
        path.write_bytes(content)
        must_read_or_refuse(case.read, path, (ValueError,))

    run()
    assert peak_memory_mb() - before < MEMORY_MB
