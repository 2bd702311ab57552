"""Numbers that figures of bump hunts show: bias, spread, coverage and separation, with errors."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta, chi2, norm

SIGMA = (0.158655, 0.841345)
"""Quantiles at one standard deviation of a Gaussian."""
INTERVALS = {"coverage68": ("z_q16", "z_q84"), "coverage95": ("z_q025", "z_q975")}
"""Quantiles that bound the predicted intervals of the largest significance."""
FEWEST = 10
"""Cells with fewer histograms are left out."""


def poisson_errors(counts: ArrayLike) -> NDArray[np.float64]:
    """Return how far central 68 % intervals of Poisson means reach below and above counts.

    Args:
        counts: Observed counts, which need not be whole numbers, shape ``(n_bins,)``.

    Returns:
        Lengths of the lower and the upper error bar, shape ``(2, n_bins)``.

    References:
        Garwood (1936), https://doi.org/10.1093/biomet/28.3-4.437
    """
    n = np.asarray(counts, dtype=np.float64)
    low = np.where(n > 0, 0.5 * chi2.ppf(SIGMA[0], 2 * np.maximum(n, 1e-9)), 0.0)
    high = 0.5 * chi2.ppf(SIGMA[1], 2 * (n + 1))
    return np.stack([n - low, high - n])


def residuals(observed: ArrayLike, expected: ArrayLike) -> NDArray[np.float64]:
    r"""Return differences of counts and expectations in standard deviations.

    Each is the signed root of the bin's deviance, :math:`2 (n \ln(n / b) - n + b)`, which is
    close to a standard normal also where counts are few.

    Args:
        observed: Counts, shape ``(n_bins,)``.
        expected: Expected counts, shape ``(n_bins,)``; where they are not positive, the
            difference is NaN.
    """
    n, b = np.asarray(observed, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    b = np.where(b > 0, b, np.nan)
    logs = np.where(n > 0, n * np.log(np.where(n > 0, n, 1.0) / b), 0.0)
    return np.sign(n - b) * np.sqrt(2 * np.maximum(logs - n + b, 0.0))


def binomial_errors(n_passed: ArrayLike, n_all: ArrayLike) -> NDArray[np.float64]:
    """Return how far 68 % intervals of a probability reach below and above a share.

    They are those of the posterior for Jeffreys' prior, and hold the share itself.

    Args:
        n_passed: Number of successes, shape ``(n,)``.
        n_all: Number of trials, shape ``(n,)``.

    Returns:
        Lengths of the lower and the upper error bar, shape ``(2, n)``.

    References:
        Brown, Cai, DasGupta (2001), https://doi.org/10.1214/ss/1009213286
    """
    k, n = np.asarray(n_passed, dtype=np.float64), np.asarray(n_all, dtype=np.float64)
    share = k / n
    low, high = (beta.ppf(level, k + 0.5, n - k + 0.5) for level in SIGMA)
    return np.maximum(np.stack([share - low, high - share]), 0.0)


def spread_error(x: NDArray) -> float:
    """Return the standard deviation of the sample's own standard deviation."""
    deviation = x - x.mean()
    variance = np.mean(deviation**2)
    fourth = max(float(np.mean(deviation**4)) - float(variance) ** 2, 0.0)
    return float(np.sqrt(fourth / len(x)) / (2 * np.sqrt(variance))) if variance > 0 else 0.0


def half_range(x: NDArray) -> tuple[float, float]:
    """Return half the distance between the quantiles at one standard deviation, with its error.

    The error follows from the binomial spread of order statistics.
    """
    p, n = SIGMA[0], len(x)
    step = np.sqrt(p * (1 - p) / n)
    inner = [max(SIGMA[0] - step, 0.0), SIGMA[0] + step, SIGMA[1] - step, min(SIGMA[1] + step, 1)]
    low, high = np.quantile(x, SIGMA).tolist()
    bounds = np.quantile(x, inner)
    left, right = np.diff(bounds)[[0, 2]] / 2
    shared = p / (1 - p)  # correlation of the two quantiles
    variance = (left**2 + right**2 - 2 * shared * left * right) / 4
    return float((high - low) / 2), float(np.sqrt(variance))


