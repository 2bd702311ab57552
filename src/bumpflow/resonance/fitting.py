"""Maximum-likelihood fits of resonances, many at once, by Newton's method; and by Minuit."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from iminuit import Minuit
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import elementwise
from scipy.stats import chi2
from torch import Tensor

from bumpflow.memory import in_chunks
from bumpflow.resonance.likelihood import SIGNAL, DataSets, Expansion, ResonanceModel
from bumpflow.stats.toys import ONE_SIGMA

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_STEPS = 60
MAX_HALVINGS = 30
TOLERANCE = 1e-7
"""Fits stop where a Newton step promises to lower -2 ln L by less."""
BLOCK_ELEMENTS = 20_000_000
"""Largest number of slopes that are held at once; bounds the memory."""
MAX_WIDENINGS = 40


class FitFailed(RuntimeError):
    """A fit has no result that could be used."""


class Fits(NamedTuple):
    """Results of many fits, one per data set.

    Attributes:
        values: Parameters at the minimum, shape ``(n_sets, n_parameters)``; NaN where it failed.
        deviance: -2 ln L there, shape ``(n_sets,)``; NaN where it failed.
        covariance: Inverse of the curvature; rows of held parameters are 0.
        good: Which fits converged.
    """

    values: Tensor
    deviance: Tensor
    covariance: Tensor
    good: Tensor

    @property
    def signal(self) -> NDArray[np.float64]:
        """Fitted events of signal, shape ``(n_sets,)``."""
        return self.values[:, SIGNAL].cpu().numpy()

    @property
    def uncertainty(self) -> NDArray[np.float64]:
        """Standard deviations of the signal from the curvature, shape ``(n_sets,)``."""
        return self.covariance[:, SIGNAL, SIGNAL].sqrt().cpu().numpy()


Held = Mapping[str, float | ArrayLike | Tensor]


def fit(
    model: ResonanceModel, data: DataSets, *, held: Held | None = None, start: Tensor | None = None
) -> Fits:
    """Maximise the likelihood of every data set; the signal may be negative.

    Memory is bounded by taking few data sets at a time.

    Args:
        model: Likelihood.
        data: Data sets.
        held: Parameters that stay fixed, by name: one value, or one per data set.
        start: Where to start, shape ``(n_sets, n_parameters)``.

    Returns:
        Fits; one that failed holds NaN.

    Raises:
        ValueError: If a held parameter does not exist.
    """
    if start is not None:
        values = start.clone()
    elif "signal" in (held or {}):
        values = model.start(data)
    else:
        values = _settled(model, data)
    named = any(name.startswith("spread") for name in held or {})
    if model.n_spread and model.constraints.spread == 0 and not named:
        return _fit_without_spread(model, data, held, values)
    free = values.new_ones(model.n_parameters, dtype=torch.bool)
    for name in model.held():
        free[model.names.index(name)] = False
    for name, value in (held or {}).items():
        if name not in model.names:
            msg = f"there is no parameter {name!r} to hold: there are {', '.join(model.names)}"
            raise ValueError(msg)
        index = model.names.index(name)
        free[index] = False
        values[:, index] = torch.as_tensor(value, dtype=values.dtype, device=values.device)
    pieces = _in_blocks(
        model, data, lambda some: _fit_rows(model, data.rows(some), values[some], free)
    )
    found = Fits(*(torch.cat(parts) for parts in zip(*pieces, strict=True)))
    if start is None and not found.good.all():
        rows = (~found.good).nonzero()[:, 0]
        begin = torch.where(free, model.start(data)[rows], values[rows])
        for whole, part in zip(found, _fit_rows(model, data.rows(rows), begin, free), strict=True):
            whole[rows] = part
    if not found.good.all():
        log.warning("%d of %d fits failed", int((~found.good).sum()), data.n_sets)
    return found


def _settled(model: ResonanceModel, data: DataSets) -> Tensor:
    """Return parameters to start from: those of the background's shape without signal.

    Far from that shape, steps would lead to where densities vanish.
    """
    plain = replace(model, n_spread=0, n_systematics=0)
    events = data.events
    bare = data._replace(
        events=events._replace(
            spread=events.spread[..., :0], up=events.up[..., :0], down=events.down[..., :0]
        ),
        measured=data.measured[..., :0],
    )
    start = model.start(data)
    keep = [model.names.index(name) for name in plain.names]
    free = torch.ones(len(keep), dtype=torch.bool, device=start.device)
    free[SIGNAL] = False
    for name in plain.held():
        free[plain.names.index(name)] = False
    pieces = _in_blocks(
        plain, bare, lambda some: _fit_rows(plain, bare.rows(some), start[some][:, keep], free)
    )
    found = Fits(*(torch.cat(parts) for parts in zip(*pieces, strict=True)))
    rows = found.good.nonzero()[:, 0]
    start[rows[:, None], keep] = found.values[rows]
    return start


def _fit_without_spread(
    model: ResonanceModel, data: DataSets, held: Held | None, start: Tensor
) -> Fits:
    """Fit a model whose spread is held at 0 as one that has none, which is faster."""
    keep = [index for index, name in enumerate(model.names) if not name.startswith("spread")]
    plain = data._replace(events=data.events._replace(spread=data.events.spread[..., :0]))
    found = fit(replace(model, n_spread=0), plain, held=held, start=start[:, keep])
    values = torch.zeros_like(start)
    covariance = start.new_zeros(*start.shape, start.shape[-1])
    values[~found.good] = covariance[~found.good] = torch.nan
    values[:, keep] = found.values
    rows = torch.tensor(keep, device=start.device)
    covariance[:, rows[:, None], rows] = found.covariance
    return found._replace(values=values, covariance=covariance)


def curvatures(model: ResonanceModel, data: DataSets, values: Tensor) -> Tensor:
    """Return the curvature of -2 ln L, shape ``(n_sets, n_parameters, n_parameters)``."""
    pieces = _in_blocks(model, data, lambda some: model.expand(values[some], data.rows(some)))
    return torch.cat([piece.curvature for piece in pieces])


def _in_blocks(
    model: ResonanceModel, data: DataSets, function: Callable[[Tensor], T]
) -> Iterator[T]:
    """Yield a function of the rows of data sets that are handled at once."""
    size = data.weight.shape[1] * model.n_parameters
    size += data.sidebands.weight.shape[1] * (2 + model.shape.order)
    rows = torch.arange(data.n_sets, device=data.weight.device)
    return in_chunks(
        lambda block: function(rows[block]), data.n_sets, max(1, BLOCK_ELEMENTS // size)
    )


def _fit_rows(model: ResonanceModel, data: DataSets, values: Tensor, free: Tensor) -> Fits:
    """Fit data sets that are few enough to be handled at once."""
    n_sets = data.n_sets
    deviance = values.new_full((n_sets,), torch.nan)
    covariance = values.new_full((n_sets, model.n_parameters, model.n_parameters), torch.nan)
    good = torch.zeros(n_sets, dtype=torch.bool, device=values.device)
    active = torch.arange(n_sets, device=values.device)
    values = values.clone()
    some, here = data, model.expand(values, data)
    for _ in range(MAX_STEPS):
        inverse, step = _newton_step(here.gradient, here.curvature, free)
        promise = -(here.gradient * step).sum(-1)
        deviance[active], covariance[active] = here.value, inverse
        done = (promise < TOLERANCE) & torch.isfinite(here.value)
        good[active] = done
        if done.all():
            break
        moved, there, improved = _move(model, some, values[active], step, here.value, promise)
        values[active] = torch.where(done[:, None], values[active], moved)
        go_on = ~done & improved
        if not go_on.any():
            break
        rows = go_on.nonzero()[:, 0]
        if len(rows) < len(active):
            active, some = active[rows], some.rows(rows)
        here = Expansion(*(part[rows] for part in there))
    for part in (values, deviance, covariance):
        part[~good] = torch.nan
    return Fits(values, deviance, covariance, good)


def _newton_step(gradient: Tensor, curvature: Tensor, free: Tensor) -> tuple[Tensor, Tensor]:
    """Return the covariance of the free parameters, and the step to the parabola's minimum."""
    both = free[:, None] & free[None]
    unit = torch.eye(len(free), dtype=gradient.dtype, device=gradient.device)
    block = torch.where(both, curvature, unit)
    scale = block.diagonal(dim1=-2, dim2=-1).clamp_min(1e-300).sqrt()
    outer = scale[:, :, None] * scale[:, None]
    finite = torch.isfinite(block).all(-1).all(-1)
    scaled = torch.where(finite[:, None, None], block / outer, unit)
    inverse = torch.linalg.pinv(scaled, hermitian=True) / outer
    step = -(inverse @ torch.where(free, gradient, 0.0)[..., None])[..., 0]
    step = torch.where(free, step, 0.0)  # which rounding would move
    # -2 ln L has twice the curvature of -ln L, whose inverse is the covariance.
    return 2 * torch.where(both, inverse, 0.0), step


