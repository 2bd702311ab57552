"""What goes wrong where files are written: full disks, and processes that are killed."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of a full disk, and of a user who may not take more of it."""


class DiskFull(OSError):
    """A file does not fit on its disk; the message names both, and says what to do."""


@contextmanager
def room_for(path: str | Path) -> Iterator[None]:
    """Turn whatever a full disk leads to into one exception with a cure.

    Args:
        path: The file that is written inside.

    Raises:
        DiskFull: If it does not fit; one that is raised inside passes through.
    """
    try:
        yield
    except DiskFull:
        raise
    except Exception as error:
        if not is_full(error):
            raise
        msg = (
            f"{path}: it does not fit on its disk, or in your share of it ({_free_space(path)}):"
            " free some space there and run Snakemake again, which keeps what is done, or"
            " choose another disk with --directory"
        )
        raise DiskFull(getattr(error, "errno", None) or errno.ENOSPC, msg) from error


def is_full(error: Exception) -> bool:
    """Return whether an error is that of a full disk; not all libraries raise an OSError."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in FULL
    return any(os.strerror(number) in str(error) for number in FULL)


def _free_space(path: str | Path) -> str:
    """Return how much room is left on the disk of a file, whose folder may be missing."""
    there = next(folder for folder in Path(path).absolute().parents if folder.exists())
    total, _, free = shutil.disk_usage(there)
    return f"{free / 1e6:.1f} of {total / 1e6:.1f} MB are left of {there}"


def remove_parts(path: str | Path) -> None:
    """Remove what processes that were killed left beside a file when they wrote it."""
    path = Path(path)
    name = rf"\.+{re.escape(path.stem)}(\.\d+\.(part|whole))+{re.escape(path.suffix)}"
    for left in path.parent.glob(".*.*.*"):
        if re.fullmatch(name, left.name):
            left.unlink(missing_ok=True)
