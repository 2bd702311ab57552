r"""Sensitivities over grids of rates, and hunts that choose their own threshold.

Choosing the best of several thresholds or window widths is a choice on toys, too. So either choose
on one half of the toys and report on the other (:meth:`bumpflow.compatibility.toys.Cells.halves`),
or let each data set choose: :func:`smallest_p` is the smallest p-value over the settings. It is a
statistic as any other, and its own distribution in toys of background, other ones than those that
calibrate the settings, includes the trials factor.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bumpflow.compatibility.significance import Measure, Order, Tally, expected, p_values
from bumpflow.compatibility.toys import Cells

Null = Literal["background", "total"]
"""What the hypothesis of background alone expects: the background's own rate, so that the number
of events counts as evidence, or the sum of both rates, so that only compatibility does."""


class Map(NamedTuple):
    """Sensitivities over rates, shape ``(n_mu_b, n_mu_s)`` each.

    Attributes:
        value: Expectations.
        uncertainty: Their standard deviations.
    """

    value: NDArray[np.float64]
    uncertainty: NDArray[np.float64]


class Comparison(NamedTuple):
    """A statistic in toys of both hypotheses.

    Attributes:
        signal: Toys of background and signal.
        background: Toys of background; to test with the sum of both rates, up to that sum.
        order: Where the first lie among the second.
    """

    signal: Tally
    background: Tally
    order: Order

    @classmethod
    def of(cls, signal: Tally, background: Tally) -> "Comparison":
        """Compare two sets of toys."""
        return cls(signal, background, Order.of(signal.values, background.values))


def sensitivity_map(
    compare: Comparison | Callable[[float], Comparison],
    *,
    mu_b: ArrayLike,
    mu_s: ArrayLike,
    measure: Measure = "z_two_sided",
    null: Null = "background",
) -> Map:
    """Return expected sensitivities on a grid of rates.

    Args:
        compare: The statistic, or what gives it for the background rate that it assumes.
        mu_b: Expected background events, shape ``(n_mu_b,)``.
        mu_s: Expected signal events, shape ``(n_mu_s,)``.
        measure: Function of the p-value whose expectation counts.
        null: What the hypothesis of background alone expects.
    """
    at = lru_cache(1)(compare) if callable(compare) else lambda _: compare
    rates_b, rates_s = np.asarray(mu_b, dtype=float), np.asarray(mu_s, dtype=float)
    value, uncertainty = np.empty((2, len(rates_b), len(rates_s)))
    for cell in np.ndindex(*value.shape):
        b, s = float(rates_b[cell[0]]), float(rates_s[cell[1]])
        rate = b if null == "background" else b + s
        signal, background, order = at(rate)
        found = expected(signal.at(b, s), background.at(rate), measure, order=order)
        value[cell], uncertainty[cell] = found
    return Map(value, uncertainty)


def smallest_p(
    values: NDArray, calibration: NDArray, cells: Cells, *, mu_b: float
) -> NDArray[np.float64]:
    r"""Return :math:`-\ln` of the smallest p-value over a hunt's settings, for each toy.

    Args:
        values: Statistic at each setting, shape ``(n_toys, n_settings)``.
        calibration: The same in toys of background that calibrate the p-values, shape
            ``(n_background, n_settings)``.
        cells: Cells of the latter.
        mu_b: Expected background events.

    Returns:
        A statistic, shape ``(n_toys,)``. Its p-value comes from other toys of background.
    """
    best = np.ones(len(values))
    for column, calibrating in zip(values.T, calibration.T, strict=True):
        background = Tally.of(calibrating, cells).at(mu_b)
        np.minimum(best, p_values(column, background), out=best)
    return -np.log(best)
