r"""Fit a peak to simulated events, unbinned, by the minimum of :math:`-2 \ln L`.

References:
    Langenbruch (2022), https://arxiv.org/abs/1911.01303, errors of weighted fits
"""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from iminuit import Minuit
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import block_diag

from bumpflow.resonance.goodness import N_GRID, goodness_of_fit
from bumpflow.resonance.shapes import DoubleCrystalBall, Window

log = logging.getLogger(__name__)

MIN_EVENTS = 100
"""Least effective number of events that a peak is fitted to."""
MIN_SCALE, BETA_LIMITS, POWER_LIMITS = 1e-6, (0.3, 6.0), (1.01, 100.0)
"""Where a peak's parameters may be: widths as parts of the window, tails as they are."""
TAILS = ((1.5, 5.0), (2.5, 2.5), (1.0, 20.0))
"""Beginnings and exponents of tails to start from, until a fit converges."""
STEP = 1e-4
"""Of numerical derivatives, relative to the parameters."""


class PeakFit(NamedTuple):
    """Peak fitted to simulated events.

    Attributes:
        peak: Fitted shape.
        covariance: Of its seven parameters in their order, shape ``(7, 7)``; 0 for held ones.
        p_value: Goodness of fit.
        n: Events inside the window.
        n_effective: Squared sum of their weights over the sum of squares.
        valid: Whether the fit converged.
        held: Parameters that the fit had driven to a limit, and held there.
    """

    peak: DoubleCrystalBall
    covariance: NDArray
    p_value: float
    n: int
    n_effective: float
    valid: bool
    held: tuple[str, ...]

    @property
    def errors(self) -> DoubleCrystalBall:
        """Standard deviations of the parameters."""
        return DoubleCrystalBall(*np.sqrt(np.diag(self.covariance)).tolist())


def fit_peak(mass: ArrayLike, window: Window, weights: ArrayLike | None = None) -> PeakFit:
    """Fit a peak to simulated events of a window, on which its density is normalised.

    Errors are those of a weighted likelihood, from the scatter of its slopes. The curvature is
    the sum of squared slopes, as the second derivatives jump where a tail begins.

    Args:
        mass: Resonance variable [GeV], shape ``(n_events,)``; events outside are left out.
        window: Range of the fit.
        weights: Weights of the events; 1 by default. Their scale does not matter.

    Raises:
        ValueError: If there are too few events, or they have no width.
    """
    m, w = _checked(mass, window, weights)
    minuit = _minimise_peak(m, w, window)
    names = DoubleCrystalBall._fields
    values = np.array(minuit.values)
    free = ~np.array(minuit.fixed)

    def log_density(at: NDArray, parameters: NDArray) -> NDArray:
        return np.log(DoubleCrystalBall(*parameters).density(at, window))

    slopes = _slopes(log_density, values, free)
    scores = slopes(m)
    inverse = np.linalg.pinv(scores.T @ (w[:, None] * scores), hermitian=True)
    covariance = np.zeros((len(names), len(names)))
    scatter = scores.T @ (np.square(w)[:, None] * scores)
    covariance[np.ix_(free, free)] = inverse @ scatter @ inverse
    peak = DoubleCrystalBall(*values.tolist())
    grid = np.linspace(*window, N_GRID)
    density = w.sum() * peak.density(grid, window)
    p_value = goodness_of_fit(
        m,
        w,
        scores=np.column_stack([np.ones_like(m), scores]),  # the first is of the yield's logarithm
        inverse=block_diag(1 / w.sum(), inverse),
        grid=grid,
        density=density,
        slopes=density[:, None] * np.column_stack([np.ones_like(grid), slopes(grid)]),
    )
    return PeakFit(
        peak=peak,
        covariance=covariance,
        p_value=p_value,
        n=len(m),
        n_effective=float(w.sum() ** 2 / np.square(w).sum()),
        valid=bool(minuit.valid),
        held=tuple(name for name, is_free in zip(names, free, strict=True) if not is_free),
    )


