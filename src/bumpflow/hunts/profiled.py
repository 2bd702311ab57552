r"""Significance of a bump at every bin of many histograms, with a smooth background profiled.

The background is the exponential of a polynomial fitted to each histogram, whose coefficients
then follow the signal's strength. Along their path ln L is expanded in the strength, whose
moments are a few matrix products; only where the series does not do is the maximum searched for.

References:
    Cowan, Cranmer, Gross, Vitells (2011), profile likelihood, https://arxiv.org/abs/1007.1727
"""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from bumpflow.hunts.smoothing import SHIFT, legendre, relative_centers, smooth_roots, stabilise
from bumpflow.hunts.spectra import gaussian_counts
from bumpflow.memory import in_chunks

MAX_LOG = 30.0
"""Bound of a background's logarithm, so that wild steps and empty histograms stay finite."""
MIN_INFORMATION = 1e-6
"""Share of a signal's information below which the background can imitate it."""
RIDGE = 1e-13
FIT_STEPS = 60
FIT_TOLERANCE = 1e-8
WALK_STEPS = 50
WALK_TOLERANCE = 1e-3
SMALL = 0.05
"""Up to which relative correction of third order the series stands in for Newton's method."""
BESIDE = 0.003
"""Gain in z beside the path up to which it is estimated, not searched for."""
CLIMB_STEPS = 40
CLIMB_TOLERANCE = 1e-3
CHUNK = 1 << 18


class Profiled(NamedTuple):
    """Fits without a bump and significances of bumps, in the precision of the counts.

    Attributes:
        background: Expected counts of the fit without signal, shape ``(n, n_bins)``.
        z: Signed significances, shape ``(n, n_widths, n_bins)``; 0 where the background can
            imitate the signal.
        chi2: Twice the fall of ln L from a model that equals the counts, shape ``(n,)``.
    """

    background: Tensor
    z: Tensor
    chi2: Tensor


class ExppolyFit(NamedTuple):
    """Exponentials of polynomials fitted to histograms.

    Attributes:
        background: Expected counts, shape ``(n, n_bins)``.
        chi2: Twice the fall of ln L from a model that equals the counts, shape ``(n,)``.
        degree: Degree of the polynomial, shape ``(n,)``.
    """

    background: Tensor
    chi2: Tensor
    degree: Tensor


class _Basis(NamedTuple):
    """Polynomials on the bins and on few nodes, from whose values products follow exactly.

    Attributes:
        values: Shape ``(n_bins, degree + 1)``.
        at_nodes: Shape ``(n_nodes, degree + 1)``.
        weights: Each node's share in the value at a bin, shape ``(n_bins, n_nodes)``.
    """

    values: Tensor
    at_nodes: Tensor
    weights: Tensor


class _Sums(NamedTuple):
    """What signals of all widths share.

    Attributes:
        spread: Counts over powers 1, 2, 3 of b, spread over nodes: ``(n, n_nodes, n_bins)`` each.
        total: The background spread over nodes, shape ``(n, n_nodes, 1)``.
        factor: Cholesky factors of the information on the coefficients.
    """

    spread: list[Tensor]
    total: Tensor
    factor: Tensor


class _Path(NamedTuple):
    """Signals at one bin each: counts, background and template ``(m, n_bins)``, and the fall.

    The latter is that of the background's coefficients per signal event, ``(m, n_terms)``.
    """

    n: Tensor
    b: Tensor
    s: Tensor
    fall: Tensor


