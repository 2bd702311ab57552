"""Packages that only event generation needs; they are optional, and not ours to import early."""

import importlib
from types import ModuleType


class MissingExtra(ImportError):
    """A package that generates events is not installed; the message says how to get it."""


def require(module: str) -> ModuleType:
    """Return an optional module.

    Raises:
        MissingExtra: If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        msg = (
            f"events cannot be generated without {module}: install the extra,"
            " `pip install 'bumpflow[generate]'`"
        )
        raise MissingExtra(msg) from error
