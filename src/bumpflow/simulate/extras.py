"""Packages that only event generation needs; they are optional, and not ours to import early."""

from collections.abc import Iterator
from contextlib import contextmanager


class MissingExtra(ImportError):
    """A package that generates events is not installed; the message says how to get it."""


@contextmanager
def optional() -> Iterator[None]:
    """Say how to get packages of the extra ``generate`` that are imported inside.

    Raises:
        MissingExtra: If one of them is not installed.
    """
    try:
        yield
    except ImportError as error:
        msg = (
            f"events cannot be generated without {error.name}: install the extra,"
            " `pip install 'bumpflow[generate]'`"
        )
        raise MissingExtra(msg, name=error.name) from error
