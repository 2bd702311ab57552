r"""Hunt bumps over a background function that is fitted to the same histogram.

References:
    Cowan, Cranmer, Gross, Vitells (2011), profile likelihood, https://arxiv.org/abs/1007.1727
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bumpflow.hunts.background_fit import (
    CONVERGED,
    DEGREES,
    MAX_EXPONENT,
    MIN_MEAN,
    X_RANGE,
    BackgroundFit,
    Minimum,
    Name,
    expected,
    fit_background,
    minimise,
)

MIN_INFORMATION = 1e-6
"""Share of a signal's information below which the background function can imitate it."""
MAX_STEPS = 50
TOLERANCE = 1e-4


class ParametricHunt(NamedTuple):
    """Bump that stands out most from a fitted background; NaN is what a failed fit lacks.

    Attributes:
        background: Expected counts of the fit without signal, shape ``(n_bins,)``.
        z: Signed significance of a bump at each bin as :func:`profiled_significance`
            gives it, the largest of all widths, shape ``(n_bins,)``.
        z_max: Signed root of the profile likelihood ratio for the best bump, from a fit of
            signal and background.
        bin: Its bin; -1 where the background fit failed.
        width: Its standard deviation [bins].
        mu: Its fitted number of events.
        mu_uncertainty: Standard deviation of that.
        status: ``converged`` or ``failed: <why>``.
        chi2: Of the fit without signal.
        n_dof: Its degrees of freedom.
        function: Which function was fitted.
    """

    background: NDArray
    z: NDArray
    z_max: float
    bin: int
    width: float
    mu: float
    mu_uncertainty: float
    status: str
    chi2: float
    n_dof: int
    function: str


class _Paths(NamedTuple):
    """How the expectation changes with the strength of a signal at each bin.

    Attributes:
        signal: Templates, shape ``(n_bins, n_bins)``, the signal's bin first.
        fall: By which the background's logarithm falls per signal event, same shape.
        score: Slope of ln L without signal, shape ``(n_bins,)``.
        information: On the strength, with the background profiled out, shape ``(n_bins,)``.
    """

    signal: NDArray
    fall: NDArray
    score: NDArray
    information: NDArray


def templates(n_bins: int, width: float) -> NDArray:
    """Return the counts of one signal event at each bin, cut off at the histogram's ends.

    Args:
        n_bins: Number of bins.
        width: Standard deviation of the Gaussian [bins].

    Returns:
        Integrals over the bins, shape ``(n_bins, n_bins)``, the signal's bin first.
    """
    import torch

    from bumpflow.hunts.spectra import gaussian_counts

    centers = torch.arange(n_bins, dtype=torch.float64) + 0.5
    return gaussian_counts(centers, torch.full_like(centers, width), n_bins=n_bins).numpy()


def profiled_significance(values: NDArray, fit: BackgroundFit, *, width: float) -> NDArray:
    r"""Return the significance of a bump at every bin, with the background's fit profiled out.

    The background's parameters follow the signal strength :math:`\mu` as they do to first order,
    :math:`\theta(\mu) = \hat\theta_0 - \mu I_{\theta\theta}^{-1} I_{\theta s}`, and z is the root
    of twice the rise of ln L to its maximum on that path: never more than the profile likelihood
    ratio has, and equal to it as far as the parameters follow linearly. Deficits get the score
    test's negative significance :math:`U / \sqrt V`, with U the slope of ln L and V the
    information on the signal that its projection on the background's derivatives leaves.

    The score test alone would not do: an event where 0.0001 are expected has :math:`z = 100`.

    Args:
        values: Counts, shape ``(n_bins,)``.
        fit: Background fitted to them.
        width: Standard deviation of the signal [bins].

    Returns:
        Signed significances, shape ``(n_bins,)``; 0 where the function can imitate the signal.
    """
    return _significance(np.asarray(values, float), fit, _paths(values, fit, width))[0]


def _paths(values: NDArray, fit: BackgroundFit, width: float) -> _Paths:
    """Project the signals at all bins on the derivatives of the background."""
    root = np.sqrt(np.maximum(fit.background, MIN_MEAN))
    shares = templates(len(root), width)
    signal = shares / root
    directions = np.linalg.qr(fit.jacobian / root[:, None]).Q
    imitated = (signal @ directions) @ directions.T
    left = signal - imitated
    information = np.sum(left**2, axis=1)
    known = information > MIN_INFORMATION * np.sum(signal**2, axis=1)
    return _Paths(
        shares,
        imitated / root,
        left @ ((values - fit.background) / root),
        np.where(known, information, np.inf),
    )


