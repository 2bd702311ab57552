"""Check events: finite, physically possible, and not seen before."""

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


def find_repeats(hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which rows repeat an earlier one, shape ``(n_rows,)``.

    Two different rows among eleven million share a hash with a probability of 3e-6.

    Args:
        hashes: 64-bit hash of each row, shape ``(n_rows,)``.
    """
    repeats = np.zeros(len(hashes), dtype=bool)
    ranked = np.sort(hashes)
    if np.any(ranked[1:] == ranked[:-1]):
        order = np.argsort(hashes, kind="stable")  # the first of equal rows stays first
        repeats[order[1:]] = ranked[1:] == ranked[:-1]
    return repeats
