r"""Pseudo-experiments of background and signal events, in strata of their numbers.

Toys are drawn at fixed numbers :math:`(n_b, n_s)` of background and signal events, a *cell*, and
a statistic is computed once for each toy. Expectations at any rates then follow from exact Poisson
probabilities of the cells,

.. math:: \langle f \rangle = \sum_{n_b, n_s} P(n_b \mid \mu_b)\, P(n_s \mid \mu_s)\,
          \langle f \rangle_{n_b, n_s},

without Poisson draws and without dropping any: numbers beyond the cells count as the nearest one.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import poisson
from torch import Generator, Tensor

from bumpflow.memory import in_chunks

CPU_ELEMENTS, GPU_ELEMENTS = 500_000, 20_000_000
"""Numbers that a chunk of toys may gather from the pools of events: on a CPU they and what is
computed from them should stay in its cache, which makes them 2 to 12 times faster."""


class Cells(NamedTuple):
    """Numbers of events for which toys are drawn, shape ``(n_cells,)`` each.

    They cover a rectangle of numbers. Toys lie in the cells' order.

    Attributes:
        n_background: Background events.
        n_signal: Signal events.
        n_toys: Toys.
    """

    n_background: NDArray[np.int64]
    n_signal: NDArray[np.int64]
    n_toys: NDArray[np.int64]

    @property
    def cell(self) -> NDArray[np.int64]:
        """Cell of each toy, shape ``(n_toys,)``."""
        return np.repeat(np.arange(len(self.n_toys)), self.n_toys)

    def probability(self, mu_b: float, mu_s: float) -> NDArray[np.float64]:
        """Return the cells' probabilities at some rates, shape ``(n_cells,)``; they sum to 1.

        Args:
            mu_b: Expected background events.
            mu_s: Expected signal events.
        """
        background = _clipped_poisson(self.n_background, mu_b)
        return background * _clipped_poisson(self.n_signal, mu_s)

    def neglected(self, mu_b: float, mu_s: float) -> float:
        """Return the probability of numbers beyond the cells, which count as the nearest one."""
        inside = 1.0
        for n, mu in ((self.n_background, mu_b), (self.n_signal, mu_s)):
            inside *= poisson.cdf(n.max(), mu) - poisson.cdf(n.min() - 1, mu)
        return float(1 - inside)

    def halves(self) -> tuple[tuple[NDArray, "Cells"], tuple[NDArray, "Cells"]]:
        """Return the toys' indices and cells of two independent halves of each cell."""
        place = np.arange(self.n_toys.sum()) - np.repeat(
            np.cumsum(self.n_toys) - self.n_toys, self.n_toys
        )
        odd = place % 2 == 1
        more, less = self.n_toys - self.n_toys // 2, self.n_toys // 2
        return (
            (np.flatnonzero(~odd), self._replace(n_toys=more)),
            (np.flatnonzero(odd), self._replace(n_toys=less)),
        )


class Toys(NamedTuple):
    """Which events make up each toy, shape ``(n_toys, n_events)`` each.

    Background comes first, then signal, then nothing.

    Attributes:
        rows: Rows of the pool of background, with that of signal behind it.
        mask: Which events there are.
        signal: Which of them are signal.
    """

    rows: Tensor
    mask: Tensor
    signal: Tensor


def plan_cells(
    mu_b: Sequence[float] | NDArray,
    mu_s: Sequence[float] | NDArray = (0.0,),
    *,
    n_toys: int = 0,
    n_min: int,
    neglect: float = 1e-6,
) -> Cells:
    """Return the cells that matter at any of some rates, with few events first.

    Args:
        mu_b: Expected background events.
        mu_s: Expected signal events.
        n_toys: Toys to share out in proportion to a cell's largest probability at these rates:
            best for means.
        n_min: Toys that every cell gets on top, at least 2: best for tails.
        neglect: Largest probability, at any of these rates, of numbers beyond the cells.

    Raises:
        ValueError: If there are fewer than 2 toys in a cell, or a rate is negative.
    """
    if n_min < 2:
        msg = f"n_min is {n_min}: each cell needs 2 toys or more for its spread"
        raise ValueError(msg)
    background, signal = (_range(np.asarray(mu, float), neglect / 4) for mu in (mu_b, mu_s))
    n_b, n_s = (part.ravel() for part in np.meshgrid(background, signal, indexing="ij"))
    order = np.argsort(n_b + n_s, kind="stable")
    n_b, n_s = n_b[order], n_s[order]
    importance = _largest(n_b, mu_b) * _largest(n_s, mu_s)
    shared = np.rint(n_toys * importance / importance.sum()).astype(np.int64)
    return Cells(n_b, n_s, n_min + shared)


def _range(mu: NDArray, neglect: float) -> NDArray[np.int64]:
    """Return the numbers of events that matter at any of some rates."""
    if mu.size == 0 or np.any(mu < 0):
        msg = f"expected events are {mu.tolist()}: give numbers that are 0 or more"
        raise ValueError(msg)
    low, high = poisson.ppf(neglect, mu.min()), poisson.isf(neglect, mu.max())
    return np.arange(int(max(low, 0)), int(high) + 1)


def _largest(n: NDArray, mu: Sequence[float] | NDArray) -> NDArray[np.float64]:
    return poisson.pmf(n[:, None], np.asarray(mu, float)).max(1)


