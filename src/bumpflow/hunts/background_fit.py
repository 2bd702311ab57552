r"""Background functions of a mass histogram, and their fits by extended Poisson likelihood.

The logarithms of both functions are linear in the parameters, so that means, derivatives and good
starting values are one matrix product each. Functions are integrated over the bins.

References:
    ATLAS (2020), dijet function, https://arxiv.org/abs/1910.08447
    Baker, Cousins (1984), chi2 of counts, https://doi.org/10.1016/0167-5087(84)90016-4
    Dembinski et al. (2020), iminuit, https://doi.org/10.5281/zenodo.3949207
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

CONVERGED = "converged"
DEGREES = (1, 2, 3, 4, 5)
X_RANGE = (0.1, 0.9)
"""Where a histogram without a physical axis lies in the dijet function's x."""
MAX_EXPONENT = 200.0
"""Bound of a background's logarithm, so that wild steps of a fit stay finite."""
MIN_MEAN = 1e-90
NODES, SHARES = np.polynomial.legendre.leggauss(3)

Name = Literal["dijet", "exppoly"]
Model = Callable[[NDArray], tuple[NDArray, NDArray]]
"""Gives expected counts, shape ``(n_bins,)``, and their derivatives by the parameters."""


class BackgroundFunction(NamedTuple):
    """Function whose logarithm is a sum of parameters times known functions.

    Attributes:
        name: ``dijet`` or ``exppoly<degree>``.
        basis: The known functions at the nodes inside the bins, shape
            ``(n_bins, n_nodes, n_parameters)``; the first is 1.
        shares: Lengths that the nodes stand for, shape ``(n_bins, n_nodes)``; a bin's sum to its
            width.
    """

    name: str
    basis: NDArray
    shares: NDArray


class BackgroundFit(NamedTuple):
    """Background function fitted to a histogram; of a failed fit all numbers are NaN.

    Attributes:
        function: What was fitted.
        parameters: Fitted values, shape ``(n_parameters,)``: ln p0, p1, p2, p3, or the
            polynomial's coefficients by ascending power.
        covariance: Their covariance, shape ``(n_parameters, n_parameters)``.
        background: Expected counts, shape ``(n_bins,)``.
        jacobian: Their derivatives, shape ``(n_bins, n_parameters)``.
        chi2: Twice the fall of ln L from a model that equals the counts.
        n_dof: Number of bins less that of parameters.
        status: ``converged`` or ``failed: <why>``.
    """

    function: BackgroundFunction
    parameters: NDArray
    covariance: NDArray
    background: NDArray
    jacobian: NDArray
    chi2: float
    n_dof: int
    status: str


class Minimum(NamedTuple):
    """What minuit found; of a failed fit all numbers are NaN.

    Attributes:
        parameters: Shape ``(n_parameters,)``.
        covariance: Shape ``(n_parameters, n_parameters)``.
        deviance: Twice the fall of ln L from a model that equals the counts.
        status: ``converged`` or ``failed: <why>``.
    """

    parameters: NDArray
    covariance: NDArray
    deviance: float
    status: str


def x_range_of(edges: NDArray, *, sqrt_s: float) -> tuple[float, float]:
    """Return where a mass axis lies in the dijet function's x, which is mass over ``sqrt_s``.

    Args:
        edges: Edges of the bins [GeV], shape ``(n_bins + 1,)``.
        sqrt_s: Collision energy [GeV].
    """
    return float(edges[0] / sqrt_s), float(edges[-1] / sqrt_s)


def dijet(
    n_bins: int, *, edges: NDArray | None = None, x_range: tuple[float, float] = X_RANGE
) -> BackgroundFunction:
    r"""Return :math:`p_0 (1-x)^{p_1} / x^{p_2 + p_3 \ln x}` per unit of the axis.

    Args:
        n_bins: Number of bins.
        edges: Edges of the bins, shape ``(n_bins + 1,)``; by default bins have unit width.
        x_range: Values of x at the axis' ends, between which it is linear; of masses see
            :func:`x_range_of`.

    Raises:
        ValueError: If x leaves the open interval from 0 to 1, or edges do not fit.
    """
    low, high = x_range
    if not 0 < low < high < 1:
        msg = (
            f"x_range is {low:g} to {high:g}, but the dijet function needs x between 0 and 1:"
            " check the edges and the collision energy"
        )
        raise ValueError(msg)
    nodes, shares, ends = _nodes(n_bins, edges)
    x = np.interp(nodes, ends, x_range)
    log_x = np.log(x)
    basis = np.stack([np.ones_like(x), np.log1p(-x), -log_x, -(log_x**2)], axis=-1)
    return BackgroundFunction("dijet", basis, shares)


