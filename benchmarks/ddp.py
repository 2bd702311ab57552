"""Speed of what trains and calibrates the neural bump hunts, on one core.

Significances with the background known, which the networks learn, against a scalar minimiser that
is called bin by bin on the same histograms; and pyBumpHunter's global p-value.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from bumpflow.device import limit_threads
from bumpflow.hunts import bumphunter
from bumpflow.hunts.comparison import windows_of
from bumpflow.hunts.parametric import templates
from bumpflow.hunts.targets import z_known
from bumpflow.summary import Quantity

N_BINS = 100
N_HISTOGRAMS, N_SCIPY_HISTOGRAMS = 500, 5
REPEATS, SCIPY_REPEATS = 11, 3
WIDTH = 3.0
"""Standard deviation of the signal [bins], as in the 2022 paper."""
MU_TOLERANCE = 1e-4
"""Tolerance of the scalar minimiser [events]."""
SEED = 5


def histograms() -> tuple[NDArray, NDArray]:
    """Return observed counts with a bump each and their falling backgrounds.

    Returns:
        Both of shape ``(n_histograms, n_bins)``.
    """
    rng = np.random.default_rng(SEED)
    high, low = np.sort(rng.uniform(100, 10_000, (2, N_HISTOGRAMS, 1)), axis=0)[::-1]
    background = high * (low / high) ** ((np.arange(N_BINS) + 0.5) / N_BINS)
    at = rng.integers(N_BINS // 4, 3 * N_BINS // 4, N_HISTOGRAMS)
    strength = rng.uniform(0, 10, (N_HISTOGRAMS, 1)) * np.sqrt(background[:, :1])
    return rng.poisson(background + strength * templates(N_BINS, WIDTH)[at]), background


def scipy_significance(values: NDArray, background: NDArray) -> NDArray:
    """Return a histogram's significances, shape ``(n_bins,)``, from one minimisation per bin."""
    found = []
    for signal in templates(N_BINS, WIDTH):

        def twice_nll(mu: float, signal: NDArray = signal) -> float:
            mean = background + mu * signal
            return float(2 * np.sum(mean - values * np.log(mean)))

        best = minimize_scalar(
            twice_nll,
            bounds=(0, 10 * np.sqrt(values.sum())),
            method="bounded",
            options={"xatol": MU_TOLERANCE},
        )
        found.append(np.sqrt(max(twice_nll(0.0) - best.fun, 0.0)))
    return np.array(found)


def timed(work: Callable[[], Any], repeats: int) -> tuple[Any, NDArray]:
    """Return what ``work`` gives, and the seconds of each run."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return result, np.array(seconds)


def bumphunter_seconds(
    values: NDArray, background: NDArray, *, n_toys: int, widths: tuple[float, ...]
) -> NDArray:
    """Return the seconds pyBumpHunter takes for the global p-value of each histogram.

    Args:
        values: Counts, shape ``(n_histograms, n_bins)``.
        background: Expected counts, same shape.
        n_toys: Toys behind each p-value.
        widths: Standard deviations [bins] of the signals that its windows are to suit.

    Returns:
        Seconds, shape ``(n_histograms,)``.
    """
    edges = np.arange(values.shape[1] + 1.0)
    windows = windows_of(widths, values.shape[1])
    return np.array(
        [
            bumphunter.hunt(n, b, edges, widths=windows, n_toys=n_toys, seed=SEED).seconds
            for n, b in zip(values, background, strict=True)
        ]
    )


def measure() -> list[Quantity]:
    """Time significances with known background on one thread."""
    limit_threads(1)
    values, background = histograms()
    counts, expected = torch.as_tensor(values, dtype=torch.float64), torch.as_tensor(background)
    z_known(counts[:1], expected[:1], widths=[WIDTH])
    ours, seconds = timed(lambda: z_known(counts, expected, widths=[WIDTH]), REPEATS)
    few = range(N_SCIPY_HISTOGRAMS)
    theirs, their_seconds = timed(
        lambda: np.array([scipy_significance(values[i], background[i]) for i in few]),
        SCIPY_REPEATS,
    )
    difference = np.abs(ours[: len(few), 0].clamp_min(0).numpy() - theirs).max()
    per_bin = seconds / ours.numel()
    their_per_bin = their_seconds / theirs.size
    ratio = float(np.median(their_per_bin) / np.median(per_bin))
    spreads = [part.std(ddof=1) / part.mean() for part in (per_bin, their_per_bin)]
    source = (
        f"scipy's bounded minimize_scalar, {np.median(their_per_bin):.3g} s per bin on the first"
        f" {len(few)} of {N_HISTOGRAMS} histograms, same run"
    )
    return [
        Quantity(
            quantity="ddp.target_ratio",
            value=ratio,
            uncertainty=ratio * float(np.hypot.reduce(spreads)),
            reference=1.0,
            reference_source=source,
            n=ours.numel(),
        ),
        Quantity(
            quantity="ddp.target_difference",
            value=float(difference),
            reference=0.0,
            reference_source=f"largest difference in z from scipy's, of {theirs.size} bins",
            n=theirs.size,
        ),
    ]
