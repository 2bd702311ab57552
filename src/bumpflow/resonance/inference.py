r"""Significance, limits and intervals of a resonance's signal.

References:
    Cowan, Cranmer, Gross, Vitells (2010), https://arxiv.org/abs/1007.1727;
    Feldman, Cousins (1997), https://arxiv.org/abs/physics/9711021
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from bumpflow.resonance.fitting import Fits, crossing, fit, profile
from bumpflow.resonance.likelihood import DataSets, Events, ResonanceModel
from bumpflow.resonance.toys import Density, Layout, Pool, sideband_bins
from bumpflow.stats.asymptotics import BANDS, log_cls
from bumpflow.stats.toys import Measured

Draw = Callable[[float, int], DataSets]
"""Function that draws toys with an expected signal [events], and as many as the number says."""


class Excess(NamedTuple):
    """Test of the background-only hypothesis.

    Attributes:
        z: Significance [standard deviations] of an excess; 0 for a deficit.
        p0: Its p-value.
    """

    z: float
    p0: float


class Limit(NamedTuple):
    """Upper limit on the signal [events], and its expected values without signal.

    Attributes:
        observed: Observed limit.
        expected: Limits at background fluctuations of -2 to 2 standard deviations.
    """

    observed: float
    expected: NDArray[np.float64]


def q_zero(model: ResonanceModel, data: DataSets, free: Fits | None = None) -> NDArray[np.float64]:
    r"""Return :math:`q_0` of each data set: 0 where the fitted signal is negative.

    Args:
        model: Likelihood.
        data: Data sets.
        free: Their fits with free signal, if known.
    """
    best = fit(model, data) if free is None else free
    start = torch.where(best.good[:, None], best.values, model.start(data))
    null = fit(model, data, held={"signal": 0.0}, start=start)
    q = (null.deviance - best.deviance).clamp_min(0).cpu().numpy()
    return np.where(best.signal > 0, q, np.where(np.isfinite(q), 0.0, np.nan))


def discover(model: ResonanceModel, data: DataSets, free: Fits) -> Excess:
    """Return the asymptotic significance of one data set's excess."""
    z = float(np.sqrt(q_zero(model, data, free)[0]))
    return Excess(z, float(norm.sf(z)))


def asimov(
    pools: list[Pool],
    yields: list[float],
    *,
    layout: Layout,
    peak: Density,
    others: tuple[Density, ...] = (),
) -> DataSets:
    """Return the data set that is as expected: all events of the pools, with weights.

    Args:
        pools: Events of each component.
        yields: Expected events of each component.
        layout: Bins beside the signal region.
        peak: Signal's density in mass [1/GeV].
        others: Those of further components.
    """
    pairs = list(zip(pools, yields, strict=True))
    events = Events(*(torch.cat(parts) for parts in zip(*(p.events for p in pools), strict=True)))
    weights = [
        torch.full_like(pool.events.mass, rate * pool.share / pool.events.n)
        for pool, rate in pairs
    ]
    beside = torch.as_tensor(sum(rate * pool.sidebands for pool, rate in pairs))[None]
    sidebands = sideband_bins(layout, beside, peak=peak, others=others)
    return DataSets.of(events.batched(), torch.cat(weights)[None], sidebands)


def upper_limit(
    model: ResonanceModel,
    data: DataSets,
    background_only: DataSets,
    *,
    confidence: float = 0.95,
) -> Limit:
    r"""Return the CLs upper limit from asymptotic formulae with :math:`\tilde q`.

    Args:
        model: Likelihood.
        data: One data set.
        background_only: Its Asimov data set without signal, see :func:`asimov`.
        confidence: Confidence level.
    """
    alpha = 1 - confidence
    free, median = fit(model, data), fit(model, background_only)
    null = fit(model, data, held={"signal": 0.0})
    best = free if free.signal[0] > 0 else null
    width = float(median.uncertainty[0])

    def statistic(s: NDArray) -> NDArray[np.float64]:
        rise = profile(model, data, s, start=best.values) - best.deviance.item()
        return np.where(s < free.signal[0], 0.0, np.maximum(rise, 0))

    def asimov_statistic(s: NDArray) -> NDArray[np.float64]:
        # Its best signal, 0 but for the finite number of events behind it, is taken for 0.
        rise = profile(model, background_only, s + median.signal[0], start=median.values)
        return np.maximum(rise - median.deviance.item(), 0)

    def exclusion(s: NDArray) -> NDArray[np.float64]:
        return np.log(alpha) - log_cls(np.sqrt(statistic(s)), np.sqrt(asimov_statistic(s)))

    target = BANDS + norm.ppf(1 - alpha * norm.cdf(BANDS))

    def expected(reached: float) -> float:
        def excess(s: NDArray) -> NDArray[np.float64]:
            return np.sqrt(asimov_statistic(s)) - reached

        return crossing(excess, 0.0, reached * width)

    observed = crossing(exclusion, max(best.signal[0], 0.0), 2 * width)
    return Limit(observed, np.array([expected(value) for value in target]))