def _significance(counts: NDArray, fit: BackgroundFit, paths: _Paths) -> tuple[NDArray, NDArray]:
    """Return significances and strengths, shape ``(n_bins,)`` each."""
    z, mu = paths.score / np.sqrt(paths.information), paths.score / paths.information
    up = mu > 0
    signal, fall, strength = paths.signal[up], paths.fall[up], mu[up]
    b = np.maximum(fit.background, MIN_MEAN)
    for _ in range(MAX_STEPS):
        faded = b * np.exp(np.clip(-strength[:, None] * fall, -MAX_EXPONENT, MAX_EXPONENT))
        mean = faded + strength[:, None] * signal
        slope, excess = signal - fall * faded, counts / mean - 1
        score = np.sum(excess * slope, axis=1)
        curvature = np.sum(counts * (slope / mean) ** 2 - excess * fall**2 * faded, axis=1)
        fisher = np.sum(slope**2 / mean, axis=1)
        step = score / np.where(curvature > 0.1 * fisher, curvature, fisher)
        former, strength = strength, np.clip(strength + step, strength / 3, 3 * strength)
        if np.all(np.abs(strength - former) <= TOLERANCE * former):
            break
    gain = np.sum(counts * np.log(mean / b) - mean + b, axis=1)
    z[up], mu[up] = np.sqrt(2 * np.maximum(gain, 0.0)), strength
    return z, mu


def hunt(
    values: NDArray,
    *,
    name: Name,
    widths: Sequence[float],
    edges: NDArray | None = None,
    x_range: tuple[float, float] = X_RANGE,
    degrees: Sequence[int] = DEGREES,
) -> ParametricHunt:
    """Fit a background and find the bump that stands out most from it.

    Args:
        values: Counts, shape ``(n_bins,)``.
        name: As for :func:`fit_background`.
        widths: Standard deviations of the signal to try [bins].
        edges: As for :func:`fit_background`.
        x_range: As for :func:`fit_background`.
        degrees: As for :func:`fit_background`.
    """
    counts = np.asarray(values, float)
    fit = fit_background(counts, name=name, edges=edges, x_range=x_range, degrees=degrees)
    if fit.status != CONVERGED:
        return _failed(fit)
    found_at = [_significance(counts, fit, _paths(counts, fit, width)) for width in widths]
    z, strength = np.moveaxis(np.array(found_at), 1, 0)
    row, best = map(int, np.unravel_index(np.argmax(z), z.shape))
    signal = templates(len(counts), widths[row])[best]
    found = _fit_signal(counts, fit, signal, mu=float(strength[row, best]))
    mu, gain = float(found.parameters[-1]), fit.chi2 - found.deviance
    return ParametricHunt(
        background=fit.background,
        z=z.max(axis=0),
        z_max=float(np.sign(mu) * np.sqrt(np.maximum(gain, 0.0))),
        bin=best,
        width=float(widths[row]),
        mu=mu,
        mu_uncertainty=float(np.sqrt(found.covariance[-1, -1])),
        status=found.status if found.status == CONVERGED else f"{found.status} (with signal)",
        chi2=fit.chi2,
        n_dof=fit.n_dof,
        function=fit.function.name,
    )


def _failed(fit: BackgroundFit) -> ParametricHunt:
    """Return what there is to say where the background fit failed."""
    lacking = np.full(len(fit.background), np.nan)
    return ParametricHunt(
        background=lacking,
        z=lacking,
        z_max=np.nan,
        bin=-1,
        width=np.nan,
        mu=np.nan,
        mu_uncertainty=np.nan,
        status=f"{fit.status} (without signal)",
        chi2=fit.chi2,
        n_dof=fit.n_dof,
        function=fit.function.name,
    )


def _fit_signal(counts: NDArray, fit: BackgroundFit, signal: NDArray, *, mu: float) -> Minimum:
    """Fit background and signal strength, which is the last parameter, near the former fit.

    Minuit gets parameters of unit covariance: distances from the former fit, in its errors.
    """
    weighted = (
        np.column_stack([fit.jacobian, signal])
        / np.sqrt(np.maximum(fit.background, MIN_MEAN))[:, None]
    )
    back = np.linalg.inv(np.linalg.qr(weighted).R)
    origin = np.append(fit.parameters, 0.0)

    def model(phi: NDArray) -> tuple[NDArray, NDArray]:
        theta = origin + back @ phi
        background, jacobian = expected(fit.function, theta[:-1])
        jacobian = np.column_stack([jacobian, signal]) @ back
        return background + theta[-1] * signal, jacobian

    full = np.zeros(len(origin))
    full[-1] = mu / back[-1, -1]
    found = minimise(counts, model, [full, 0.5 * full, np.zeros_like(full)])
    parameters, covariance = origin + back @ found.parameters, back @ found.covariance @ back.T
    return found._replace(parameters=parameters, covariance=covariance)
