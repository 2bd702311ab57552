r"""Maximum-likelihood fits of many binned models at once, by Newton's method.

Each bin's nuisances are coupled to other bins through the signal strength and the correlated
variations only. The Newton step therefore eliminates them bin by bin and solves one small system
per model: a fit of 25 bins with 51 parameters costs about as much as one with 2.
"""

import logging
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bumpflow.stats.model import (
    BinnedModel,
    Observations,
    Parameters,
    half_deviance,
    in_blocks,
    precision,
)

log = logging.getLogger(__name__)

MAX_STEPS = 100
MAX_HALVINGS = 40
TOLERANCE = 1e-10
"""Fits stop where a Newton step promises to lower -ln L by less."""
CONVERGED, STUCK = "converged", "failed: no minimum within the physical range"


class FitFailed(RuntimeError):
    """A fit has no result that could be used."""


class Fit(NamedTuple):
    """Results of many fits, one per model.

    Attributes:
        at: Parameters at the minimum; NaN where the fit failed.
        half_deviance: -ln L there, less that of a perfect model; NaN where the fit failed.
        uncertainty: Standard deviation of the signal strength from the curvature of the profile
            likelihood, shape ``(n_models,)``; NaN where it was fixed or the fit failed.
        good: Which fits converged, shape ``(n_models,)``.
    """

    at: Parameters
    half_deviance: NDArray
    uncertainty: NDArray
    good: NDArray

    @property
    def mu(self) -> NDArray:
        """Signal strengths, shape ``(n_models,)``."""
        return self.at.mu

    @property
    def status(self) -> list[str]:
        """What became of each fit, in words."""
        return [CONVERGED if good else STUCK for good in self.good]


def profile_slope(model: BinnedModel, data: Observations, at: Parameters) -> NDArray:
    """Return the slope of the profiled -ln L in the signal strength, shape ``(n_models,)``.

    Args:
        model: Models.
        data: A data set for each.
        at: Nuisances that minimise -ln L at their signal strength: a fit's with that held.
    """
    return np.sum((1 - data.counts / model.expected(at)) * model.signal_slope(at), axis=1)


class Fixed(NamedTuple):
    """Which parameters stay where they are; shapes broadcast to those of the parameters."""

    mu: ArrayLike = False
    stat: ArrayLike = False
    shape: ArrayLike = False
    variations: ArrayLike = False


def fit(
    model: BinnedModel,
    data: Observations,
    *,
    mu: ArrayLike | None = None,
    start: Parameters | None = None,
    fixed: Fixed | None = None,
) -> Fit:
    """Maximise the likelihood of each model, with the signal strength free to be negative.

    Args:
        model: Models.
        data: A data set for each.
        mu: Signal strengths to hold fixed, shape ``(n_models,)`` or one number; free by default.
        start: Where to start; by default at the auxiliary measurements. Fixed parameters keep
            their values of it.
        fixed: Parameters to hold besides.

    Returns:
        Fits; one that failed holds NaN and says so.
    """
    fixed = fixed or Fixed()
    if start is None:
        start = _start(model, data)
    if mu is not None:
        start = start._replace(mu=np.broadcast_to(np.asarray(mu, float), len(model)))
        fixed = fixed._replace(mu=True)
    held = _held(model, fixed)
    pieces = in_blocks(
        len(model),
        model.n_bins * (3 + model.n_variations),
        lambda rows: _fit_rows(
            model[rows],
            data.rows(rows),
            Parameters(*(np.array(part[rows]) for part in start)),
            Parameters(*(part[rows] for part in held)),
        ),
    )
    found = [np.concatenate(parts) for parts in zip(*pieces, strict=True)]
    result = Fit(Parameters(*found[:4]), *found[4:])
    if not result.good.all():
        log.warning("%d of %d fits failed", np.count_nonzero(~result.good), len(model))
    return result


def _start(model: BinnedModel, data: Observations) -> Parameters:
    """Return the auxiliary measurements as parameters, and no signal."""
    tiny = 1e-3  # a measurement of 0 or less is possible in toys; the parameter is positive
    stat, shape = np.maximum(data.stat, tiny), np.maximum(data.shape, tiny)
    return Parameters(np.zeros(len(model)), stat, shape, data.variations)


def _held(model: BinnedModel, fixed: Fixed) -> Parameters:
    """Return masks of the fixed parameters: those asked for, and those without uncertainty."""
    shapes = [(len(model),), model.background.shape, model.background.shape]
    shapes.append((len(model), model.n_variations))
    masks = [
        np.broadcast_to(np.asarray(part, bool), shape)
        for part, shape in zip(fixed, shapes, strict=True)
    ]
    masks[1] = masks[1] | (model.stat <= 0)
    masks[2] = masks[2] | (model.shape <= 0)
    return Parameters(*masks)


