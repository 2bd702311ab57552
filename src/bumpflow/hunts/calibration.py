"""Calibrate predicted intervals on histograms whose significance is known."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.hunts.networks import QUANTILES

MEDIAN = QUANTILES.index(0.5)
N_BINS = (45, 75)
COUNTS = (100.0, 3000.0)
WIDTHS = (1.75, 2.75)
"""Bounds between the cells: number of bins, geometric mean of entries per bin, and width of the
most significant bump [bins]."""
N_CELLS = (len(N_BINS) + 1) * (len(COUNTS) + 1) * (len(WIDTHS) + 1)
MIN_TOYS = 200
"""Histograms of a cell below which it takes the correction of all cells together."""


class Calibration(NamedTuple):
    """Factors on the predicted distances between the median and the other quantiles.

    Attributes:
        factors: Shape ``(N_CELLS, len(QUANTILES))``; that of the median is 1.
        sigma: Factors on the standard deviation of z per bin, shape ``(N_CELLS,)``.
        n_toys: Histograms behind each cell, shape ``(N_CELLS,)``.
    """

    factors: NDArray[np.float64]
    sigma: NDArray[np.float64]
    n_toys: NDArray[np.int64]

    @classmethod
    def none(cls) -> Self:
        """Return the calibration that changes nothing."""
        ones = np.ones((N_CELLS, len(QUANTILES)))
        return cls(ones, ones[:, 0], np.zeros(N_CELLS, dtype=np.int64))

    def intervals(self, quantiles: NDArray, cells: NDArray) -> NDArray[np.float64]:
        """Return calibrated quantiles, at least 0, shape ``(n, len(QUANTILES))``."""
        median = quantiles[:, MEDIAN, None]
        return np.maximum(median + (quantiles - median) * self.factors[cells], 0)

    def as_table(self) -> pd.DataFrame:
        """Return one row per cell."""
        names = [f"factor{probability:g}" for probability in QUANTILES]
        table = pd.DataFrame(self.factors, columns=names)
        return table.assign(sigma=self.sigma, n_toys=self.n_toys)

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> Self:
        """Return the calibration that :meth:`as_table` describes."""
        names = [f"factor{probability:g}" for probability in QUANTILES]
        columns = (table[names], table["sigma"], table["n_toys"])
        factors, sigma, n_toys = (column.to_numpy() for column in columns)
        return cls(factors, sigma, n_toys)


def cells_of(n_bins: NDArray, counts: NDArray, widths: NDArray) -> NDArray[np.int64]:
    """Return the cell of each histogram.

    Args:
        n_bins: Numbers of bins, shape ``(n,)``.
        counts: Geometric means of the predicted entries per bin, shape ``(n,)``.
        widths: Widths of the most significant bumps [bins], shape ``(n,)``.
    """
    place = np.digitize(n_bins, N_BINS)
    place = place * (len(COUNTS) + 1) + np.digitize(counts, COUNTS)
    return place * (len(WIDTHS) + 1) + np.digitize(widths, WIDTHS)


def calibrate(truth: NDArray, quantiles: NDArray, pulls: NDArray, cells: NDArray) -> Calibration:
    """Return the factors with which intervals contain the truth as often as they should.

    On each side of the median, and for each level, the factor is the quantile of the distance
    of the truth over the predicted distance: conformalised quantile regression.

    Args:
        truth: True largest significances, shape ``(n,)``.
        quantiles: Predicted ones, shape ``(n, len(QUANTILES))``.
        pulls: Root mean squares over bins of (true - predicted z) / predicted sigma, ``(n,)``.
        cells: See :func:`cells_of`, shape ``(n,)``.

    References:
        Romano, Patterson, Candes (2019), https://arxiv.org/abs/1905.03222
    """
    everything = _factors(truth, quantiles)
    spread = np.sqrt(np.mean(pulls**2))
    factors = np.tile(everything, (N_CELLS, 1))
    sigma = np.full(N_CELLS, spread)
    n_toys = np.bincount(cells, minlength=N_CELLS)
    for cell in np.flatnonzero(n_toys >= MIN_TOYS):
        here = cells == cell
        factors[cell] = _factors(truth[here], quantiles[here])
        sigma[cell] = np.sqrt(np.mean(pulls[here] ** 2))
    return Calibration(factors, sigma, n_toys)


def _factors(truth: NDArray, quantiles: NDArray) -> NDArray[np.float64]:
    median = quantiles[:, MEDIAN]
    factors = np.ones(len(QUANTILES))
    for index, probability in enumerate(QUANTILES):
        if index != MEDIAN:
            predicted = quantiles[:, index] - median
            ratio = (truth - median) / np.where(predicted == 0, np.nan, predicted)
            # Below the median, ratios beyond 1 are truths below the quantile.
            inside = 1 - probability if index < MEDIAN else probability
            factors[index] = max(np.nanquantile(ratio, inside), 0.0)
    return factors


def coverage(
    truth: NDArray, quantiles: NDArray, *, levels: Sequence[tuple[int, int]] = ((1, 3), (0, 4))
) -> list[float]:
    """Return how often intervals between two quantiles contain the truth.

    Args:
        truth: Shape ``(n,)``.
        quantiles: Shape ``(n, len(QUANTILES))``.
        levels: Pairs of indices of quantiles; by default those of 68 and 95 %.
    """
    return [
        float(np.mean((truth >= quantiles[:, low]) & (truth <= quantiles[:, high])))
        for low, high in levels
    ]
