"""Speed of the neural bump hunts.

Significances with the background known, which the networks learn, against a scalar minimiser that
is called bin by bin on the same histograms, on one core; predictions of the shipped network on all
cores; and its global p-value against pyBumpHunter's of as many toys, on one core.
"""

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from bumpflow.device import limit_threads
from bumpflow.hunts import bumphunter
from bumpflow.hunts.calibration import Calibration
from bumpflow.hunts.comparison import windows_of
from bumpflow.hunts.histogram import Histogram
from bumpflow.hunts.parametric import templates
from bumpflow.hunts.scanning import scan_histograms
from bumpflow.hunts.store import Hunter, load_hunter, predict
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
SHIPPED = "resources/hunters/general.safetensors"
LENGTHS, N_PREDICTED = range(30, 101, 10), 2000
"""Numbers of bins, and histograms of each, that the network is timed with."""
N_SCANS, N_TOYS = 5, 1000


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


def prediction_rate(hunter: Hunter) -> Quantity:
    """Return how many histograms the network looks at per second, on all cores."""
    threads = os.cpu_count() or 1
    limit_threads(threads)
    generator = torch.Generator().manual_seed(SEED)
    drawn = [
        torch.poisson(torch.linspace(5000, 50, n).expand(N_PREDICTED, -1), generator=generator)
        for n in LENGTHS
    ]
    predict(hunter, drawn[0])
    _, seconds = timed(lambda: [predict(hunter, counts) for counts in drawn], SCIPY_REPEATS)
    n = len(drawn) * N_PREDICTED
    rates = n / seconds
    return Quantity(
        quantity="ddp.histograms_per_s",
        value=float(np.median(rates)),
        uncertainty=float(rates.std(ddof=1)),
        n=n,
        unit="1/s",
        reference_source=f"{threads} cores, {min(LENGTHS)} to {max(LENGTHS)} bins",
    )


def scan_ratio(hunter: Hunter) -> list[Quantity]:
    """Return the time of a scan with its global p-value, and pyBumpHunter's over it."""
    limit_threads(1)
    values, background = (part[:N_SCANS] for part in histograms())
    widths, edges = hunter.widths, np.arange(N_BINS + 1.0)
    none = Calibration.none()

    def scan(counts: NDArray) -> float:
        generator = torch.Generator().manual_seed(SEED)
        (found,) = scan_histograms(
            [Histogram("timed", counts.astype(float), edges)],
            hunter,
            calibration=none,
            n_toys=N_TOYS,
            degree=4,
            generators=[generator],
        )
        return float(found.summary["seconds"])  # type: ignore[arg-type]

    scan(values[0])
    ours = np.array([scan(counts) for counts in values])
    theirs = bumphunter_seconds(values, background, n_toys=N_TOYS, widths=widths)
    spreads = [part.std(ddof=1) / part.mean() for part in (ours, theirs)]
    ratio = float(np.median(theirs) / np.median(ours))
    return [
        Quantity(
            quantity="ddp.scan_seconds",
            value=float(np.median(ours)),
            uncertainty=float(ours.std(ddof=1)),
            n=N_SCANS,
            unit="s",
            reference_source=f"{N_BINS} bins, {N_TOYS} toys, one core",
        ),
        Quantity(
            quantity="ddp.scan_ratio",
            value=ratio,
            uncertainty=ratio * float(np.hypot.reduce(spreads)),
            reference=1.0,
            reference_source=f"pyBumpHunter, {np.median(theirs):.3g} s, same histograms and toys",
            n=N_SCANS,
        ),
    ]


def measure() -> list[Quantity]:
    """Time targets, predictions and scans."""
    hunter = load_hunter(SHIPPED, device=torch.device("cpu"))
    return [*target_ratio(), prediction_rate(hunter), *scan_ratio(hunter)]


def target_ratio() -> list[Quantity]:
    """Time significances with known background on one thread."""
    limit_threads(1)
    values, background = histograms()
    # In single precision, as networks are trained.
    counts, expected = torch.as_tensor(values).float(), torch.as_tensor(background).float()
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
