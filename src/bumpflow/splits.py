"""Decide by the event itself what it is used for, so that no order of rows matters."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bumpflow.rowhash import hash_rows


def assign_splits(
    columns: Sequence[NDArray] | NDArray, *, fractions: Mapping[str, float], salt: int = 0
) -> NDArray[np.int8]:
    """Return which split each event belongs to.

    A hash of the event's features is read as a number in [0, 1), and the fractions, in their
    order, cut that interval into the splits. Equal events thus share a split wherever they
    stand, and an event's split is the same in every file that holds it.

    Args:
        columns: One array per feature, each of shape ``(n_events,)``; an
            ``(n_events, n_features)`` matrix is passed as its transpose.
        fractions: Fraction of the events by the split's name; they add up to 1.
        salt: Another salt gives other splits, independent of these.

    Returns:
        Positions in the list of names, shape ``(n_events,)``.

    Raises:
        ValueError: If a fraction is negative, or their sum is not 1.
    """
    edges = upper_edges(fractions)
    uniform = (hash_rows(columns, salt=salt) >> np.uint64(11)) * 2.0**-53
    return np.searchsorted(edges, uniform, side="right").astype(np.int8)


def upper_edges(fractions: Mapping[str, float]) -> NDArray[np.float64]:
    """Return where each split ends within [0, 1].

    Raises:
        ValueError: If a fraction is negative, or their sum is not 1.
    """
    for name, fraction in fractions.items():
        if not 0 <= fraction <= 1:
            msg = f"splits: the fraction of {name!r} is {fraction!r}: it must lie within [0, 1]"
            raise ValueError(msg)
    total = math.fsum(fractions.values())
    if abs(total - 1) > 1e-9:
        msg = f"splits: the fractions add up to {total:.9g}, not to 1: {dict(fractions)}"
        raise ValueError(msg)
    edges = np.cumsum(list(fractions.values()))
    edges[edges >= edges[-1]] = 1.0  # rounding must not send an event past the last used split
    return edges
