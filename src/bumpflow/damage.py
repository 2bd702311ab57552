"""What reading a damaged or foreign file leads to, as one exception that says what to do."""

import csv
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from zipfile import BadZipFile

import pyarrow as pa
import yaml


class DamagedFile(ValueError):
    """A file cannot be read; the message names it, what is wrong and what to do."""


ANEW = "remove it and run Snakemake again, or fetch it again if no rule makes it"
"""What to do about one of the project's own files."""
DAMAGE = (
    *(OSError, EOFError, MemoryError, BadZipFile, zlib.error, struct.error, csv.Error),
    *(pa.ArrowException, yaml.YAMLError, TokenError, SyntaxError),
)
ASTRAY = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError),
    *(RuntimeError, NameError),  # RecursionError and NotImplementedError are the former
)
"""A wrong byte may send a reader anywhere."""
NOT_DAMAGE = (FileNotFoundError, IsADirectoryError, PermissionError)
"""Errors that name the file themselves."""
LONGEST = 200
"""Characters that are shown of a reader's own message."""


@contextmanager
def readable(
    path: str | Path,
    kind: str,
    *,
    error: type[ValueError] = DamagedFile,
    cure: str = ANEW,
    also: tuple[type[Exception], ...] = (),
) -> Iterator[None]:
    """Turn whatever a damaged or foreign file leads to into one exception with a cure.

    Only what a reader of bytes does belongs inside: mistakes of our own would look like damage.

    Args:
        path: The file.
        kind: What it ought to be, such as ``ROOT file``.
        error: The exception to raise; it passes through if it is raised inside.
        cure: What to do.
        also: Exceptions of the reader besides the usual ones.

    Raises:
        ValueError: As ``error``, if the file cannot be read.
        FileNotFoundError: If it is not there; likewise if it is a folder, or not allowed.
    """
    try:
        yield
    except (error, *NOT_DAMAGE):
        raise
    except (*DAMAGE, *ASTRAY, *also) as found:
        reason = " ".join(str(found).split())[:LONGEST] or type(found).__name__
        msg = f"{path}: not a whole {kind} ({reason}): {cure}"
        raise error(msg) from found


def uproot_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions of uproot that are of no usual type."""
    from uproot.deserialization import DeserializationError
    from uproot.interpretation.identify import NotNumerical, UnknownInterpretation
    from uproot.interpretation.objects import CannotBeAwkward, CannotBeStrided

    return (
        *(DeserializationError, NotNumerical, UnknownInterpretation),
        *(CannotBeAwkward, CannotBeStrided),
    )
