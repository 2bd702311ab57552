r"""How far posteriors can be trusted: coverage, calibration, sharpness, and what wrong events do.

Levels and integral transforms of truths come from :func:`bumpflow.compatibility.inference.locate`.
Both are uniform for posteriors that are right; many levels below the diagonal mean that posteriors
are too narrow or biased. Errors are binomial: they take data sets for independent.

References:
    Chathirathas et al. (2024), https://arxiv.org/abs/2407.20329, section 6 and appendix A;
    Talts et al. (2018), https://arxiv.org/abs/1804.06788 (simulation-based calibration)
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom, chi2, kstest
from torch import Tensor

from bumpflow.compatibility.inference import LEVELS
from bumpflow.stats.toys import Measured

KINDS = ("right", "dropped", "kept", "both")
"""What cleaning did: all right, signal dropped, background kept, or both."""
EXPECTED = tuple(np.linspace(0.05, 0.95, 19).round(2).tolist())
"""Probabilities of intervals at which coverage is shown."""
FEWEST = 5.0
"""Truths that a bin of a histogram should expect for its chi-square to mean anything."""


class Uniformity(NamedTuple):
    """Whether numbers between 0 and 1 are uniform.

    Attributes:
        chi2: Chi-square of their histogram.
        n_dof: Its degrees of freedom.
        p_chi2: Its p-value.
        distance: Largest distance of their cumulative distribution from the diagonal.
        p_distance: Its p-value (Kolmogorov, Smirnov).
    """

    chi2: float
    n_dof: int
    p_chi2: float
    distance: float
    p_distance: float


class Calibration(NamedTuple):
    """Posteriors against truths, in numbers.

    Attributes:
        coverage: Shares of truths in the regions of highest density of each of ``LEVELS``.
        central: Shares of truths in the central intervals.
        bias: Mean of the integral transforms less one half: negative if truths are too small.
        levels: Uniformity of the levels.
        pit: Uniformity of the integral transforms.
        mean_std: Mean of the posteriors' standard deviations.
        median_std: Their median.
        n: Number of posteriors.
    """

    coverage: tuple[Measured, ...]
    central: tuple[Measured, ...]
    bias: Measured
    levels: Uniformity
    pit: Uniformity
    mean_std: Measured
    median_std: Measured
    n: int


class RootN(NamedTuple):
    r"""Fit of :math:`\sigma_1 / \sqrt n`.

    Attributes:
        sigma: Standard deviation for one event.
        chi2: Chi-square at the best fit.
        n_dof: Its degrees of freedom.
        p: Its p-value; 1 without degrees of freedom.
    """

    sigma: Measured
    chi2: float
    n_dof: int
    p: float


def share_within(levels: NDArray, probability: float) -> Measured:
    """Return the share of levels up to a probability, with its binomial error.

    Args:
        levels: Levels, shape ``(n,)``.
        probability: Probability of the interval.
    """
    n_held, n = int(np.count_nonzero(levels <= probability)), len(levels)
    return Measured(n_held / n, float(_binomial_error(n_held, n)))


def _binomial_error(n_held: ArrayLike, n: int) -> NDArray[np.float64]:
    """Return errors of shares; half an event more of each kind keeps them from vanishing."""
    share = (np.asarray(n_held, dtype=np.float64) + 0.5) / (n + 1)
    return np.sqrt(share * (1 - share) / n)


def coverage_curve(levels: NDArray, *, expected: Sequence[float] = EXPECTED) -> pd.DataFrame:
    """Return empirical against expected coverage.

    Args:
        levels: Levels of the truths, shape ``(n,)``.
        expected: Probabilities of the intervals.

    Returns:
        Columns ``expected``, ``empirical``, ``error``, ``n_held`` and ``n``.
    """
    n = len(levels)
    n_held = np.searchsorted(np.sort(levels), expected, side="right")
    return pd.DataFrame(
        {
            "expected": np.asarray(expected, dtype=np.float64),
            "empirical": n_held / max(n, 1),
            "error": _binomial_error(n_held, n) if n else np.nan,
            "n_held": n_held,
            "n": n,
        }
    )


def coverage_table(
    table: pd.DataFrame, by: Sequence[str], *, expected: Sequence[float] = EXPECTED
) -> pd.DataFrame:
    """Return coverage curves of groups of data sets.

    Args:
        table: One row per data set: ``level`` and the columns of ``by``.
        by: Columns that tell the groups, such as ``way`` and ``kind``.
        expected: Probabilities of the intervals.

    Returns:
        The columns of ``by`` and those of :func:`coverage_curve`.
    """
    curves = []
    for names, part in table.groupby(list(by), sort=False, observed=True):
        curve = coverage_curve(part["level"].to_numpy(), expected=expected)
        curves.append(pd.DataFrame([names] * len(curve), columns=list(by)).join(curve))
    return pd.concat(curves, ignore_index=True)


def pit_histogram(pit: NDArray, *, n_bins: int = 20, band: float = 0.95) -> pd.DataFrame:
    """Return the histogram of integral transforms, and the band that it should lie in.

    Args:
        pit: Integral transforms, shape ``(n,)``.
        n_bins: Number of bins.
        band: Probability that the content of one bin is within the band.

    Returns:
        Columns ``low``, ``high``, ``observed``, ``expected``, ``band_low`` and ``band_high``.
    """
    edges = np.linspace(0, 1, n_bins + 1)
    low, high = binom.interval(band, len(pit), 1 / n_bins)
    return pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "observed": np.histogram(pit, edges)[0],
            "expected": len(pit) / n_bins,
            "band_low": low,
            "band_high": high,
        }
    )


def measure_uniformity(values: NDArray, *, n_bins: int = 20) -> Uniformity:
    """Compare numbers between 0 and 1 with uniform ones.

    Args:
        values: Numbers, shape ``(n,)``.
        n_bins: Bins of their histogram; fewer are used for less than 100 numbers.
    """
    n_bins = int(np.clip(len(values) / FEWEST, 2, n_bins))
    counts = np.histogram(values, np.linspace(0, 1, n_bins + 1))[0]
    distance = float(np.sum((counts - counts.mean()) ** 2) / counts.mean())
    ks = kstest(values, "uniform")
    p = float(chi2.sf(distance, n_bins - 1))
    return Uniformity(distance, n_bins - 1, p, float(ks.statistic), float(ks.pvalue))


def calibrate(level: NDArray, pit: NDArray, std: NDArray) -> Calibration:
    """Compare posteriors with truths.

    Args:
        level: Levels of the truths, shape ``(n,)``.
        pit: Their integral transforms, shape ``(n,)``.
        std: The posteriors' standard deviations, shape ``(n,)``.

    Raises:
        ValueError: If there are fewer than two posteriors.
    """
    n = len(level)
    if n < 2:
        msg = f"{n} posteriors are given: a calibration needs 2 or more, with known truths"
        raise ValueError(msg)
    outside = 2 * np.abs(pit - 0.5)
    around = np.quantile(std, np.clip(0.5 + np.array([-0.5, 0, 0.5]) / np.sqrt(n), 0, 1))
    return Calibration(
        coverage=tuple(share_within(level, probability) for probability in LEVELS),
        central=tuple(share_within(outside, probability) for probability in LEVELS),
        bias=_mean(pit - 0.5),
        levels=measure_uniformity(level),
        pit=measure_uniformity(pit),
        mean_std=_mean(std),
        median_std=Measured(float(around[1]), float(around[2] - around[0]) / 2),
        n=n,
    )


def _mean(values: NDArray) -> Measured:
    return Measured(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


def spread_table(mean: NDArray, std: NDArray, n_events: NDArray) -> pd.DataFrame:
    """Return how posteriors spread, and how wide they are, by the number of events.

    Args:
        mean: Posteriors' means, shape ``(n,)``, all of one true parameter.
        std: Their standard deviations, shape ``(n,)``.
        n_events: Numbers of events that they combine, shape ``(n,)``.

    Returns:
        Columns ``n_events``, ``n``, ``spread`` of the means, mean ``width``, each with its
        ``_error``. Numbers that fewer than two posteriors combine have no row.
    """
    rows = []
    for number in np.unique(n_events):
        here = n_events == number
        n = int(np.count_nonzero(here))
        if n < 2:
            continue
        spread = float(mean[here].std(ddof=1))
        squares = (mean[here] - mean[here].mean()) ** 2 / (2 * max(spread, 1e-300))
        width = _mean(std[here])
        rows.append((int(number), n, spread, _mean(squares).uncertainty, *width))
    columns = ["n_events", "n", "spread", "spread_error", "width", "width_error"]
    return pd.DataFrame(rows, columns=columns)


def fit_root_n(n_events: ArrayLike, value: ArrayLike, uncertainty: ArrayLike) -> RootN:
    r"""Fit :math:`\sigma_1 / \sqrt n` to independent values by least squares.

    Args:
        n_events: Numbers of events, shape ``(k,)``.
        value: Standard deviations, shape ``(k,)``.
        uncertainty: Their errors, shape ``(k,)``, all positive.

    Raises:
        ValueError: If there is no value, or an error is not positive.
    """
    n, y, error = (np.asarray(part, dtype=np.float64) for part in (n_events, value, uncertainty))
    if len(n) == 0 or not np.all(error > 0):
        msg = f"a fit needs values with errors above 0, but errors are {error.tolist()}"
        raise ValueError(msg)
    model = 1 / np.sqrt(n)
    precision = float(np.sum((model / error) ** 2))
    sigma = float(np.sum(model * y / error**2)) / precision
    distance, n_dof = float(np.sum(((y - sigma * model) / error) ** 2)), len(n) - 1
    p = float(chi2.sf(distance, n_dof)) if n_dof else 1.0
    return RootN(Measured(sigma, precision**-0.5), distance, n_dof, p)


def compare_selection(mask: Tensor, signal: Tensor, survivors: Tensor) -> pd.DataFrame:
    """Return what cleaning did to the events of each toy.

    Args:
        mask: Which events there are, shape ``(n_toys, n_events)``.
        signal: Which of them are signal, same shape.
        survivors: Which of them cleaning leaves, same shape.

    Returns:
        One row per toy: ``n_events``, ``n_signal``, ``n_retained``, ``n_dropped`` signal events,
        ``n_kept`` background events, and which of :data:`KINDS` that makes.
    """
    present, true, left = (part.cpu().numpy() for part in (mask, signal, survivors))
    dropped = (true & ~left).sum(1)
    kept = (left & present & ~true).sum(1)
    index = (dropped > 0) + 2 * (kept > 0)
    return pd.DataFrame(
        {
            "n_events": present.sum(1),
            "n_signal": true.sum(1),
            "n_retained": left.sum(1),
            "n_dropped": dropped,
            "n_kept": kept,
            "kind": np.array(KINDS)[index],
        }
    )