def _checked(
    mass: ArrayLike, window: Window, weights: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return masses inside the window and their weights, or refuse them."""
    m = np.asarray(mass, float)
    w = np.ones_like(m) if weights is None else np.asarray(weights, float)
    if m.ndim != 1 or m.shape != w.shape:
        msg = f"masses of shape {m.shape} with weights of shape {w.shape}: give one of each event"
        raise ValueError(msg)
    if len(bad := np.flatnonzero(~np.isfinite(m) | ~np.isfinite(w))):
        msg = (
            f"event {bad[0]} (from 0) has mass {m[bad[0]]:g} and weight {w[bad[0]]:g}: correct or"
            " remove it"
        )
        raise ValueError(msg)
    inside = window.holds(m)
    m, w = m[inside], w[inside]
    effective = w.sum() ** 2 / np.square(w).sum() if w.any() else 0.0
    if effective < MIN_EVENTS or w.sum() <= 0:
        msg = (
            f"{len(m)} of {len(inside)} events are within {window.low:g} to {window.high:g} GeV and"
            f" are worth {effective:.1f} of equal weight, but a peak needs {MIN_EVENTS}: generate"
            " more or change the window"
        )
        raise ValueError(msg)
    return m, w


def _minimise_peak(m: NDArray, w: NDArray, window: Window) -> Minuit:
    """Return Minuit at the minimum, with parameters at limits held there."""
    low, middle, high = _quantiles(m, w, (0.16, 0.5, 0.84))
    least = MIN_SCALE * (window.high - window.low)
    if not min(middle - low, high - middle) > least:
        msg = (
            f"16, 50 and 84 % of {len(m)} events lie below {low:.6g}, {middle:.6g} and {high:.6g}"
            " GeV, which is no peak with a width: look at the mass"
        )
        raise ValueError(msg)
    scaled = w * (w.sum() / np.square(w).sum())  # so that one unit of -2 ln L is about one sigma

    def deviance(parameters: NDArray) -> float:
        density = DoubleCrystalBall(*parameters).density(m, window)
        return float(-2 * scaled @ np.log(np.maximum(density, 1e-300)))

    sides = ((least, None), BETA_LIMITS, POWER_LIMITS)
    for beta, power in TAILS:
        start = (middle, middle - low, beta, power, high - middle, beta, power)
        minuit = Minuit(deviance, start, name=DoubleCrystalBall._fields)
        minuit.errordef = Minuit.LEAST_SQUARES  # the function is -2 ln L
        minuit.limits = [window, *sides, *sides]
        minuit.migrad()
        while minuit.valid and _hold(minuit, m):
            minuit.migrad()
        if minuit.valid:
            break
    return minuit


def _hold(minuit: Minuit, m: NDArray) -> bool:
    """Hold tails at their limits, and those that no event is in; return whether any is new."""
    before = sum(minuit.fixed)
    for side, sign in (("left", -1), ("right", 1)):
        beta, power = f"beta_{side}", f"power_{side}"
        for name, limits in ((beta, BETA_LIMITS), (power, POWER_LIMITS)):
            for end in limits:
                if abs(minuit.values[name] - end) < 1e-2 * end:
                    minuit.values[name] = end
                    minuit.fixed[name] = True
        t = sign * (m - minuit.values["location"]) / minuit.values[f"scale_{side}"]
        if t.max() < minuit.values[beta]:
            minuit.fixed[beta] = minuit.fixed[power] = True
    return sum(minuit.fixed) > before


def _quantiles(m: NDArray, w: NDArray, shares: Sequence[float]) -> NDArray[np.float64]:
    """Return weighted quantiles of masses [GeV]."""
    order = np.argsort(m)
    below = np.cumsum(w[order]) / w.sum()
    return m[order][np.searchsorted(below, shares).clip(0, len(m) - 1)]


def _slopes(
    log_density: Callable[[NDArray, NDArray], NDArray],
    values: NDArray,
    free: NDArray,
) -> Callable[[NDArray], NDArray]:
    """Return a function of masses that gives the slopes in free parameters, ``(n, n_free)``."""
    sizes = np.array(DoubleCrystalBall(*values)._replace(location=values[1] + values[4]))
    shifts = np.diag(STEP * sizes)[free]

    def slopes(at: NDArray) -> NDArray:
        """Return slopes of the log density in the free parameters."""
        return np.stack(
            [
                (log_density(at, values + shift) - log_density(at, values - shift))
                / (2 * shift.sum())
                for shift in shifts
            ],
            axis=-1,
        )

    return slopes