def cell_edges(values: ArrayLike, *, n_cells: int = 6) -> NDArray[np.float64]:
    """Return edges of cells that hold about as many values each.

    Args:
        values: What is put into cells, shape ``(n,)``.
        n_cells: Most cells; values of which there are no more than these get one each.
    """
    x = np.asarray(values, dtype=np.float64)
    x = x[np.isfinite(x)]
    steps = np.unique(x)
    if len(steps) > n_cells:
        edges = np.unique(np.quantile(x, np.linspace(0, 1, n_cells + 1)))
        return np.append(edges[:-1], np.nextafter(edges[-1], np.inf))
    middle = (steps[1:] + steps[:-1]) / 2
    ends = (steps[0] - 0.5, steps[-1] + 0.5) if len(steps) else (0.0, 1.0)
    return np.array([ends[0], *middle, ends[1]])


def measure_cells(table: pd.DataFrame, values: ArrayLike, *, edges: ArrayLike) -> pd.DataFrame:
    """Return bias, spread and coverage of predicted significances in cells of a quantity.

    Args:
        table: One row per histogram: columns ``z_true``, ``z_predicted`` and the quantiles of
            :data:`INTERVALS`.
        values: The quantity of each histogram, shape ``(n_histograms,)``.
        edges: Edges of the cells, shape ``(n_cells + 1,)``.

    Returns:
        One row per cell that holds at least :data:`FEWEST` histograms: ``center`` (their median),
        ``n``, and ``bias``, ``spread``, ``spread68``, ``coverage68`` and ``coverage95``, the
        first three with ``_error``, coverages with ``_low`` and ``_high``, lengths of the error
        bars.
    """
    values = np.asarray(values, dtype=np.float64)
    cell = np.searchsorted(np.asarray(edges, dtype=np.float64), values, side="right") - 1
    rows = []
    for index in range(len(np.asarray(edges)) - 1):
        inside = cell == index
        if inside.sum() >= FEWEST:
            center = {"center": float(np.median(values[inside]))}
            rows.append(center | _measure(table[inside]))
    return pd.DataFrame(rows, columns=None if rows else ["center", "n"])


def _measure(rows: pd.DataFrame) -> dict[str, float]:
    """Return what one cell's histograms say."""
    truth = rows["z_true"].to_numpy(float)
    off = rows["z_predicted"].to_numpy(float) - truth
    n, (narrow, narrow_error) = len(off), half_range(off)
    found = {
        "n": n,
        "bias": float(off.mean()),
        "bias_error": float(off.std(ddof=1) / np.sqrt(n)),
        "spread": float(off.std()),
        "spread_error": spread_error(off),
        "spread68": narrow,
        "spread68_error": narrow_error,
    }
    for name, (low, high) in INTERVALS.items():
        held = int(((truth >= rows[low]) & (truth <= rows[high])).sum())
        below, above = binomial_errors(held, n)
        found |= {name: held / n, f"{name}_low": float(below), f"{name}_high": float(above)}
    return found


def shares_within(distance: ArrayLike, steps: Sequence[int]) -> tuple[NDArray, NDArray]:
    """Return the share of distances up to each of some steps, and its error bars.

    Args:
        distance: Distances [bins], shape ``(n,)``.
        steps: Largest distances that count.

    Returns:
        Shares, shape ``(n_steps,)``, and lengths of the error bars, shape ``(2, n_steps)``.
    """
    size = np.abs(np.asarray(distance))
    held = (size[:, None] <= np.asarray(steps)).sum(axis=0)
    return held / len(size), binomial_errors(held, np.full(len(held), len(size)))


def is_limit(row: Mapping[str, float]) -> bool:
    """Return whether no toy reached what was observed, so that its p-value is only bounded.

    A p-value of a fraction of a toy that is not zero was extrapolated, and is no bound.
    """
    n_above = row["p_global"] * row["n_toys"]
    return n_above == 0 or 0.5 <= n_above < 1


def p_value_of(z: ArrayLike) -> NDArray[np.float64]:
    """Return the one-sided p-value of a significance."""
    return np.asarray(norm.sf(z), dtype=np.float64)