def _fit_rows(
    model: BinnedModel, data: Observations, at: Parameters, held: Parameters
) -> tuple[NDArray, ...]:
    """Fit models that are few enough to be handled at once."""
    value = half_deviance(model, data, at)
    good = np.zeros(len(model), bool)
    sigma = np.full(len(model), np.nan)
    active = np.flatnonzero(np.isfinite(value))
    for _ in range(MAX_STEPS):
        if len(active) == 0:
            break
        some, seen = model[active], data.rows(active)
        here = Parameters(*(part[active] for part in at))
        step = _newton_step(some, seen, here, Parameters(*(part[active] for part in held)))
        moved, lower, improved = _line_search(some, seen, here, step, value[active])
        done = step.convex & (np.abs(step.slope) < 2 * TOLERANCE)
        stuck = ~improved & ~done
        for whole, part in zip(at, moved, strict=True):
            whole[active] = part
        value[active] = lower
        good[active[done]] = True
        sigma[active[done]] = step.uncertainty[done]
        active = active[~done & ~stuck]
    for part in (*at, value, sigma):
        part[~good] = np.nan
    return (*at, value, sigma, good)


class _Step(NamedTuple):
    """A Newton step.

    Attributes:
        move: Changes of the parameters.
        slope: Slope of -ln L along it.
        uncertainty: Standard deviation of the signal strength.
        convex: Whether -ln L itself curves upwards there, as it does around a minimum.
    """

    move: Parameters
    slope: NDArray
    uncertainty: NDArray
    convex: NDArray


def _newton_step(
    model: BinnedModel, data: Observations, at: Parameters, held: Parameters
) -> _Step:
    """Return the step to the minimum of the local parabola.

    Where the likelihood is not convex, the expected curvature (Fisher scoring), which always is,
    takes the place of the observed one.
    """
    step = _solve(_expand(model, data, at, held, observed=True), held)
    if not step.convex.all():
        bad = np.flatnonzero(~step.convex)
        some = [Parameters(*(part[bad] for part in whole)) for whole in (at, held)]
        other = _solve(_expand(model[bad], data.rows(bad), *some, observed=False), some[1])
        replaced = ((*step.move, *step[1:3]), (*other.move, *other[1:3]))
        for whole, part in zip(*replaced, strict=True):
            whole[bad] = part
    return step


class _Expansion(NamedTuple):
    """Gradient and Hessian of -ln L, split into each bin's two factors and what bins share.

    Shared parameters are the signal strength and the correlated nuisances, in this order.
    """

    g: NDArray
    h: NDArray
    shared: NDArray
    gg: NDArray
    gh: NDArray
    hh: NDArray
    g_shared: NDArray
    h_shared: NDArray
    shared_shared: NDArray


def _expand(
    model: BinnedModel, data: Observations, at: Parameters, held: Parameters, *, observed: bool
) -> _Expansion:
    """Return derivatives of -ln L, with the observed or the expected curvature.

    Rows of parameters that are held become those of the unit matrix.
    """
    g, h, n = at.stat, at.shape, data.counts
    varied, strengths = model.varied(at.variations), model.variations
    poisson = model.poisson[:, None]
    shared_signal = np.where(poisson, 0.0, model.signal)  # what the statistical factor scales
    by_g, by_h = at.mu[:, None] * shared_signal + h * varied, g * varied
    nu = np.maximum(model.expected(at), 1e-300)
    residual = 1 - n / nu
    curvature, bend = (n / nu / nu, residual) if observed else (1 / nu, np.zeros_like(nu))
    first = _rows(model.signal_slope(at), (g * h)[:, None] * strengths)
    mixed_g = _rows(shared_signal, h[:, None] * strengths)
    mixed_h = _rows(np.zeros_like(g), g[:, None] * strengths)
    stat, tau = precision(model.stat), precision(model.shape)
    own_h = data.shape / h**2 if observed else 1 / h
    own_g = np.where(poisson, data.stat / g**2 if observed else 1 / g, 1.0)
    pull_g = np.where(poisson, 1 - data.stat / g, g - data.stat)
    free_g, free_h = ~held.stat, ~held.shape
    free = ~np.concatenate([held.mu[:, None], held.variations], axis=1)
    gradient = np.einsum("mb,mkb->mk", residual, first)
    gradient[:, 1:] += at.variations - data.variations
    block = np.einsum("mb,mjb,mkb->mjk", curvature, first, first)
    block[:, 1:, 1:] += np.eye(model.n_variations)
    to_g = (curvature * by_g)[:, None] * first + bend[:, None] * mixed_g
    to_h = (curvature * by_h)[:, None] * first + bend[:, None] * mixed_h
    both = free[:, :, None] & free[:, None, :]
    return _Expansion(
        g=np.where(free_g, residual * by_g + pull_g * stat, 0.0),
        h=np.where(free_h, residual * by_h + tau * (1 - data.shape / h), 0.0),
        shared=np.where(free, gradient, 0.0),
        gg=np.where(free_g, curvature * by_g**2 + stat * own_g, 1.0),
        gh=np.where(free_g & free_h, curvature * by_g * by_h + bend * varied, 0.0),
        hh=np.where(free_h, curvature * by_h**2 + tau * own_h, 1.0),
        g_shared=np.where(free_g[:, None] & free[:, :, None], to_g, 0.0),
        h_shared=np.where(free_h[:, None] & free[:, :, None], to_h, 0.0),
        shared_shared=np.where(both, block, np.eye(block.shape[1])),
    )


