r"""P-values and sensitivities from toys in strata, each with its statistical error.

A statistic's values in toys of background give :math:`p(t) = P_b(T \geq t)`; its values in toys
of background and signal give the expectation of whatever follows from :math:`p`. With toys in
cells of probability :math:`P_c`, means and variances are :math:`\sum_c P_c \bar f_c` and
:math:`\sum_c P_c^2 s_c^2 / N_c`. The finite number of background toys enters by the delta method:
each background toy contributes its influence on the result.

References:
    Chathirathas et al. (2024), https://arxiv.org/abs/2407.20329, section 4.2;
    Hampel (1974), https://doi.org/10.1080/01621459.1974.10482962 (influence functions)
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from bumpflow.compatibility.toys import Cells
from bumpflow.evaluate.divergences import wasserstein_distance
from bumpflow.stats.toys import Measured

Measure = Literal["z_one_sided", "z_two_sided", "minus_log_p", "p"]


class Sample(NamedTuple):
    """A statistic's values in toys of one hypothesis; equal values of a stratum may be one entry.

    Attributes:
        values: Values, shape ``(n_entries,)``; larger means more signal-like.
        cell: Stratum of each entry, shape ``(n_entries,)``.
        n_toys: Toys of each entry, shape ``(n_entries,)``.
        probability: Probabilities of the strata, shape ``(n_cells,)``.
    """

    values: NDArray[np.float64]
    cell: NDArray[np.int64]
    n_toys: NDArray[np.int64]
    probability: NDArray[np.float64]

    @classmethod
    def alike(cls, values: ArrayLike) -> "Sample":
        """Return values of toys that are equally likely, shape ``(n_toys,)``."""
        found = np.asarray(values, dtype=float)
        zeros = np.zeros(len(found), np.int64)
        return cls(found, zeros, zeros + 1, np.ones(1))

    @property
    def sizes(self) -> NDArray[np.float64]:
        """Toys in each stratum, shape ``(n_cells,)``."""
        toys = np.bincount(self.cell, self.n_toys, minlength=len(self.probability))
        return toys.astype(float)

    @property
    def weights(self) -> NDArray[np.float64]:
        """Probability that each entry stands for, shape ``(n_entries,)``."""
        return (self.probability / np.maximum(self.sizes, 1))[self.cell] * self.n_toys

    @property
    def n_effective(self) -> float:
        r"""Number of equally likely toys with as large errors, :math:`1 / \sum_c P_c^2 / N_c`."""
        return float(1 / np.sum(self.probability**2 / np.maximum(self.sizes, 1)))

    @property
    def resolution(self) -> float:
        r"""Probability that toys resolve: :math:`\sum_c P_c^2 / N_c` of strata whose values differ.

        Strata of one value alone, such as numbers of events, are known exactly.
        """
        low, high = np.full((2, len(self.probability)), [[np.inf], [-np.inf]])
        np.minimum.at(low, self.cell, self.values)
        np.maximum.at(high, self.cell, self.values)
        share = np.where(high > low, self.probability, 0.0)
        return float(np.sum(share**2 / np.maximum(self.sizes, 1)))

    def variance_of_mean(self, f: NDArray) -> float:
        """Return the variance of the mean of a function of the toys, shape ``(n_entries,)``."""
        n, length = self.sizes, len(self.probability)
        mean = np.bincount(self.cell, self.n_toys * f, minlength=length) / np.maximum(n, 1)
        squares = self.n_toys * (f - mean[self.cell]) ** 2
        square = np.bincount(self.cell, squares, minlength=length)
        return float(np.sum(self.probability**2 * square / np.maximum(n * (n - 1), 1)))


class Tally(NamedTuple):
    """A statistic's values in the toys of some cells, which serve all rates.

    Attributes:
        values: Values, shape ``(n_entries,)``.
        cell: Cell of each entry, shape ``(n_entries,)``.
        n_toys: Toys of each entry, shape ``(n_entries,)``.
        cells: The cells.
    """

    values: NDArray[np.float64]
    cell: NDArray[np.int64]
    n_toys: NDArray[np.int64]
    cells: Cells

    @classmethod
    def of(cls, values: ArrayLike, cells: Cells) -> "Tally":
        """Return the values of toys; equal ones of a cell become one entry.

        Args:
            values: Values in the order of the cells' toys, shape ``(n_toys,)``.
            cells: The cells.

        Raises:
            ValueError: If the number of values differs from the number of toys, or one is NaN.
        """
        found = np.asarray(values, dtype=float)
        if found.shape != (cells.n_toys.sum(),) or np.isnan(found).any():
            msg = (
                f"values of a statistic have shape {found.shape} and {np.isnan(found).sum()} NaN:"
                f" the cells have {cells.n_toys.sum()} toys, which need one number each"
            )
            raise ValueError(msg)
        order = np.lexsort((found, cells.cell))
        found, cell = found[order], cells.cell[order]
        first = np.flatnonzero(np.append(True, (np.diff(found) != 0) | (np.diff(cell) != 0)))
        return cls(found[first], cell[first], np.diff(np.append(first, len(found))), cells)

    def at(self, mu_b: float, mu_s: float = 0.0) -> Sample:
        """Return the toys at some rates.

        Args:
            mu_b: Expected background events.
            mu_s: Expected signal events.
        """
        return Sample(self.values, self.cell, self.n_toys, self.cells.probability(mu_b, mu_s))


class Order(NamedTuple):
    """Where values lie among those of background; it serves all rates.

    Attributes:
        order: Entries of background by increasing value, shape ``(n_background,)``.
        place: How many entries lie below each value, shape ``(n,)``.
    """

    order: NDArray[np.int64]
    place: NDArray[np.int64]

    @classmethod
    def of(cls, at: ArrayLike, background: ArrayLike) -> "Order":
        """Find the places of values, shape ``(n,)``, in those of background."""
        values = np.asarray(background, dtype=float)
        order = np.argsort(values, kind="stable")
        return cls(order, np.searchsorted(values[order], np.asarray(at, dtype=float)))

    def tail(self, background: Sample) -> NDArray[np.float64]:
        """Return p-values by place, shape ``(n_background + 1,)``; see :func:`p_values`."""
        p = np.append(np.cumsum(background.weights[self.order][::-1])[::-1], 0.0)
        return np.clip(p, max(background.resolution, p[p > 0].min()), 1.0)

    def influence(self, change: NDArray) -> NDArray[np.float64]:
        """Return what a toy of each entry of background adds to a result.

        Args:
            change: Derivative of the result by the p-value of each value, shape ``(n,)``.
        """
        n = len(self.order)
        sums = np.empty(n)
        sums[self.order] = np.cumsum(np.bincount(self.place, change, minlength=n + 1)[:n])
        return sums


def z_one_sided(p: ArrayLike) -> NDArray[np.float64]:
    r"""Return :math:`\max(0, \Phi^{-1}(1 - p))`, since a lack of events is no evidence."""
    return np.maximum(-ndtri(np.asarray(p, dtype=float)), 0.0)


def z_two_sided(p: ArrayLike) -> NDArray[np.float64]:
    r"""Return :math:`\sqrt 2\, \mathrm{erf}^{-1}(1 - p)`, the published convention."""
    return -ndtri(np.asarray(p, dtype=float) / 2)


def p_values(at: ArrayLike, background: Sample) -> NDArray[np.float64]:
    """Return the p-values of values, shape ``(n,)``.

    It is not below the smallest one that toys give, nor below their resolution
    (:attr:`Sample.resolution`): where strata of few events show no toy beyond a value, those of
    many, which are improbable, would give p-values that are too small.

    Args:
        at: Values, shape ``(n,)``.
        background: Toys of background.
    """
    order = Order.of(at, background.values)
    return order.tail(background)[order.place]


def p_value(observed: float, background: Sample) -> Measured:
    """Return the p-value of one data set and its error from the number of toys.

    Args:
        observed: Value of the statistic.
        background: Toys of background.
    """
    p = p_values([observed], background)[0]
    variance = background.variance_of_mean((background.values >= observed).astype(float))
    return Measured(float(p), float(np.sqrt(variance)))


def expected(
    signal: Sample,
    background: Sample,
    measure: Measure = "z_two_sided",
    *,
    order: Order | None = None,
) -> Measured:
    r"""Return the expectation over signal and background of a function of the p-value.

    ``minus_log_p`` is the mean of :math:`-\ln p`, which the published code calls the log p-value;
    what the text defines is :func:`log_score`. Values beyond all background count with the bound
    of :func:`p_values`. The error is too small, by up to one half in tests, if much of the
    expectation comes from p-values that rest on one or two toys: draw more background then.

    Args:
        signal: Toys of background and signal.
        background: Toys of background, independent of them.
        measure: Function of the p-value.
        order: Where the first lie among the second, if known.
    """
    order = Order.of(signal.values, background.values) if order is None else order
    f, slope = (part[order.place] for part in _of_p(order.tail(background), measure))
    weights = signal.weights
    influence = order.influence(weights * slope)
    variance = signal.variance_of_mean(f) + background.variance_of_mean(influence)
    return Measured(float(weights @ f), float(np.sqrt(variance)))


def _of_p(p: NDArray, measure: Measure) -> tuple[NDArray, NDArray]:
    """Return a measure of p-values and its derivative."""
    if measure == "p":
        return p, np.ones_like(p)
    if measure == "minus_log_p":
        return -np.log(p), -1 / p
    sides = 2 if measure == "z_two_sided" else 1
    z = z_two_sided(p) if measure == "z_two_sided" else z_one_sided(p)
    slope = -np.sqrt(2 * np.pi) * np.exp(z**2 / 2) / sides
    return z, np.where(z > 0, slope, 0.0)


def log_score(signal: Sample, background: Sample) -> Measured:
    r"""Return the mean of the published :math:`-L_p(l) = -\sum_{m \geq l} \ln p_b(m)`.

    It adds up logarithms of the probabilities of single values of a discrete statistic, up to
    the largest that toys of either hypothesis show. A value that no background toy shows counts
    with one over their effective number, or the smallest probability of any value if less. It
    depends on that largest value and thereby on the number of toys: prefer :func:`expected`.

    Args:
        signal: Toys of background and signal; values are whole numbers from 0.
        background: Toys of background.

    Raises:
        ValueError: If a value is not a whole number from 0.

    References:
        https://arxiv.org/abs/2407.20329, equations 3 and 4
    """
    values = [part.values.astype(int) for part in (signal, background)]
    for whole, part in zip(values, (signal, background), strict=True):
        if np.any(whole != part.values) or np.any(whole < 0):
            msg = "the log score needs whole numbers from 0 as values: use `expected` for others"
            raise ValueError(msg)
    n = max(part.max() for part in values) + 1
    p_s, p_b = (
        np.bincount(whole, part.weights, minlength=n)
        for whole, part in zip(values, (signal, background), strict=True)
    )
    shown = p_b > 0
    logs = np.log(np.where(shown, p_b, min(p_b[shown].min(), 1 / background.n_effective)))
    score = -np.cumsum(logs[::-1])[::-1]
    slope = np.where(shown, -np.cumsum(p_s) / np.where(shown, p_b, 1.0), 0.0)
    variance = signal.variance_of_mean(score[values[0]])
    variance += background.variance_of_mean(slope[values[1]])
    return Measured(float(p_s @ score), float(np.sqrt(variance)))


def separation(signal: Sample, background: Sample) -> Measured:
    """Return the Wasserstein-1 distance between a statistic's values under both hypotheses.

    Of the values, in their unit: the published distance of 0.015 is one of histograms' heights.

    Args:
        signal: Toys of background and signal.
        background: Toys of background.

    References:
        https://arxiv.org/abs/2407.20329, section 4.2
    """
    weights = signal.weights, background.weights
    distance = wasserstein_distance(
        signal.values, background.values, x_weights=weights[0], y_weights=weights[1]
    )
    both = np.concatenate([signal.values, background.values])
    order = np.argsort(both, kind="stable")
    difference = np.cumsum(np.concatenate([weights[0], -weights[1]])[order])
    steps = np.sign(difference[:-1]) * np.diff(both[order])
    influence = np.empty(len(both))
    influence[order] = -np.concatenate([[0.0], np.cumsum(steps)])
    variance = signal.variance_of_mean(influence[: len(signal.values)])
    variance += background.variance_of_mean(influence[len(signal.values) :])
    return Measured(float(distance), float(np.sqrt(variance)))


def type_one_error(test: Sample, background: Sample, *, alpha: float) -> Measured:
    r"""Return the probability of :math:`p \leq \alpha` without signal.

    It is :math:`\alpha` for a continuous statistic and at most that for a discrete one. The error
    includes that of the p-value at the smallest value that is rejected.

    Args:
        test: Toys of background.
        background: Other toys of background, which calibrate the p-value.
        alpha: Nominal probability.
    """
    rejected = p_values(test.values, background) <= alpha
    variance = test.variance_of_mean(rejected.astype(float))
    if rejected.any():
        edge = test.values[rejected].min()
        variance += background.variance_of_mean((background.values >= edge).astype(float))
    return Measured(float(test.weights @ rejected), float(np.sqrt(variance)))
