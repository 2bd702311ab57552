"""Apply networks to many events, a chunk at a time."""

from collections.abc import Callable

import torch
from torch import Tensor


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
    first = function(x[:size])
    found = first.new_empty(len(x), *first.shape[1:])
    found[:size] = first
    for start in range(size, len(x), size):
        found[start : start + size] = function(x[start : start + size])
    return found