@torch.no_grad()
def z_profiled(
    observed: Tensor,
    *,
    widths: Sequence[float],
    degree: int | Sequence[int] = 4,
    sampled: bool = False,
) -> Profiled:
    r"""Return the significance of a bump at every bin, with the background's fit profiled out.

    z is the root of twice the rise of ln L to its maximum over the signal strength and all
    coefficients. ln L is first climbed on the path that the coefficients follow to first order,
    :math:`\theta(\mu) = \hat\theta_0 - \mu I_{\theta\theta}^{-1} I_{\theta s}`, then beside
    it: at the ends of a histogram with few entries the latter adds up to a third. Deficits get
    the score test's negative significance :math:`U / \sqrt V`, with U the slope of ln L and V
    the information on the signal that its projection on the background's derivatives leaves.

    Args:
        observed: Counts, shape ``(n, n_bins)``; any non-negative numbers.
        widths: Standard deviations of the signal to try [bins].
        degree: Degree of the polynomial; of several each histogram gets the one of least AIC.
        sampled: As for :func:`~bumpflow.hunts.targets.template`.

    Raises:
        ValueError: If there are no more bins than coefficients.
    """
    fit = fit_exppoly(observed, degree=degree)
    n, n_bins = observed.shape
    shapes = [_templates(n_bins, width, sampled).to(observed.device) for width in widths]
    z = observed.new_zeros(n, len(shapes), n_bins)
    for k in _degrees(degree):
        basis = _on(_basis(n_bins, k), observed.device)
        n_rows = max(1, CHUNK // (n_bins * len(basis.at_nodes)))
        chosen = torch.nonzero(fit.degree == k)[:, 0]

        def store(part: slice, chosen: Tensor = chosen, basis: _Basis = basis) -> None:
            rows = chosen[part]
            counts, background = observed[rows].double(), fit.background[rows]
            z[rows] = _significance(counts, background, shapes, basis).to(z.dtype)

        for _ in in_chunks(store, len(chosen), n_rows):
            pass
    return Profiled(fit.background.to(z.dtype), z, fit.chi2.to(z.dtype))


@torch.no_grad()
def fit_exppoly(observed: Tensor, *, degree: int | Sequence[int] = 4) -> ExppolyFit:
    r"""Fit exponentials of polynomials in the position by Poisson maximum likelihood.

    ln L is concave in the coefficients. An empty histogram has no maximum; its background ends
    at :math:`e^{-30}` or thereabouts.

    Args:
        observed: Counts, shape ``(n, n_bins)``; any non-negative numbers.
        degree: Degree of the polynomial; of several each histogram gets the one of least AIC.

    Returns:
        The fits, in double precision.

    Raises:
        ValueError: If there are no more bins than coefficients.

    References:
        Akaike (1974), https://doi.org/10.1109/TAC.1974.1100705
    """
    n_bins, degrees = observed.shape[1], _degrees(degree)
    if n_bins <= max(degrees) + 1:
        msg = (
            f"a polynomial of degree {max(degrees)} needs more than {max(degrees) + 1} bins,"
            f" but the histograms have {n_bins}: lower the degree or use finer bins"
        )
        raise ValueError(msg)
    counts = observed.double()
    curves = torch.stack([_maximise(counts, _basis(n_bins, k).values) for k in degrees])
    backgrounds = torch.exp(curves)
    excess = torch.xlogy(counts, counts) - counts * curves + backgrounds - counts
    chi2 = 2 * excess.sum(2)
    sizes = torch.tensor(degrees, device=counts.device)
    best = (chi2 + 2 * sizes[:, None]).argmin(0)
    rows = torch.arange(len(counts), device=counts.device)
    return ExppolyFit(backgrounds[best, rows], chi2[best, rows], sizes[best])


def _degrees(degree: int | Sequence[int]) -> tuple[int, ...]:
    return (degree,) if isinstance(degree, int) else tuple(degree)


def _maximise(counts: Tensor, basis: Tensor) -> Tensor:
    """Return the logarithms of the most likely backgrounds, shape ``(n, n_bins)``.

    Newton's method with steps that shrink until ln L rises; histograms leave as they converge.
    """
    basis = basis.to(counts.device)
    theta = _start(counts, basis)
    result = theta.clone()
    left = torch.arange(len(counts), device=counts.device)
    scale = torch.ones_like(theta[:, :1])
    curve, rise = _log_likelihood(counts, theta, basis)
    for _ in range(FIT_STEPS):
        b = torch.exp(curve)
        slope = (counts - b) @ basis
        step = _solve(_information(b, basis), slope[:, :, None])[:, :, 0]
        tried = theta + scale * step
        new_curve, new_rise = _log_likelihood(counts, tried, basis)
        better = new_rise >= rise
        theta = torch.where(better, tried, theta)
        curve = torch.where(better, new_curve, curve)
        rise = torch.where(better, new_rise, rise)
        result[left] = theta
        scale = torch.where(better, (4 * scale).clamp_max(1), scale / 4)
        # A histogram whose ln L rises no more is as good as numbers can tell.
        open_ = ((slope * step).sum(1) > FIT_TOLERANCE) & (scale[:, 0] > 1e-6)
        if not bool(open_.any()):
            break
        counts, theta, curve = counts[open_], theta[open_], curve[open_]
        rise, scale, left = rise[open_], scale[open_], left[open_]
    return (result @ basis.T).clamp(-MAX_LOG, MAX_LOG)


def _start(counts: Tensor, basis: Tensor) -> Tensor:
    """Return the coefficients of the logarithm of a smooth curve through the counts."""
    smooth = smooth_roots(stabilise(counts))[1].clamp_min(0)
    pilot = (smooth**2 / 4 - SHIFT).clamp_min(0.1)
    target = (pilot * torch.log(pilot)) @ basis
    return _solve(_information(pilot, basis), target[:, :, None])[:, :, 0]


def _log_likelihood(counts: Tensor, theta: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """Return ln b, shape ``(n, n_bins)``, and ln L but for a constant, shape ``(n, 1)``."""
    curve = (theta @ basis.T).clamp(-MAX_LOG, MAX_LOG)
    return curve, (counts * curve - torch.exp(curve)).sum(1, keepdim=True)


def _information(weight: Tensor, basis: Tensor) -> Tensor:
    """Return the information on a polynomial's coefficients, ``(n, n_terms, n_terms)``."""
    n_terms = basis.shape[1]
    products = (basis[:, :, None] * basis[:, None]).flatten(1)
    return (weight @ products).view(-1, n_terms, n_terms)


def _solve(matrix: Tensor, target: Tensor) -> Tensor:
    """Solve many small systems; a ridge that is lost in rounding keeps them regular."""
    size = matrix.diagonal(dim1=1, dim2=2).mean(1)
    ridge = (RIDGE * size + 1e-30)[:, None, None]
    factor, _ = torch.linalg.cholesky_ex(matrix + ridge * torch.eye(matrix.shape[1]).to(matrix))
    return torch.cholesky_solve(target, factor)


def _significance(n: Tensor, b: Tensor, shapes: Sequence[Tensor], basis: _Basis) -> Tensor:
    """Return signed significances, shape ``(n, n_widths, n_bins)``."""
    matrix = _information(b, basis.values)
    # Counts over powers of b, spread over the nodes: shape (n, n_nodes, n_bins) each.
    spread = [(n / b**k)[:, None] * basis.weights.T for k in (1, 2, 3)]
    sums = _Sums(spread, (b @ basis.weights)[:, :, None], torch.linalg.cholesky_ex(matrix)[0])
    found = []
    for signal in shapes:
        overlap = basis.values.T @ signal
        fall = _solve(matrix, overlap.expand(len(n), -1, -1))
        information = (1 / b) @ signal**2
        remaining = information - (overlap * fall).sum(1)
        known = remaining > MIN_INFORMATION * information
        remaining = torch.where(known, remaining, math.inf)
        score = (n / b - 1) @ signal
        z, good = _series(n, b, signal, score, basis, fall, sums)
        cells = torch.nonzero((score > 0) & known & ~good, as_tuple=True)
        for rows, bins in _pieces(cells, CHUNK // n.shape[1] + 1):
            path = _Path(n[rows], b[rows], signal[bins], fall[rows, :, bins])
            z[rows, bins] = _search(path, (score / remaining)[rows, bins], basis.values)
        found.append(torch.where(score > 0, z.where(known, 0.0), score * torch.rsqrt(remaining)))
    return torch.stack(found, 1)


def _pieces(cells: tuple[Tensor, ...], size: int) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(places.split(size) for places in cells), strict=True)


def _series(
    n: Tensor,
    b: Tensor,
    signal: Tensor,
    score: Tensor,
    basis: _Basis,
    fall: Tensor,
    sums: _Sums,
) -> tuple[Tensor, Tensor]:
    r"""Return significances of excesses by expansion in the strength, and where that will do.

    Along the path :math:`b e^{-\mu f} + \mu s` it is
    :math:`\ln L = \mu U - \mu^2 I / 2 + \mu^3 J / 3 - \mu^4 K / 4`, and what the coefficients
    can still gain beside the path is a square of ln L's slope in them.
    """
    f = basis.at_nodes @ fall
    # Sums over bins of n (s / b)^k times polynomials, as weights of the polynomials' values.
    first, second, third = (h @ signal**k for k, h in enumerate(sums.spread, 1))
    square = f**2
    weighted = sums.total * square
    i = (n / b**2) @ signal**2 + (weighted - 2 * first * f).sum(1)
    j = (n / b**3) @ signal**3
    j = j + ((0.5 * weighted - 3 * second) * f + 1.5 * first * square).sum(1)
    k = (n / b**4) @ signal**4 - 4 * (third * f).sum(1)
    k = k + ((weighted / 6 - first * f / 1.5 + 4 * second) * square).sum(1)
    mu = score / i
    cubic, quartic = j * mu / i, k * mu**2 / i
    q = score * mu * (1 + cubic / 1.5 + cubic**2 - quartic / 2)
    mu = (mu * (1 + cubic))[:, None]
    bend = basis.at_nodes.T @ (second - first * f - 0.5 * weighted)
    slope = mu * (mu * bend - ((n / b - 1)[:, None] * basis.values.T) @ signal)
    gain = torch.linalg.solve_triangular(sums.factor, slope, upper=False).square().sum(1)
    good = (i > 0) & (cubic.abs() <= SMALL) & (quartic.abs() <= 2 * cubic**2 + 2e-4)
    return torch.sqrt(q + gain), good & (gain <= BESIDE * torch.sqrt(q))


def _search(path: _Path, mu: Tensor, basis: Tensor) -> Tensor:
    """Return significances of excesses, shape ``(m,)``: along the path, then beside it."""
    curves = path.fall @ basis.T
    single = (values.float() for values in (path.n, path.b, path.s, curves, mu))
    z, mu = (values.double() for values in _walk(*single))
    mean, background = _mean(path, -mu[:, None] * path.fall, mu[:, None], basis)
    slope = ((path.n / mean - 1) * background) @ basis
    step = _solve(_information(path.b, basis), slope[:, :, None])[:, :, 0]
    gain = (slope * step).sum(1)
    short = torch.nonzero(gain > BESIDE * z)[:, 0]
    z = torch.sqrt(z**2 + gain)
    rest = _Path(*(values[short] for values in path))
    z[short] = _climb(rest, mu[short, None], basis)
    return z


def _walk(n: Tensor, b: Tensor, s: Tensor, fall: Tensor, mu: Tensor) -> tuple[Tensor, Tensor]:
    """Return significances and strengths at ln L's maxima along paths, shape ``(m,)`` each."""
    strength = mu.clone()
    left = torch.arange(len(mu), device=mu.device)
    rest: tuple[Tensor, ...] = (n, b, s, fall)
    for _ in range(WALK_STEPS):
        new = _step(mu[:, None], *rest)[:, 0]
        strength[left] = new
        open_ = (new - mu).abs() > WALK_TOLERANCE * mu
        if not bool(open_.any()):
            break
        mu, left = new[open_], left[open_]
        rest = tuple(values[open_] for values in rest)
    mu = strength[:, None]
    growth = torch.expm1((-mu * fall).clamp(-MAX_LOG, MAX_LOG)) + mu * s / b
    gain = (torch.special.xlog1py(n, growth) - b * growth).sum(1)
    return torch.sqrt(2 * gain.clamp_min(0)), strength


def _step(mu: Tensor, n: Tensor, b: Tensor, s: Tensor, fall: Tensor) -> Tensor:
    """Return better strengths, shape ``(m, 1)``, by a bounded step of Newton's method."""
    faded = b * torch.exp((-mu * fall).clamp(-MAX_LOG, MAX_LOG))
    lost = fall * faded
    mean = torch.addcmul(faded, mu, s)
    slope, excess = s - lost, n / mean - 1
    relative = slope / mean
    score = (excess * slope).sum(1, keepdim=True)
    fisher = (relative * slope).sum(1, keepdim=True)
    bend = (n * relative**2 - excess * fall * lost).sum(1, keepdim=True)
    step = score / torch.where(bend > 0.1 * fisher, bend, fisher)
    return torch.clamp(mu + step, mu / 3, 3 * mu)


def _climb(path: _Path, mu: Tensor, basis: Tensor) -> Tensor:
    """Return the significance at ln L's maximum over all coefficients and the strength."""
    theta = torch.cat([-mu * path.fall, mu], 1)
    rise = _rise(path, theta, basis)
    result = rise.clone()
    left = torch.arange(len(mu), device=mu.device)
    scale = torch.ones_like(mu)
    for _ in range(CLIMB_STEPS):
        slope, matrix = _slopes(path, theta, basis)
        step = _solve(matrix, slope[:, :, None])[:, :, 0]
        tried = theta + scale * step
        tried[:, -1] = torch.maximum(tried[:, -1], theta[:, -1] / 3)
        new = _rise(path, tried, basis)
        better = new >= rise
        theta, rise = torch.where(better, tried, theta), torch.where(better, new, rise)
        result[left] = rise
        scale = torch.where(better, (4 * scale).clamp_max(1), scale / 4)
        open_ = ((slope * step).sum(1) > CLIMB_TOLERANCE) & (scale[:, 0] > 1e-3)
        if not bool(open_.any()):
            break
        path = _Path(*(values[open_] for values in path))
        theta, rise, scale, left = theta[open_], rise[open_], scale[open_], left[open_]
    return torch.sqrt(2 * result[:, 0].clamp_min(0))


def _mean(path: _Path, theta: Tensor, mu: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """Return expected counts with and without the signal."""
    background = path.b * torch.exp((theta @ basis.T).clamp(-MAX_LOG, MAX_LOG))
    return background + mu * path.s, background


def _rise(path: _Path, theta: Tensor, basis: Tensor) -> Tensor:
    """Return by how much ln L exceeds that of the fit without signal, shape ``(m, 1)``."""
    mean, _ = _mean(path, theta[:, :-1], theta[:, -1:], basis)
    terms = torch.xlogy(path.n, mean / path.b) - mean + path.b
    return terms.sum(1, keepdim=True)


def _slopes(path: _Path, theta: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """Return ln L's slope and a positive curvature: the last parameter is the strength."""
    mean, background = _mean(path, theta[:, :-1], theta[:, -1:], basis)
    ratio = path.n / mean
    share = background / mean
    slope = torch.cat(
        [((ratio - 1) * background) @ basis, ((ratio - 1) * path.s).sum(1, keepdim=True)], 1
    )
    # Without the part that bins with an excess take off, so that the curvature stays positive.
    weight = ratio * share * background + background * (1 - ratio).clamp_min(0)
    matrix = functional.pad(_information(weight, basis), (0, 1, 0, 1))
    cross = (ratio * share * path.s) @ basis
    matrix[:, :-1, -1] = matrix[:, -1, :-1] = cross
    matrix[:, -1, -1] = (ratio / mean * path.s**2).sum(1)
    return slope, matrix


def _templates(n_bins: int, width: float, sampled: bool) -> Tensor:
    """Return counts of one signal event at each bin, cut off at the ends: symmetric."""
    centers = torch.arange(n_bins, dtype=torch.float64) + 0.5
    widths = torch.full_like(centers, width)
    return gaussian_counts(centers, widths, n_bins=n_bins, sampled=sampled)


@cache
def _basis(n_bins: int, degree: int) -> _Basis:
    """Return Legendre polynomials, and nodes enough for products of four of them."""
    n_nodes = 4 * degree + 1
    nodes = torch.cos(math.pi * (torch.arange(n_nodes, dtype=torch.float64) + 0.5) / n_nodes)
    points = 2 * relative_centers(n_bins) - 1
    high, high_at_nodes = legendre(points, n_nodes - 1), legendre(nodes, n_nodes - 1)
    weights = torch.linalg.solve(high_at_nodes.T, high.T).T
    return _Basis(legendre(points, degree), legendre(nodes, degree), weights)


def _on(basis: _Basis, device: torch.device) -> _Basis:
    return _Basis(*(values.to(device) for values in basis))