def _rows(first: NDArray, others: NDArray) -> NDArray:
    """Return ``(n_models, n_bins)`` and ``(n_models, k, n_bins)`` as ``k + 1`` rows per model."""
    return np.concatenate([first[:, None], others], axis=1)


def _solve(d: _Expansion, held: Parameters) -> _Step:
    """Return Newton steps, which are meant for use where the parabola has a minimum.

    Each bin's two factors are eliminated by a 2 x 2 inverse; what is left is the Schur
    complement, whose inverse is the covariance of the shared parameters.
    """
    det = d.gg * d.hh - d.gh**2
    safe = np.where(det > 0, det, 1.0)
    scale = 1 / safe[:, None]
    solved_g = (d.hh[:, None] * d.g_shared - d.gh[:, None] * d.h_shared) * scale
    solved_h = (d.gg[:, None] * d.h_shared - d.gh[:, None] * d.g_shared) * scale
    pairs = ((d.g, d.g_shared, solved_g), (d.h, d.h_shared, solved_h))
    block = d.shared_shared - sum(
        np.einsum("mjb,mkb->mjk", row, solved) for _, row, solved in pairs
    )
    right = d.shared - sum(np.einsum("mb,mkb->mk", slope, solved) for slope, _, solved in pairs)
    lowest = np.linalg.eigvalsh(np.where(np.isfinite(block), block, 0.0))[:, 0]
    convex = (det > 0).all(axis=1) & (d.gg > 0).all(axis=1) & (lowest > 0)
    inverse = np.linalg.inv(np.where(convex[:, None, None], block, np.eye(block.shape[1])))
    move = -np.einsum("mjk,mk->mj", inverse, right)
    push_g, push_h = (slope + np.einsum("mkb,mk->mb", row, move) for slope, row, _ in pairs)
    move_g = -(d.hh * push_g - d.gh * push_h) / safe
    move_h = -(d.gg * push_h - d.gh * push_g) / safe
    slope = (d.shared * move).sum(1) + (d.g * move_g).sum(1) + (d.h * move_h).sum(1)
    sigma = np.where(held.mu, np.nan, np.sqrt(inverse[:, 0, 0]))
    return _Step(Parameters(move[:, 0], move_g, move_h, move[:, 1:]), slope, sigma, convex)


def _line_search(
    model: BinnedModel, data: Observations, at: Parameters, step: _Step, value: NDArray
) -> tuple[Parameters, NDArray, NDArray]:
    """Return points along the step that lower -ln L, its values, and where there is such a point.

    A step is halved until it gains a ten-thousandth of what its slope promises.
    """
    length = np.ones(len(model))
    found, lower = at, value.copy()
    improved = np.zeros(len(model), bool)
    for _ in range(MAX_HALVINGS):
        trial = Parameters(
            at.mu + length * step.move.mu,
            *(x + length[:, None] * dx for x, dx in zip(at[1:], step.move[1:], strict=True)),
        )
        new = half_deviance(model, data, trial)
        noise = 1e-12 * (1 + np.abs(value))
        enough = ~improved & (new <= value + 1e-4 * length * step.slope + noise)
        found = Parameters(
            np.where(enough, trial.mu, found.mu),
            *(
                np.where(enough[:, None], new_x, x)
                for new_x, x in zip(trial[1:], found[1:], strict=True)
            ),
        )
        lower = np.where(enough, new, lower)
        improved |= enough
        if improved.all():
            break
        length = np.where(improved, length, length / 2)
    return found, lower, improved