def exppoly(n_bins: int, *, degree: int, edges: NDArray | None = None) -> BackgroundFunction:
    """Return the exponential of a polynomial in t, which runs from -1 to 1 along the axis.

    Args:
        n_bins: Number of bins.
        degree: Degree of the polynomial.
        edges: As for :func:`dijet`.

    Raises:
        ValueError: If edges do not fit.
    """
    nodes, shares, ends = _nodes(n_bins, edges)
    t = np.interp(nodes, ends, (-1, 1))
    return BackgroundFunction(f"exppoly{degree}", t[..., None] ** np.arange(degree + 1), shares)


def _nodes(n_bins: int, edges: NDArray | None) -> tuple[NDArray, NDArray, NDArray]:
    """Return nodes inside the bins, their shares of the widths, and the axis' ends."""
    edges = np.arange(n_bins + 1.0) if edges is None else np.asarray(edges, float)
    half = 0.5 * np.diff(edges)[:, None]
    if edges.shape != (n_bins + 1,) or not np.all(half > 0):
        msg = f"edges of shape {edges.shape} for {n_bins} bins: give one more, ascending"
        raise ValueError(msg)
    return edges[:-1, None] + half * (1 + NODES), half * SHARES, edges[[0, -1]]


def expected(function: BackgroundFunction, parameters: NDArray) -> tuple[NDArray, NDArray]:
    """Return expected counts, shape ``(n_bins,)``, and their derivatives.

    Args:
        function: A background function.
        parameters: Its parameters, shape ``(n_parameters,)``.
    """
    exponent = np.clip(function.basis @ parameters, -MAX_EXPONENT, MAX_EXPONENT)
    parts = function.shares * np.exp(exponent)
    return parts.sum(axis=1), np.einsum("ik,ikp->ip", parts, function.basis)


def fit_function(values: NDArray, function: BackgroundFunction) -> BackgroundFit:
    r"""Fit one background function by extended Poisson likelihood, with minuit.

    What is minimised is :math:`2 \sum_i b_i - n_i + n_i \ln(n_i / b_i)`, which is -2 ln L but for
    a constant, in parameters whose estimated covariance is the unit matrix. Each start is tried
    until one converges; none is a status, not an exception.

    Args:
        values: Counts, shape ``(n_bins,)``; any non-negative numbers.
        function: What to fit.

    Raises:
        ValueError: If shapes do not fit, a count is negative or not finite, or there are no more
            bins than parameters.
    """
    counts = _checked(values, function)
    scaled, back = _orthonormal(counts, function)

    def model(phi: NDArray) -> tuple[NDArray, NDArray]:
        return expected(scaled, phi)

    found = minimise(counts, model, _starts(counts, scaled, back))
    theta = back @ found.parameters
    background, jacobian = expected(function, theta)
    return BackgroundFit(
        function=function,
        parameters=theta,
        covariance=back @ found.covariance @ back.T,
        background=background,
        jacobian=jacobian,
        chi2=found.deviance,
        n_dof=len(counts) - len(theta),
        status=found.status,
    )


def _checked(values: NDArray, function: BackgroundFunction) -> NDArray:
    """Return counts in double precision, or refuse them."""
    counts = np.asarray(values, float)
    n_bins, _, n_parameters = function.basis.shape
    if counts.shape != (n_bins,) or n_bins <= n_parameters:
        msg = (
            f"{function.name} has {n_parameters} parameters and {n_bins} bins, the counts have"
            f" shape {counts.shape}: give one row of more bins than there are parameters"
        )
        raise ValueError(msg)
    bad = np.flatnonzero(~(counts >= 0) | ~np.isfinite(counts))
    if len(bad):
        msg = (
            f"count {counts[bad[0]]:g} in bin {bad[0]} is negative or not finite: fit raw counts,"
            " with nothing subtracted"
        )
        raise ValueError(msg)
    return counts


