"""A piece of a file of events: its columns, and where they came from."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from bumpflow.ingest.layout import LABEL, InvalidEvents, Layout

T = TypeVar("T")


@dataclass(frozen=True)
class Block:
    """Some consecutive events of a file.

    Attributes:
        columns: One float32 array of shape ``(n_events,)`` per canonical name.
        unit: What the file is counted in.
        first: Number of the first event's line or row, counted from 1.
        original: Returns what the file says for an event of this block and a column.
    """

    columns: dict[str, NDArray[np.float32]]
    unit: Literal["line", "row"]
    first: int
    original: Callable[[int, str], str]

    def __len__(self) -> int:
        """Return the number of events."""
        return len(next(iter(self.columns.values())))


def name_positions(
    layout: Layout, n_columns: int, first: NDArray, last: NDArray, *, place: str
) -> list[str | None]:
    """Return the names of a headerless file's columns.

    Args:
        layout: What the file holds.
        n_columns: How many columns it has.
        first: Values of the first column in some first events, shape ``(n,)``.
        last: Values of the last column in the same events, shape ``(n,)``.
        place: The file and the line or row where it starts, for messages.

    Raises:
        InvalidEvents: If the number of columns is wrong, or the label is not found.
    """
    n_features = len(layout.features)
    if n_columns != n_features + 1:
        msg = (
            f"{place}: {count_columns(n_columns)} instead of {n_features + 1} ({LABEL} and {n_features}"
            " features): check the separator and the layout"
        )
        raise InvalidEvents(msg)
    if _label_at(layout, first, last, place=place) == "first":
        return [LABEL, *layout.features]
    return [*layout.features, LABEL]


def _label_at(layout: Layout, first: NDArray, last: NDArray, *, place: str) -> str | int:
    """Return whether the first or the last column holds the labels.

    Labels are nearly all 0 or 1, and no feature in either place is. A few bad labels must not
    lead to a wrong column: the check of the labels is there to find them.
    """
    if layout.label in ("first", "last"):
        return layout.label
    binary = [np.isin(values, (0, 1)).mean() > 0.5 for values in (first, last)]
    if binary[0] == binary[1]:
        which = "both the first and the last column hold" if binary[0] else "no outer column holds"
        msg = f"{place}: {which} labels 0 and 1: set `label: first` or `label: last`"
        raise InvalidEvents(msg)
    return "first" if binary[0] else "last"


def ordered(layout: Layout, names: list[str | None]) -> list[str]:
    """Return the canonical names that are present: features in their order, then the label."""
    present = [name for name in names if name is not None]
    features = layout.features or [name for name in present if name != LABEL]
    return [*features, LABEL] if LABEL in present else [*features]


def place_of(file: str, unit: str, number: int, column: str | None = None) -> str:
    """Return words for a place in a file."""
    return f"{file}, {unit} {number}" + (f", column {column!r}" if column else "")


def count_columns(n: int) -> str:
    """Return words for a number of columns."""
    return "1 column" if n == 1 else f"{n} columns"


def prefetch(items: Iterator[T]) -> Iterator[T]:
    """Yield the items while a thread already works on the next one."""
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(next, items, None)
        while (item := pending.result()) is not None:
            pending = pool.submit(next, items, None)
            yield item
