"""Speed of the hunts for compatible events, on one core.

Scores of all pairs of events from their posteriors, cleaning at all thresholds, and likelihood
ratios, each against a loop over pairs or toys, written with NumPy as one would by hand.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bumpflow.compatibility.cleaning import clean
from bumpflow.compatibility.likelihood_ratio import (
    known_background,
    log_likelihood_ratio,
    log_mean_polynomials,
)
from bumpflow.compatibility.pairs import pair_scores
from bumpflow.compatibility.toys import Toys, draw_toys, evaluate
from bumpflow.device import limit_threads
from bumpflow.summary import Quantity

SEED = 3
N_TOYS, N_EVENTS, N_GRID, POOL = 10_000, 13, 200, 20_000
N_BY_HAND = 50
"""Toys that the loops take."""
REPEATS = 5
THRESHOLDS = np.linspace(0.04, 0.96, 24)
WIDTH = 0.03
"""Width of the posteriors in units of the parameter's range."""


def events() -> tuple[Tensor, Tensor, Toys]:
    """Return log ratios of a pool, the grid's weights, and toys."""
    generator = torch.Generator().manual_seed(SEED)
    grid = torch.linspace(0, 1, N_GRID)
    weights = torch.full_like(grid, 1 / N_GRID)
    at = torch.rand(POOL, 1, generator=generator)
    logs = -((grid - at) ** 2) / (2 * WIDTH**2)
    logs -= torch.logsumexp(logs + weights.log(), 1, keepdim=True)
    numbers = [N_EVENTS] * N_TOYS
    toys = draw_toys(numbers, 0, background_pool=POOL, signal_pool=0, generator=generator)
    return logs, weights, toys


def scores_by_hand(ratio: NDArray, weights: NDArray) -> NDArray[np.float64]:
    """Return scores of the pairs of one toy, shape ``(n_events, n_events)``, pair by pair."""
    scores = np.zeros((len(ratio), len(ratio)))
    for i in range(len(ratio)):
        for j in range(i):
            factor = np.sum(weights * ratio[i] * ratio[j])
            scores[i, j] = scores[j, i] = factor / (1 + factor)
    return scores


def clean_by_hand(scores: NDArray, threshold: float) -> int:
    """Return how many events of one toy survive, removing them one by one."""
    events = np.arange(len(scores))
    while len(events) > 1:
        some = scores[np.ix_(events, events)]
        means = (some.sum(axis=1) - np.diag(some)) / (len(events) - 1)
        if means.min() > threshold:
            return len(events)
        if len(events) == 2:
            break
        events = np.delete(events, means.argmin())
    return 1


def timed(work: Callable[[], Any]) -> tuple[Any, NDArray[np.float64]]:
    """Return what ``work`` gives, and the seconds of each of several runs after a first one."""
    seconds = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return result, np.array(seconds[1:])


def measure() -> list[Quantity]:
    """Return seconds for all toys, and the loops' over them; both agree.

    Raises:
        RuntimeError: If they do not.
    """
    limit_threads(1)
    logs, weights, toys = events()
    ratio, by_hand = logs.exp().numpy().astype(float)[toys.rows[:N_BY_HAND]], weights.numpy()

    def scores(log_ratio: Tensor, mask: Tensor) -> Tensor:
        return pair_scores(log_ratio, weights, mask=mask)

    def ratios(log_ratio: Tensor, mask: Tensor) -> Tensor:
        log_e = log_mean_polynomials(log_ratio, weights, mask=mask)
        return log_likelihood_ratio(log_e, mask.sum(1), known_background(6.0))

    ours, pair_seconds = timed(lambda: evaluate(scores, toys, logs))
    theirs, their_pairs = timed(lambda: [scores_by_hand(one, by_hand) for one in ratio])
    counts, clean_seconds = timed(lambda: clean(ours, toys.mask, thresholds=THRESHOLDS).statistic)
    their_counts, their_clean = timed(
        lambda: [
            [clean_by_hand(one, cut) for cut in THRESHOLDS] for one in ours[:N_BY_HAND].numpy()
        ]
    )
    _, ratio_seconds = timed(lambda: evaluate(ratios, toys, logs))
    beside = ~np.eye(N_EVENTS, dtype=bool)
    difference = np.abs(ours[:N_BY_HAND].numpy() - theirs)[:, beside].max()
    changed = int((counts[:N_BY_HAND].numpy() != their_counts).sum())
    if not difference < 1e-5 or changed > N_BY_HAND * len(THRESHOLDS) // 1000:
        msg = f"scores differ by {difference:.2g} from the loop's, and {changed} counts do"
        raise RuntimeError(msg)
    return [
        _seconds("pair_seconds", pair_seconds),
        _ratio("pair_ratio", their_pairs, pair_seconds, "NumPy, pair by pair"),
        _seconds("cleaning_seconds", clean_seconds),
        _ratio("cleaning_ratio", their_clean, clean_seconds, "NumPy, toy by toy"),
        _seconds("likelihood_ratio_seconds", ratio_seconds),
    ]


def _seconds(what: str, seconds: NDArray) -> Quantity:
    """Return the seconds for all toys."""
    return Quantity(
        quantity=f"compatibility.{what}",
        value=float(np.median(seconds)),
        uncertainty=float(seconds.std(ddof=1)),
        reference_source=f"{N_TOYS} toys of {N_EVENTS} events, {N_GRID} grid points, one core",
        n=N_TOYS,
        unit="s",
    )


def _ratio(what: str, theirs: NDArray, ours: NDArray, source: str) -> Quantity:
    """Return the time of a loop over ours, per toy."""
    ratio = float(np.median(theirs) / N_BY_HAND / np.median(ours) * N_TOYS)
    spreads = [part.std(ddof=1) / part.mean() for part in (theirs, ours)]
    return Quantity(
        quantity=f"compatibility.{what}",
        value=ratio,
        uncertainty=ratio * float(np.hypot.reduce(spreads)),
        reference=1.0,
        reference_source=f"{source}, on {N_BY_HAND} toys, same run",
        n=REPEATS,
    )
