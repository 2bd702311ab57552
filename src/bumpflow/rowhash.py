"""Hash rows of floats to 64 bits, the same on every platform and in every version."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def hash_rows(columns: Sequence[NDArray] | NDArray, *, salt: int = 0) -> NDArray[np.uint64]:
    r"""Return a 64-bit hash of each row, from the bits of its float32 values.

    With :math:`w_k` the bits of columns :math:`2k` and :math:`2k+1` side by side, the hash is
    :math:`h_{k+1} = m(h_k \oplus w_k)`, where :math:`m` is the mixing function of SplitMix64 and
    :math:`h_0` the mixed salt. It depends on nothing but the values, their order within the
    row and the salt: neither on the row's place, nor on byte order. Minus zero counts as zero.

    Args:
        columns: One array per column, each of shape ``(n_rows,)``; an ``(n_rows, n_columns)``
            matrix is passed as its transpose.
        salt: Another salt gives an independent hash.

    Returns:
        Hashes, shape ``(n_rows,)``.

    Raises:
        ValueError: If there is no column.

    References:
        Steele, Lea, Flood (2014), https://doi.org/10.1145/2660193.2660195
    """
    if len(columns) == 0:
        msg = "cannot hash rows without columns: name at least one"
        raise ValueError(msg)
    bits = [_bits(column) for column in columns]
    state = np.full(len(bits[0]), (salt + 1) % 2**64, dtype=np.uint64) * GOLDEN
    mix(state)
    for low, high in zip(bits[::2], [*bits[1::2], None], strict=False):
        word = low.astype(np.uint64)
        if high is not None:
            word |= high.astype(np.uint64) << np.uint64(32)
        state ^= word
        mix(state)
    return state


def mix(state: NDArray[np.uint64]) -> None:
    """Scatter the bits of each number in place; a bijection of the 64-bit numbers.

    References:
        Steele, Lea, Flood (2014), https://doi.org/10.1145/2660193.2660195
    """
    state ^= state >> np.uint64(30)
    state *= np.uint64(0xBF58476D1CE4E5B9)
    state ^= state >> np.uint64(27)
    state *= np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)


def _bits(column: NDArray) -> NDArray[np.uint32]:
    """Return a column's float32 bits; adding zero turns minus zero into zero."""
    return (np.asarray(column, dtype=np.float32) + np.float32(0)).view(np.uint32)
