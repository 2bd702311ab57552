"""Check events on their way in: finite, physically possible, and not seen before."""

import numpy as np
from numpy.typing import NDArray

from bumpflow.ingest.blocks import Block, place_of
from bumpflow.ingest.layout import LABEL, InvalidEvents, Layout

FAULTS = {
    "finite": "is not finite: correct the event or remove it",
    "label": "is not a label: only 0 (background) and 1 (signal) are",
    "negative": "is negative, which is physically impossible: correct the event or remove it",
}


def check_block(block: Block, layout: Layout, *, file: str) -> None:
    """Check that all values are finite and possible.

    Args:
        block: Some events.
        layout: Which features cannot be negative.
        file: Name of the file, for messages.

    Raises:
        InvalidEvents: For the first event that is not; it names its place and value.
    """
    found = [
        (int(np.argmax(bad)), kind, name)
        for name, values in block.columns.items()
        for kind, bad in _faults(name, values, layout)
    ]
    if found:
        row, kind, name = min(found, key=lambda fault: fault[0])
        place = place_of(file, block.unit, block.first + row, name)
        msg = f"{place}: {block.original(row, name)} {FAULTS[kind]}"
        raise InvalidEvents(msg)


def _faults(name: str, values: NDArray, layout: Layout) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return the kinds of faults of a column, each with a mask of the events concerned.

    Two numbers tell whether there is any fault; masks are made only then.
    """
    low, high = values.min(), values.max()  # NaN if any value is
    faults = []
    if not (np.isfinite(low) and np.isfinite(high)):
        faults.append(("finite", ~np.isfinite(values)))
    if name == LABEL and (bad := ~np.isin(values, (0, 1)) & np.isfinite(values)).any():
        faults.append(("label", bad))
    if name in layout.nonnegative and (bad := (values < 0) & np.isfinite(values)).any():
        faults.append(("negative", bad))
    return faults


class SeenRows:
    r"""Remember rows by their 64-bit hashes, at 8 bytes a row.

    Hashes are kept in a few sorted runs of growing size, so that adding :math:`n` rows costs
    :math:`O(n \\log^2 n)` in all. Two different rows among eleven million share a hash
    with a probability of 3e-6.
    """

    def __init__(self) -> None:
        """Start with no rows."""
        self._runs: list[NDArray[np.uint64]] = []

    def add(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Add rows and return which of them repeat an earlier one, shape ``(n_rows,)``."""
        ranked = np.sort(hashes)
        if not self._repeats(ranked).any():  # the usual case, which needs no order
            self._keep(ranked)
            return np.zeros(len(hashes), dtype=bool)
        order = np.argsort(hashes, kind="stable")  # keeps the first of equal rows first
        repeats = self._repeats(ranked)
        self._keep(ranked[~repeats])
        answer = np.empty_like(repeats)
        answer[order] = repeats
        return answer

    def _repeats(self, ranked: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return which of the sorted hashes equal the one before, or one seen earlier."""
        repeats = np.zeros(len(ranked), dtype=bool)
        repeats[1:] = ranked[1:] == ranked[:-1]
        for run in self._runs:
            nearest = np.minimum(np.searchsorted(run, ranked), len(run) - 1)
            repeats |= run[nearest] == ranked
        return repeats

    def _keep(self, ranked: NDArray[np.uint64]) -> None:
        """Store sorted hashes, merging runs until each is twice as long as the next."""
        if len(ranked):
            self._runs.append(ranked)
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            self._runs[-2:] = [np.sort(np.concatenate(self._runs[-2:]))]