def toy_p_value(observed: float, toys: NDArray) -> Measured:
    """Return the share of toys with at least the observed statistic, counting the data as one.

    Args:
        observed: Statistic of the data.
        toys: Those of toys, shape ``(n_toys,)``; failed ones are NaN and count as above.
    """
    above = np.count_nonzero(~(toys < observed))
    p = (above + 1) / (len(toys) + 1)
    return Measured(float(p), float(np.sqrt(p * (1 - p) / len(toys))))


class Belt(NamedTuple):
    """Acceptance of signals by toys, shape ``(n_signals,)`` each.

    Attributes:
        signal: Tested signals [events].
        statistic: Twice the rise of -ln L from the best signal of 0 or more.
        critical: Its quantile over toys with that signal.
        p: Share of toys with at least the data's statistic.
    """

    signal: NDArray[np.float64]
    statistic: NDArray[np.float64]
    critical: NDArray[np.float64]
    p: NDArray[np.float64]

    def interval(self) -> tuple[float | None, float | None]:
        """Return the ends of the range of accepted signals [events], between the tested ones.

        An end is none where the accepted signals reach the last one that was tested; but 0, below
        which there is none, is an end.
        """
        excess = np.sqrt(self.statistic) - np.sqrt(self.critical)  # nearly straight lines
        inside = np.flatnonzero(excess <= 0)
        if len(inside) == 0:
            return None, None
        return self._end(excess, inside[0], -1), self._end(excess, inside[-1], 1)

    def _end(self, excess: NDArray, inner: int, direction: int) -> float | None:
        """Return where the excess over the critical value crosses 0 beyond an accepted signal."""
        outer = inner + direction
        if not 0 <= outer < len(excess):
            return 0.0 if direction < 0 and self.signal[inner] == 0 else None
        share = -excess[inner] / (excess[outer] - excess[inner])
        return float(self.signal[inner] + share * (self.signal[outer] - self.signal[inner]))


def feldman_cousins(
    model: ResonanceModel,
    data: DataSets,
    draw: Draw,
    signals: ArrayLike,
    *,
    n_toys: int,
    confidence: float = 0.68,
) -> Belt:
    """Order toys by their likelihood ratio, with the best signal not negative.

    Args:
        model: Likelihood.
        data: One data set.
        draw: Draws toys with a signal.
        signals: Signals to test, 0 or more, ascending [events], shape ``(n,)``.
        n_toys: Toys of each.
        confidence: Confidence level.
    """
    tested = np.asarray(signals, float)
    statistic = np.array([_ordering(model, data, s)[0] for s in tested])
    critical, p = np.empty(len(tested)), np.empty(len(tested))
    for index, s in enumerate(tested):
        toys = _ordering(model, draw(float(s), n_toys), s)
        critical[index] = np.nanquantile(toys, confidence)
        p[index] = toy_p_value(statistic[index], toys).value
    return Belt(tested, statistic, critical, p)


def _ordering(model: ResonanceModel, data: DataSets, signal: float) -> NDArray[np.float64]:
    """Return the rise of -2 ln L from the best signal of 0 or more, shape ``(n_sets,)``."""
    free = fit(model, data)
    start = torch.where(free.good[:, None], free.values, model.start(data))
    held = fit(model, data, held={"signal": signal}, start=start)
    null = fit(model, data, held={"signal": 0.0}, start=start)
    best = torch.where(free.values[:, 0] >= 0, free.deviance, null.deviance)
    return (held.deviance - best).clamp_min(0).cpu().numpy()
