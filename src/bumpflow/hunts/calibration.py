"""Calibrate predictions on histograms whose significance is known."""

from collections.abc import Mapping, Sequence
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
Z_KNOTS = (1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 14.0)
EVIDENCE_KNOTS = (-0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0)
"""Predicted medians and log odds between which corrections of z_max are linear; constant beyond."""
PENALTIES: Mapping[str, float | None] = {"none": None, "mean": 0.0, "unbiased": 200.0}
"""By the name of a correction of z_max, how much more an error that all signals of a strength share
costs than one that scatters. With 200, no strength's share is above 0.02 on calibration toys of the
2022 task; networks for many shapes would scatter too much."""
FACTOR_NAMES = tuple(f"factor{probability:g}" for probability in QUANTILES)


class Calibration(NamedTuple):
    """Corrections of a network's largest significances and of their intervals.

    Attributes:
        factors: On the predicted distances between the median and the other quantiles, shape
            ``(N_CELLS, len(QUANTILES))``; that of the median is 1.
        sigma: Factors on the standard deviation of z per bin, shape ``(N_CELLS,)``.
        n_toys: Histograms behind each cell, shape ``(N_CELLS,)``.
        z_shifts: What is added to the median at :data:`Z_KNOTS` to estimate z_max.
        evidence_shifts: What is added besides at :data:`EVIDENCE_KNOTS`.
    """

    factors: NDArray[np.float64]
    sigma: NDArray[np.float64]
    n_toys: NDArray[np.int64]
    z_shifts: NDArray[np.float64]
    evidence_shifts: NDArray[np.float64]

    @classmethod
    def none(cls) -> Self:
        """Return the calibration that changes nothing."""
        ones = np.ones((N_CELLS, len(QUANTILES)))
        shifts = (np.zeros(len(knots)) for knots in (Z_KNOTS, EVIDENCE_KNOTS))
        return cls(ones, ones[:, 0], np.zeros(N_CELLS, dtype=np.int64), *shifts)

    def z_max(self, median: NDArray, evidence: NDArray) -> NDArray[np.float64]:
        """Return the corrected estimates of the largest significances, at least 0, shape ``(n,)``.

        Args:
            median: Predicted medians, shape ``(n,)``.
            evidence: Log odds of a bump, shape ``(n,)``.
        """
        shift = np.interp(median, Z_KNOTS, self.z_shifts)
        shift += np.interp(evidence, EVIDENCE_KNOTS, self.evidence_shifts)
        return np.maximum(median + shift, 0)

    def intervals(self, quantiles: NDArray, cells: NDArray) -> NDArray[np.float64]:
        """Return calibrated quantiles, at least 0, shape ``(n, len(QUANTILES))``."""
        median = quantiles[:, MEDIAN, None]
        return np.maximum(median + (quantiles - median) * self.factors[cells], 0)

    def as_table(self) -> pd.DataFrame:
        """Return one row per number: ``name``, ``place`` (a cell's or knot's index), ``value``."""
        columns = dict(zip(FACTOR_NAMES, self.factors.T, strict=True))
        columns |= {name: getattr(self, name) for name in self._fields[1:]}
        parts = [
            pd.DataFrame({"name": name, "place": np.arange(len(values)), "value": values})
            for name, values in columns.items()
        ]
        return pd.concat(parts, ignore_index=True)

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> Self:
        """Return the calibration that :meth:`as_table` describes."""
        values = {str(name): part["value"].to_numpy() for name, part in table.groupby("name")}
        factors = np.stack([values[name] for name in FACTOR_NAMES], 1)
        values["n_toys"] = values["n_toys"].astype(np.int64)
        return cls(factors, **{name: values[name] for name in cls._fields[1:]})


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
    of the truth over the predicted distance: conformalised quantile regression. Estimates of
    z_max are left as they are, see :func:`correct`.

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
    return Calibration.none()._replace(factors=factors, sigma=sigma, n_toys=n_toys)


def correct(
    calibration: Calibration,
    *,
    truth: NDArray,
    median: NDArray,
    evidence: NDArray,
    strength: NDArray,
    penalty: float,
) -> Calibration:
    r"""Return a calibration whose estimates of z_max have the least errors.

    Minimised is :math:`\langle e^2 \rangle + \lambda \sum_s p_s \langle e \rangle_s^2`, with the
    errors :math:`e` of all histograms and those with signals of strength :math:`s`, of which
    there is a share :math:`p_s`. Without a penalty :math:`\lambda`, that is the mean of the truth
    given the prediction, which draws strong signals towards the weak and noise towards them; a
    large one makes estimates unbiased whatever the strength, so that they do not depend on
    how many of each there are, at the price of more scatter.

    Intervals stay about the median: they are for histograms that look alike, of which a share
    has the truth inside, not for those of one strength.

    Args:
        calibration: Calibration to complete.
        truth: True largest significances, shape ``(n,)``.
        median: Predicted medians, shape ``(n,)``.
        evidence: Log odds of a bump, shape ``(n,)``.
        strength: Significances of the signals that were asked for, 0 without, shape ``(n,)``.
        penalty: :math:`\lambda`.
    """
    features = np.hstack([_hats(median, Z_KNOTS), _hats(evidence, EVIDENCE_KNOTS)])
    each = pd.DataFrame(np.column_stack([features, truth - median])) / np.sqrt(len(truth))
    # A sum over the root of their number is the mean times the root of their share.
    groups = each.groupby(np.ceil(strength))
    shared = groups.sum().div(np.sqrt(groups.size()), axis=0)
    rows = np.vstack([each, np.sqrt(penalty) * shared])
    shifts, *_ = np.linalg.lstsq(rows[:, :-1], rows[:, -1], rcond=None)
    z_shifts, evidence_shifts = np.split(shifts, [len(Z_KNOTS)])
    return calibration._replace(z_shifts=z_shifts, evidence_shifts=evidence_shifts)


def _hats(x: NDArray, knots: Sequence[float]) -> NDArray[np.float64]:
    """Return functions that are 1 at one knot, 0 at the others, and linear between."""
    return np.stack([np.interp(x, knots, one) for one in np.eye(len(knots))], 1)


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