def _clipped_poisson(n: NDArray, mu: float) -> NDArray[np.float64]:
    """Return Poisson probabilities where numbers beyond the range of ``n`` count as its ends."""
    below = np.where(n == n.min(), poisson.cdf(n.min() - 1, mu), 0.0)
    above = np.where(n == n.max(), poisson.sf(n.max(), mu), 0.0)
    return poisson.pmf(n, mu) + below + above


def draw_toys(
    n_background: ArrayLike,
    n_signal: ArrayLike,
    *,
    background_pool: int,
    signal_pool: int,
    generator: Generator,
) -> Toys:
    """Draw which events of two pools make up toys with given numbers of each.

    No event is twice in a toy, but toys share events: with a pool that is not much larger than
    the number of events that matter, results carry the pool's own fluctuation, which no error
    from the number of toys includes.

    Args:
        n_background: Background events of each toy, shape ``(n_toys,)``.
        n_signal: Signal events of each toy, shape ``(n_toys,)`` or one number for all.
        background_pool: Events in the pool of background.
        signal_pool: Events in the pool of signal.
        generator: Source of random numbers; toys live on its device.

    Raises:
        ValueError: If a toy needs more events than a pool has.
    """
    device = generator.device
    n_b = torch.as_tensor(n_background, dtype=torch.long, device=device)
    n_s = torch.as_tensor(n_signal, dtype=torch.long, device=device).expand_as(n_b)
    rows_b = _draw_rows(n_b, background_pool, "background", generator)
    rows_s = _draw_rows(n_s, signal_pool, "signal", generator) + background_pool
    n_events = int((n_b + n_s).amax()) if len(n_b) else 0
    place = torch.arange(n_events, device=device).expand(len(n_b), -1)
    mask = place < (n_b + n_s)[:, None]
    signal = mask & (place >= n_b[:, None])
    rows = torch.zeros_like(place)
    if rows_b.shape[1]:
        from_b = rows_b.gather(1, place.clamp(max=rows_b.shape[1] - 1))
        rows = torch.where(mask & ~signal, from_b, rows)
    if rows_s.shape[1]:
        from_s = rows_s.gather(1, (place - n_b[:, None]).clamp(0, rows_s.shape[1] - 1))
        rows = torch.where(signal, from_s, rows)
    return Toys(rows, mask, signal)


def draw_cells(
    cells: Cells, *, background_pool: int, signal_pool: int, generator: Generator
) -> Toys:
    """Draw the toys of all cells, see :func:`draw_toys`."""
    return draw_toys(
        cells.n_background[cells.cell],
        cells.n_signal[cells.cell],
        background_pool=background_pool,
        signal_pool=signal_pool,
        generator=generator,
    )


def _draw_rows(n: Tensor, size: int, what: str, generator: Generator) -> Tensor:
    """Return distinct rows of a pool for each toy, shape ``(n_toys, largest n)``.

    Rows that a toy has already are drawn anew until there are none. No row is special in this,
    so all sets of distinct rows stay equally likely.
    """
    width = int(n.amax()) if len(n) else 0
    if width > size:
        msg = f"a toy needs {width} {what} events, but their pool holds {size}: simulate more"
        raise ValueError(msg)
    shape = (len(n), width)
    rows = torch.randint(max(size, 1), shape, generator=generator, device=generator.device)
    todo = torch.arange(len(n) if width else 0, device=generator.device)
    while len(todo):
        ordered, order = rows[todo].sort(1)
        again = torch.zeros_like(order, dtype=torch.bool)
        again.scatter_(1, order[:, 1:], ordered[:, 1:] == ordered[:, :-1])
        hit = again.any(1)
        todo, again = todo[hit], again[hit]
        drawn = torch.randint(size, again.shape, generator=generator, device=generator.device)
        rows[todo] = torch.where(again, drawn, rows[todo])
    return rows


def evaluate(
    statistic: Callable[[Tensor, Tensor], Tensor],
    toys: Toys,
    background: Tensor,
    signal: Tensor | None = None,
    *,
    chunk_elements: int | None = None,
) -> Tensor:
    """Compute a statistic for all toys, a chunk at a time, with memory bounded by one chunk.

    Chunks are as wide as their largest toy, so toys are best ordered by their numbers of events.

    Args:
        statistic: Takes events, shape ``(n, n_events, ...)``, and which of them there are, shape
            ``(n, n_events)``, and returns values, shape ``(n, ...)``.
        toys: The toys.
        background: Pool of background, shape ``(background_pool, ...)``: log ratios, masses or
            features.
        signal: Pool of signal, likewise; by default there is none.
        chunk_elements: Numbers to gather at a time; by default what suits the device.

    Returns:
        Values on the pools' device, shape ``(n_toys, ...)``.
    """
    pool = background if signal is None else torch.cat([background, signal])
    if chunk_elements is None:
        chunk_elements = CPU_ELEMENTS if pool.device.type == "cpu" else GPU_ELEMENTS
    size = max(1, chunk_elements // max(1, pool[0].numel() * toys.rows.shape[1]))

    def of_toys(chosen: slice) -> Tensor:
        rows, mask = toys.rows[chosen], toys.mask[chosen]
        width = int(mask.sum(1).amax()) if len(mask) else 0
        some, there = (part[:, :width].to(pool.device) for part in (rows, mask))
        return statistic(pool[some], there)

    return torch.cat(list(in_chunks(of_toys, len(toys.rows), size)))
