"""Refuse pieces of ROOT files that would fill the memory although the file is small."""

from itertools import pairwise
from typing import Any

LARGEST = 1 << 25
"""Bytes up to which a basket may be as large as it likes."""
EXPANSION = 100
"""How many times larger than in the file larger baskets may be."""


def check_baskets(branch: Any, *, start: int, stop: int) -> None:  # noqa: ANN401
    """Check the sizes of a branch's baskets, before they are read.

    A basket says itself how large it becomes, and as much memory is taken for it.

    Args:
        branch: A branch of uproot's.
        start: First entry that is to be read.
        stop: The entry after the last one.

    Raises:
        ValueError: If one is far larger than its bytes in the file can be.
    """
    for number, (first, end) in enumerate(pairwise(branch.entry_offsets)):
        if number < branch.num_baskets and first < stop and start < end:
            key = branch.basket_key(number)
            size, stored = key.data_uncompressed_bytes, key.data_compressed_bytes
            if size > max(LARGEST, EXPANSION * stored):
                msg = f"a piece of {branch.name} has {size} bytes, made of {stored}"
                raise ValueError(msg)
