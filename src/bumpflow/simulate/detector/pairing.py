"""Pair what belongs to the same event, and line it up event by event, without loops over events."""

import numpy as np
from numpy.typing import NDArray


def offsets(event: NDArray, n_events: int) -> NDArray[np.int64]:
    """Return where each event starts in ascending event numbers, shape ``(n_events + 1,)``."""
    return np.searchsorted(event, np.arange(n_events + 1))


def pair_up(
    first_event: NDArray, second_event: NDArray, n_events: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return positions of all pairs of entries of two lists that belong to the same event.

    Args:
        first_event: Event of each entry of the first list, shape ``(n_first,)``.
        second_event: The same of the second list, ascending, shape ``(n_second,)``.
        n_events: Number of events.

    Returns:
        Positions in the first list, ascending, and in the second, shape ``(n_pairs,)`` each.
    """
    starts = offsets(second_event, n_events)
    counts = np.diff(starts)[first_event]
    first = np.repeat(np.arange(len(first_event)), counts)
    # How far each pair is from the first one of its entry of the first list.
    within = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
    return first, starts[first_event[first]] + within


def leading_positions(event: NDArray, n_events: int, k: int) -> NDArray[np.int64]:
    """Return where the first ``k`` entries of each event are, and -1 where there are none.

    Args:
        event: Event of each entry, ascending, shape ``(n,)``.
        n_events: Number of events.
        k: Number of entries per event.

    Returns:
        Positions, shape ``(n_events, k)``.
    """
    starts = offsets(event, n_events)
    positions = starts[:-1, None] + np.arange(k)
    return np.where(positions < starts[1:, None], positions, -1)


def line_up(values: NDArray, positions: NDArray, *, fill: float = 0) -> NDArray:
    """Return values at positions, and ``fill`` at negative positions.

    Args:
        values: Anything, shape ``(n, ...)``.
        positions: As :func:`leading_positions` returns them, shape ``(n_events, k)``.
        fill: What stands for missing entries.

    Returns:
        Values, shape ``(n_events, k, ...)``.
    """
    lined = np.full(positions.shape + values.shape[1:], fill, dtype=values.dtype)
    present = positions >= 0
    lined[present] = values[positions[present]]
    return lined
