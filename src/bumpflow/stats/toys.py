r"""Pseudo-experiments: pulls, coverage, and limits that need no asymptotic formula.

References:
    Cowan, Cranmer, Gross, Vitells (2010), https://arxiv.org/abs/1007.1727
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm

from bumpflow.stats.asymptotics import test_statistic
from bumpflow.stats.fit import FitFailed, fit
from bumpflow.stats.model import BinnedModel, Observations

ONE_SIGMA = float(norm.cdf(1) - norm.cdf(-1))


class Toys(NamedTuple):
    """Fits of pseudo-experiments, shape ``(n_toys,)`` each; those that failed hold NaN.

    Attributes:
        pull: (fitted - true signal strength) / fitted uncertainty.
        distance: Twice the fall of -ln L from the true signal strength to the fitted one.
        uncertainty: Fitted uncertainty of the signal strength.
    """

    pull: NDArray
    distance: NDArray
    uncertainty: NDArray


class Measured(NamedTuple):
    """A number and its standard deviation."""

    value: float
    uncertainty: float


class Summary(NamedTuple):
    """What pseudo-experiments say about intervals of the signal strength.

    Attributes:
        pull_mean: Mean pull.
        pull_width: Standard deviation of the pulls.
        coverage68: Share of 68.3 % intervals that hold the truth.
        coverage95: Share of 95 % intervals that hold it.
        n_toys: Pseudo-experiments whose fit converged.
        n_failed: Others.
    """

    pull_mean: Measured
    pull_width: Measured
    coverage68: Measured
    coverage95: Measured
    n_toys: int
    n_failed: int


def fit_toys(model: BinnedModel, data: Observations, *, mu: float) -> Toys:
    """Fit pseudo-experiments that were drawn at signal strength ``mu``."""
    free, truth = fit(model, data), fit(model, data, mu=mu)
    distance = np.maximum(2 * (truth.half_deviance - free.half_deviance), 0.0)
    return Toys((free.mu - mu) / free.uncertainty, distance, free.uncertainty)


def summarise_toys(toys: Toys, *, groups: NDArray | None = None) -> Summary:
    r"""Return mean and width of the pulls and the coverage of likelihood intervals.

    An interval of probability :math:`p` holds the truth if the profile likelihood falls from it
    by less than the quantile of :math:`\chi^2_1`.

    Args:
        toys: Fits of pseudo-experiments.
        groups: Which toys share a template, shape ``(n_toys,)``; uncertainties then come from
            the spread between groups, since toys of one group are not independent.

    Raises:
        FitFailed: If fewer than 2 fits converged.
    """
    good = np.isfinite(toys.pull) & np.isfinite(toys.distance)
    if np.count_nonzero(good) < 2:
        msg = f"{np.count_nonzero(good)} of {len(good)} toy fits converged: at least 2 are needed"
        raise FitFailed(msg)
    pull, distance = toys.pull[good], toys.distance[good]
    labels = np.arange(len(pull)) if groups is None else groups[good]
    width = float(pull.std(ddof=1))
    spread = (pull - pull.mean()) ** 2 / (2 * width)  # its mean's error is that of the width
    return Summary(
        pull_mean=_mean(pull, labels),
        pull_width=Measured(width, _mean(spread, labels).uncertainty),
        coverage68=_mean(distance < chi2.ppf(ONE_SIGMA, df=1), labels),
        coverage95=_mean(distance < chi2.ppf(0.95, df=1), labels),
        n_toys=len(pull),
        n_failed=len(good) - len(pull),
    )


def _mean(values: NDArray, groups: NDArray) -> Measured:
    """Return a mean, with the error that independent groups of values give it."""
    _, index = np.unique(groups, return_inverse=True)
    sums = np.bincount(index, weights=values - np.mean(values))
    n_groups = len(sums)
    factor = n_groups / (n_groups - 1) if n_groups > 1 else np.nan
    error = np.sqrt(factor * np.sum(sums**2)) / len(values)
    return Measured(float(np.mean(values)), float(error))


def toy_confidence_level(
    model: BinnedModel,
    data: Observations,
    *,
    mu: float,
    n_toys: int,
    rng: np.random.Generator,
) -> Measured:
    r"""Return CLs of one signal strength from pseudo-experiments, as a check of the formulae.

    Counts and auxiliary measurements are drawn with and without signal, at the nuisances that
    fit the observed data best under each hypothesis.

    Args:
        model: A batch of one model.
        data: Its data.
        mu: Signal strength to test.
        n_toys: Pseudo-experiments for each hypothesis.
        rng: Source of the pseudo-experiments.

    References:
        Read (2002), https://doi.org/10.1088/0954-3899/28/10/313
    """
    observed = test_statistic(model, data, mu)[0]
    many = model[np.zeros(n_toys, dtype=int)]
    shares = []
    for strength in (mu, 0.0):
        at = fit(model, data, mu=strength).at
        toys = many.draw(type(at)(*(part[np.zeros(n_toys, int)] for part in at)), rng)
        q = test_statistic(many, toys, mu)
        q = q[np.isfinite(q)]
        shares.append((np.mean(q >= observed - 1e-9), len(q)))
    (splusb, n_splusb), (b, n_b) = shares
    cls = splusb / b
    relative = (1 - splusb) / splusb / n_splusb + (1 - b) / b / n_b
    return Measured(float(cls), float(cls * np.sqrt(relative)))