def _orthonormal(
    counts: NDArray, function: BackgroundFunction
) -> tuple[BackgroundFunction, NDArray]:
    """Return the function in parameters of unit covariance, and the way back to its own."""
    weighted = np.sqrt(counts + 0.5)[:, None] * function.basis.mean(axis=1)
    back = np.linalg.inv(np.linalg.qr(weighted).R)
    return function._replace(basis=function.basis @ back), back


def _starts(counts: NDArray, scaled: BackgroundFunction, back: NDArray) -> list[NDArray]:
    """Return starting values: least squares of the logarithm, of filled bins, and a constant."""
    density = (counts + 0.5) / scaled.shares.sum(axis=1)
    starts = []
    for weight in (np.sqrt(counts + 0.5), np.sqrt(counts)):
        rows = weight[:, None] * scaled.basis.mean(axis=1)
        starts.append(np.linalg.lstsq(rows, weight * np.log(density))[0])
    level = np.zeros(len(back))
    level[0] = np.log((counts.sum() + 0.5) / scaled.shares.sum())
    return [*starts, np.linalg.solve(back, level)]


def minimise(counts: NDArray, model: Model, starts: Sequence[NDArray]) -> Minimum:
    r"""Minimise the deviance of counts with minuit, from each start until one converges.

    The deviance :math:`2 \sum_i b_i - n_i + n_i \ln(n_i / b_i)` is -2 ln L but for a constant.

    Args:
        counts: Counts, shape ``(n_bins,)``.
        model: What is fitted.
        starts: Starting values, shape ``(n_parameters,)`` each; steps of 1 should suit them.
    """
    from iminuit import Minuit

    def deviance(parameters: NDArray) -> float:
        mean = np.maximum(model(parameters)[0], MIN_MEAN)
        return float(2 * np.sum(mean - counts + xlogy(counts, counts / mean)))

    def gradient(parameters: NDArray) -> NDArray:
        mean, jacobian = model(parameters)
        return 2 * (1 - counts / np.maximum(mean, MIN_MEAN)) @ jacobian

    reason = "all counts are zero"
    for start in starts if counts.any() else ():
        minuit = Minuit(deviance, start, grad=gradient)
        minuit.errordef = Minuit.LEAST_SQUARES
        minuit.migrad()
        if minuit.valid:
            minuit.hesse()
        if minuit.valid and minuit.covariance is not None:
            found = np.array(minuit.values), np.array(minuit.covariance)
            return Minimum(*found, float(minuit.fval or 0.0), CONVERGED)
        reason = _reason(minuit.fmin)
    n = len(starts[0])
    return Minimum(np.full(n, np.nan), np.full((n, n), np.nan), np.nan, f"failed: {reason}")


def _reason(fmin: object) -> str:
    """Return why minuit reports no valid minimum."""
    faults = {
        "has_reached_call_limit": "call limit reached",
        "hesse_failed": "no curvature at the minimum",
        "is_above_max_edm": "distance to the minimum too large",
    }
    found = [words for name, words in faults.items() if getattr(fmin, name, False)]
    return ", ".join(found) or "no valid minimum"


def fit_background(
    values: NDArray,
    *,
    name: Name,
    edges: NDArray | None = None,
    x_range: tuple[float, float] = X_RANGE,
    degrees: Sequence[int] = DEGREES,
) -> BackgroundFit:
    """Fit a background function, of several degrees the one with the least AIC.

    Args:
        values: Counts, shape ``(n_bins,)``.
        name: ``dijet`` or ``exppoly``.
        edges: As for :func:`dijet`, for both.
        x_range: As for :func:`dijet`.
        degrees: Degrees of ``exppoly`` to try.

    References:
        Akaike (1974), https://doi.org/10.1109/TAC.1974.1100705
    """
    n_bins = len(values)
    if name == "dijet":
        return fit_function(values, dijet(n_bins, edges=edges, x_range=x_range))
    tried = [fit_function(values, exppoly(n_bins, degree=k, edges=edges)) for k in degrees]
    aic = [fit.chi2 + 2 * len(fit.parameters) for fit in tried]
    return tried[int(np.argmin(np.nan_to_num(aic, nan=np.inf)))]
