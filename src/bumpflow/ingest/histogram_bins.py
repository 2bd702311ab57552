"""Bins as files give them, and what goes wrong with files of bins."""

from contextlib import AbstractContextManager
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bumpflow import damage
from bumpflow.hunts.histogram import InvalidHistogram, Place, join_bins

SAME_STEP = 0.01
"""Largest difference of two distances of centres that counts as rounding, relative to them."""


class Bins(NamedTuple):
    """Bins of a file.

    Attributes:
        values: What the file says of each bin, shape ``(n_bins,)``.
        edges: Edges of the bins, shape ``(n_bins + 1,)``.
        place: Words for a bin's place in the file, by its index from 0; None if none are known.
        variable: What the file calls its axis; empty if it does not say.
        unit: Unit of the axis; empty if the file does not say.
    """

    values: NDArray[np.float64]
    edges: NDArray[np.float64]
    place: Place | None = None
    variable: str = ""
    unit: str = ""


def center_edges(
    centers: NDArray, *, file: str, place: Place | None = None
) -> NDArray[np.float64]:
    """Return the edges of bins of equal width that are given by their centres.

    Args:
        centers: Middles of the bins, shape ``(n_bins,)``.
        file: Name of the file, for messages.
        place: Words for a bin's place in the file.

    Returns:
        Edges half-way between centres, shape ``(n_bins + 1,)``.

    Raises:
        InvalidHistogram: If there are fewer than two centres, or they are not finite, ascending
            and equally far apart.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is wrong below
        steps = np.diff(centers)
    if not len(steps):
        msg = f"{file}: {len(centers)} bins, whose width their centres cannot tell: give all bins"
        raise InvalidHistogram(msg)
    step = np.median(steps)
    # NaN is neither close to the others nor far from them.
    wrong = ~(np.abs(steps - step) <= SAME_STEP * step)
    if wrong.any():
        i = int(np.argmax(wrong)) + 1
        where = f"{file}, {place(i)}" if place else file
        msg = (
            f"{where}, bin {i + 1}: its centre {centers[i]:g} is {steps[i - 1]:g} above the one"
            f" before it, but {step:g} is usual, and only bins of equal width can be told by their"
            " centres: give their edges (`columns: {low: ..., high: ..., count: ...}`)"
        )
        raise InvalidHistogram(msg)
    n = len(centers)
    return np.linspace(centers[0] - step / 2, centers[-1] + step / 2, n + 1)


def width_edges(
    centers: NDArray, widths: NDArray, *, file: str, place: Place | None = None
) -> NDArray[np.float64]:
    """Return the edges of adjacent bins that are given by their centres and widths.

    Args:
        centers: Middles of the bins, shape ``(n_bins,)``.
        widths: Widths of the bins, shape ``(n_bins,)``.
        file: Name of the file, for messages.
        place: Words for a bin's place in the file.

    Raises:
        InvalidHistogram: If bins overlap or leave gaps.
    """
    return join_bins(centers - widths / 2, centers + widths / 2, name=file, place=place)


def readable(
    path: Path, kind: str, *, also: tuple[type[Exception], ...] = ()
) -> AbstractContextManager[None]:
    """Turn what a damaged or foreign file leads to into one exception with a cure.

    Args:
        path: The file.
        kind: What it ought to be, such as ``ROOT``.
        also: Exceptions of its reader besides the usual ones.

    Raises:
        InvalidHistogram: If it cannot be read.
    """
    cure = "fetch or write it again"
    return damage.readable(path, f"{kind} file", error=InvalidHistogram, cure=cure, also=also)


def missing(what: str, name: object, known: list[str], *, file: str, cure: str) -> str:
    """Return a message that something is not in a file, and what is.

    Args:
        what: What is not there, such as ``column``.
        name: Its name.
        known: Names that are there.
        file: Name of the file.
        cure: What to do.
    """
    near = get_close_matches(str(name), known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    there = ", ".join(map(repr, known)) or "none"
    return f"{file}: there is no {what} {name!r}: {hint}There are {there}: {cure}"
