r"""Tests and limits from asymptotic formulae, for many models at once.

References:
    Cowan, Cranmer, Gross, Vitells (2010), https://arxiv.org/abs/1007.1727;
    Read (2002), https://doi.org/10.1088/0954-3899/28/10/313 (CLs)
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import elementwise
from scipy.stats import norm

from bumpflow.stats.fit import CONVERGED, Fit, fit, profile_slope
from bumpflow.stats.model import BinnedModel, Observations

BANDS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
"""Fluctuations of the background whose limits are the expected band [standard deviations]."""
LIMIT_TOLERANCE = 1e-4
"""Relative precision of limits."""
MAX_WIDENINGS = 100
"""Brackets double at each, so that no limit is out of reach."""
NO_LIMIT = "failed: no crossing found"


class Discovery(NamedTuple):
    """Tests of the background-only hypothesis, shape ``(n_models,)`` each.

    Attributes:
        p0: Probability of at least as much excess without signal.
        z: The same in standard deviations; 0 for deficits.
        good: Which tests rest on converged fits; the others hold NaN.
    """

    p0: NDArray
    z: NDArray
    good: NDArray


class Limits(NamedTuple):
    """Upper limits on the signal strength.

    Attributes:
        observed: Shape ``(n_models,)``.
        expected: For background fluctuations of -2 to 2 sigma, shape ``(n_models, 5)``.
        status: ``converged``, or what went wrong; such a limit is NaN.
    """

    observed: NDArray
    expected: NDArray
    status: list[str]


class _Tested(NamedTuple):
    """What all signal strengths have in common: the free fit, and background-only Asimov data."""

    model: BinnedModel
    data: Observations
    free: Fit
    reference: NDArray
    asimov: Observations

    def rows(self, rows: NDArray) -> "_Tested":
        """Return the same of some rows."""
        fits = Fit(
            type(self.free.at)(*(part[rows] for part in self.free.at)),
            *(part[rows] for part in self.free[1:]),
        )
        return _Tested(
            self.model[rows],
            self.data.rows(rows),
            fits,
            self.reference[rows],
            self.asimov.rows(rows),
        )


def _prepare(model: BinnedModel, data: Observations) -> _Tested:
    r"""Fit with free signal strength and without signal.

    Deviances refer to the free fit, or to no signal where that is negative, as for
    :math:`\tilde q_\mu`.
    """
    free, null = _fit_positive(model, data)
    return _Tested(model, data, free, free.half_deviance, model.asimov(null.at))


def _fit_positive(model: BinnedModel, data: Observations) -> tuple[Fit, Fit]:
    """Return the fits with a signal strength of 0 or more and of 0.

    Where the profile rises from 0 on, both are the same. No other fit is tried there: its minimum
    may lie where a bin expects less than nothing.
    """
    null = fit(model, data, mu=0.0)
    rows = np.flatnonzero(null.good)
    slope = profile_slope(
        model[rows], data.rows(rows), type(null.at)(*(part[rows] for part in null.at))
    )
    rows = rows[slope < 0]
    free = Fit(type(null.at)(*(part.copy() for part in null.at)), *(x.copy() for x in null[1:]))
    if len(rows) == 0:
        return free, null
    found = fit(model[rows], data.rows(rows))
    for whole, part in zip((*free.at, *free[1:]), (*found.at, *found[1:]), strict=True):
        whole[rows] = part
    return free, null


def discover(model: BinnedModel, data: Observations) -> Discovery:
    r"""Test the background-only hypothesis with :math:`q_0`.

    Args:
        model: Models.
        data: A data set for each.

    References:
        https://arxiv.org/abs/1007.1727, equations 12 and 53
    """
    free, null = _fit_positive(model, data)
    q = np.maximum(2 * (null.half_deviance - free.half_deviance), 0.0)
    z = np.where(free.mu > 0, np.sqrt(q), 0.0)
    good = free.good & null.good
    z = np.where(good, z, np.nan)
    return Discovery(norm.sf(z), z, good)


def test_statistic(model: BinnedModel, data: Observations, mu: ArrayLike) -> NDArray:
    r"""Return :math:`\tilde q_\mu`, shape ``(n_models,)``; NaN where a fit failed.

    Args:
        model: Models.
        data: A data set for each.
        mu: Signal strengths to test, shape ``(n_models,)`` or one number.

    References:
        https://arxiv.org/abs/1007.1727, equation 16
    """
    return _statistic(_prepare(model, data), np.broadcast_to(np.asarray(mu, float), len(model)))


def _statistic(tested: _Tested, mu: NDArray) -> NDArray:
    held = fit(tested.model, tested.data, mu=mu)
    q = np.maximum(2 * (held.half_deviance - tested.reference), 0.0)
    return np.where(tested.free.mu > mu, 0.0, q)


def _asimov_statistic(tested: _Tested, mu: NDArray) -> NDArray:
    """Return the median of the test statistic without signal, by its own Asimov data."""
    return 2 * fit(tested.model, tested.asimov, mu=mu).half_deviance


def confidence_levels(model: BinnedModel, data: Observations, mu: ArrayLike) -> NDArray:
    """Return observed CLs of signal strengths, shape ``(n_models,)``.

    Args:
        model: Models.
        data: A data set for each.
        mu: Signal strengths to test, shape ``(n_models,)`` or one number.
    """
    tested = _prepare(model, data)
    return np.exp(_log_cls(tested, np.broadcast_to(np.asarray(mu, float), len(model))))


def _log_cls(tested: _Tested, mu: NDArray) -> NDArray:
    return log_cls(np.sqrt(_statistic(tested, mu)), np.sqrt(_asimov_statistic(tested, mu)))


def log_cls(root: NDArray, median: NDArray) -> NDArray:
    r"""Return the logarithm of CLs from square roots of test statistics :math:`\tilde q_\mu`.

    Args:
        root: Those of the data.
        median: Those of the background-only Asimov data, same shape.

    References:
        https://arxiv.org/abs/1007.1727, equations 64 to 66
    """
    beyond = (root**2 - median**2) / (2 * np.where(median > 0, median, 1.0))
    distance = np.where(root <= median, root - median, beyond)
    return norm.logsf(distance + median) - norm.logsf(distance)


def upper_limits(model: BinnedModel, data: Observations, *, confidence: float = 0.95) -> Limits:
    r"""Return CLs upper limits on the signal strength, with their expected bands.

    Brackets widen by themselves until they hold the limit. The expected limit at a fluctuation
    of :math:`N` standard deviations is where the median test statistic of background-only data
    reaches :math:`[N + \Phi^{-1}(1 - \alpha \Phi(N))]^2`; as in pyhf these data have the
    nuisances that fit the observed ones best without signal.

    Args:
        model: Models.
        data: A data set for each.
        confidence: Confidence level.

    References:
        https://arxiv.org/abs/1007.1727, equation 89
    """
    alpha = 1 - confidence
    tested = _prepare(model, data)
    rows = np.flatnonzero(tested.free.good & np.isfinite(tested.reference))
    observed = np.full(len(model), np.nan)
    expected = np.full((len(model), len(BANDS)), np.nan)
    if len(rows):
        some = tested.rows(rows)
        width = fit(some.model, some.asimov).uncertainty
        observed[rows] = _observed_limits(some, width, alpha)
        expected[rows] = _expected_limits(some, width, alpha)
    found = np.isfinite(observed) & np.isfinite(expected).all(axis=1)
    status = [CONVERGED if one else NO_LIMIT for one in found]
    for row in np.flatnonzero(~tested.free.good):
        status[row] = tested.free.status[row]
    return Limits(observed, expected, status)


def _observed_limits(tested: _Tested, width: NDArray, alpha: float) -> NDArray:
    """Return where CLs falls to ``alpha``, shape ``(n_models,)``."""

    def exclusion(mu: NDArray, row: NDArray) -> NDArray:
        return np.log(alpha) - _log_cls(tested.rows(row.astype(int)), mu)

    guess = np.maximum(tested.free.mu, 0) + 2 * width
    return _find_roots(exclusion, guess, np.arange(len(guess)))


def _expected_limits(tested: _Tested, width: NDArray, alpha: float) -> NDArray:
    """Return the expected limits, shape ``(n_models, 5)``."""
    target = BANDS + norm.ppf(1 - alpha * norm.cdf(BANDS))
    row, band = np.indices((len(width), len(BANDS)))

    def excess(mu: NDArray, row: NDArray, band: NDArray) -> NDArray:
        median = _asimov_statistic(tested.rows(row.astype(int)), mu)
        return np.sqrt(median) - target[band.astype(int)]

    guess = width[:, None] * target
    return _find_roots(excess, guess.ravel(), row.ravel(), band.ravel()).reshape(guess.shape)


def _find_roots(function: Callable[..., NDArray], guess: NDArray, *indices: NDArray) -> NDArray:
    """Return where a rising function of a positive number crosses 0, or NaN where it does not.

    Args:
        function: Function of numbers and of the indices that belong to them.
        guess: Where to start, positive, shape ``(n,)``.
        indices: Passed on to the function, shape ``(n,)`` each.
    """
    arguments = tuple(part.astype(float) for part in indices)
    low, high = 0.7 * guess, 1.3 * guess
    bracket = elementwise.bracket_root(
        function, low, high, xmin=0.0 * guess, args=arguments, maxiter=MAX_WIDENINGS
    )
    precision = {"xrtol": LIMIT_TOLERANCE, "xatol": 0.0, "frtol": 0.0, "fatol": 0.0}
    found = elementwise.find_root(function, bracket.bracket, args=arguments, tolerances=precision)
    return np.where(bracket.success & found.success, found.x, np.nan)