def _move(
    model: ResonanceModel, data: DataSets, at: Tensor, step: Tensor, value: Tensor, promise: Tensor
) -> tuple[Tensor, Expansion, Tensor]:
    """Return points along the step that lower -2 ln L, their expansion, and where there are any.

    A step is halved until it gains a ten-thousandth of what its slope promises.
    """
    noise = 1e-12 * (1 + value.abs())
    moved = at + step
    there = model.expand(moved, data)
    improved = there.value <= value - 1e-4 * promise + noise
    if improved.all():
        return moved, there, improved
    length = torch.ones_like(value)
    for _ in range(MAX_HALVINGS):
        length = torch.where(improved, length, length / 2)
        moved = at + length[:, None] * step
        new = model.deviance(moved, data)
        improved = improved | (new <= value - 1e-4 * length * promise + noise)
        if improved.all():
            break
    return moved, model.expand(moved, data), improved


def profile(
    model: ResonanceModel, data: DataSets, signal: ArrayLike, *, start: Tensor | None = None
) -> NDArray[np.float64]:
    """Return -2 ln L of one data set at signals, with all else fitted, shape of ``signal``.

    Args:
        model: Likelihood.
        data: One data set.
        signal: Events of signal, shape ``(n,)``.
        start: Where to start, shape ``(1, n_parameters)``.
    """
    s = np.atleast_1d(np.asarray(signal, float))
    begin = None if start is None else start.repeat(len(s), 1)
    fits = fit(model, data.repeated(len(s)), held={"signal": s}, start=begin)
    return fits.deviance.cpu().numpy()


