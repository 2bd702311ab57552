"""Take as many events, histograms or toys at a time as fit in the memory."""

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

log = logging.getLogger(__name__)

T = TypeVar("T")
COMPLAINTS = ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")
"""What errors of no type of their own say: of a CPU's allocator, of CUDA and of its libraries."""


class MemoryTooSmall(RuntimeError):
    """What has to be done at once does not fit in the memory."""


def halved(n: int, error: Exception) -> int:
    """Return half of a number of rows, which took more memory than there is, and log it.

    Args:
        n: Rows that were taken at a time.
        error: What came of it.

    Raises:
        MemoryTooSmall: If ``n`` is 1.
        Exception: ``error`` itself if it is not for want of memory.
    """
    if not is_out_of_memory(error):
        raise error
    if n <= 1:
        msg = (
            "out of memory with one event, histogram or toy at a time: end what else uses this"
            " memory, choose a smaller network, or run on a larger device or on the CPU"
            " (device: cpu)"
        )
        raise MemoryTooSmall(msg) from error
    log.warning("out of memory with %d rows at a time: going on with %d", n, n // 2)
    return n // 2


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that a CPU or GPU has no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in COMPLAINTS)


def in_chunks(function: Callable[[slice], T], n: int, size: int) -> Iterator[T]:
    """Yield what a function returns of consecutive rows, fewer at a time where memory runs out.

    Like :meth:`torch.Tensor.split`, that is one result where there are no rows.

    Args:
        function: Function of a slice of rows. It must give the same when it is called again:
            of random numbers, it may only use those that were drawn before.
        n: Number of rows.
        size: Rows at a time at most.

    Raises:
        MemoryTooSmall: If one row at a time is too much.
    """
    start = 0
    while start < max(n, 1):
        stop = min(start + size, n)
        try:
            found = function(slice(start, stop))
        except (RuntimeError, MemoryError) as error:
            size = halved(stop - start, error)
            continue
        yield found
        del found  # or it would be kept beside the next one
        start = max(stop, 1)


@torch.no_grad()
def map_chunks(function: Callable[[Tensor], Tensor], x: Tensor, size: int) -> Tensor:
    """Return a function of events, with memory bounded by its result and one chunk.

    The result is allocated at once: many small parts between large temporary ones would keep the
    allocator from giving memory back.

    Args:
        function: Takes events ``(n, ...)`` and returns ``(n, ...)``.
        x: Events, shape ``(n_events, ...)``.
        size: Events of a chunk.
    """
    found: list[Tensor] = []

    def store(rows: slice) -> None:
        part = function(x[rows])
        if not found:
            found.append(part.new_empty(len(x), *part.shape[1:]))
        found[0][rows] = part

    for _ in in_chunks(store, len(x), size):
        pass
    return found[0]