def interval(
    model: ResonanceModel, data: DataSets, best: Fits, *, level: float = ONE_SIGMA
) -> tuple[float, float]:
    """Return the likelihood interval of the signal in one data set [events].

    Its ends are where -2 ln L is above its minimum by the quantile of a chi-squared variable.

    Args:
        model: Likelihood.
        data: One data set.
        best: Its fit with free signal.
        level: Confidence level.

    Raises:
        FitFailed: If the likelihood has no such ends.
    """
    rise = chi2.ppf(level, df=1)
    width = best.uncertainty[0] * np.sqrt(rise)

    def excess(s: NDArray) -> NDArray[np.float64]:
        return profile(model, data, s, start=best.values) - best.deviance.item() - rise

    ends = [crossing(excess, best.signal[0], sign * width) for sign in (-1, 1)]
    return ends[0], ends[1]


def crossing(function: Callable[[NDArray], NDArray], origin: float, first: float) -> float:
    """Return where a function of the signal that is negative at ``origin`` crosses 0.

    Args:
        function: Function of signals, shape ``(n,)``, rising away from the origin; values that
            are not finite count as beyond the crossing.
        origin: Where to start.
        first: Guess of the distance to the crossing; its sign gives the direction.

    Raises:
        FitFailed: If there is no crossing.
    """

    def along(distance: NDArray) -> NDArray[np.float64]:
        flat = np.atleast_1d(distance).ravel()
        values = function(origin + first * flat)
        return np.where(np.isfinite(values), values, 1e6).reshape(np.shape(distance))

    start = elementwise.bracket_root(along, 0.7, 1.3, xmin=0.0, maxiter=MAX_WIDENINGS)
    tolerances = {"xatol": 1e-5, "xrtol": 1e-5, "fatol": 0.0, "frtol": 0.0}
    found = elementwise.find_root(along, start.bracket, tolerances=tolerances)
    if not (start.success and found.success):
        msg = f"-2 ln L does not rise as it should from {origin:.4g} signal events on: plot it"
        raise FitFailed(msg)
    return float(origin + first * found.x)


def fit_minuit(model: ResonanceModel, data: DataSets, *, start: Tensor | None = None) -> Minuit:
    """Fit one data set with Minuit and its analytic gradient, for errors and as a check.

    Args:
        model: Likelihood.
        data: One data set.
        start: Where to start, shape ``(1, n_parameters)``.

    Returns:
        Minuit after ``migrad`` and ``hesse``; its parameters are the model's.
    """
    begin = model.start(data) if start is None else start

    def value(parameters: NDArray) -> float:
        at = torch.as_tensor(parameters, device=begin.device)[None]
        return float(model.deviance(at, data))

    def gradient(parameters: NDArray) -> NDArray[np.float64]:
        at = torch.as_tensor(parameters, device=begin.device)[None]
        return model.expand(at, data).gradient[0].cpu().numpy()

    minuit = Minuit(value, begin[0].cpu().numpy(), grad=gradient, name=model.names)
    minuit.errordef = Minuit.LEAST_SQUARES  # the function is -2 ln L
    widths = model.expand(begin, data).curvature[0].diagonal().clamp_min(1e-12) ** -0.5
    minuit.errors = [float(width) for width in widths]
    for name in model.held():
        minuit.fixed[name] = True
    minuit.migrad()
    minuit.hesse()
    return minuit
