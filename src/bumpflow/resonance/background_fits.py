r"""Which background shapes fit the resonance variable of data, and which one to take.

All fits are unbinned and minimise :math:`-2 \ln L`, with the peak's yield free.

References:
    Dauncey, Kenzie, Wardle, Davies (2015), https://arxiv.org/abs/1408.6865
"""

import logging
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline
from scipy.stats import chi2

from bumpflow.resonance.fitting import Fits, fit
from bumpflow.resonance.goodness import N_GRID, goodness_of_fit
from bumpflow.resonance.likelihood import BACKGROUND, SIGNAL, DataSets, ResonanceModel, Sidebands
from bumpflow.resonance.likelihood import Events as Featured
from bumpflow.resonance.shapes import SERIES, BackgroundShape, DoubleCrystalBall, Window

log = logging.getLogger(__name__)

REFINEMENT = 50
CONVERGED, FAILED = "converged", "failed"

Rule = Literal["ftest", "penalised"]


class BackgroundChoice(NamedTuple):
    """Background shape that was chosen."""

    series: str
    order: int


class DiscreteProfile(NamedTuple):
    """Envelope of the profiles of several models; leading axes are those of the curves.

    Attributes:
        signal: Grid [events], shape ``(n_fine,)``.
        envelope: -2 ln L with its penalty, less the minimum, shape ``(..., n_fine)``.
        model: Which model is the lowest, same shape.
        best: Signal at the minimum; NaN if that is an end of the grid.
        low: Lowest signal of the interval; NaN if the grid ends before.
        high: Highest signal of the interval; NaN if the grid ends before.
    """

    signal: NDArray
    envelope: NDArray
    model: NDArray
    best: NDArray
    low: NDArray
    high: NDArray


def mass_data(mass: ArrayLike, peak: DoubleCrystalBall, window: Window) -> DataSets:
    """Return data sets of which nothing but the mass is used.

    Args:
        mass: Masses [GeV], shape ``(n_sets, n)``; those outside the window, such as NaN that
            fills up shorter sets, do not count.
        peak: Signal's shape.
        window: Range of the fit, on which the signal is normalised.
    """
    m = np.asarray(mass, float)
    inside = window.holds(m)
    m = np.where(inside, m, window.low)
    n_sets = len(m)
    none = torch.zeros((n_sets, 0), dtype=torch.float64)
    varied = none.reshape(n_sets, 0, 2, 0)
    further = none.reshape(n_sets, 0, 0)
    sidebands = Sidebands(
        mass=torch.as_tensor(m),
        weight=torch.as_tensor(inside.astype(float)),
        signal=torch.as_tensor(peak.density(m, window)),
        others=torch.zeros((*m.shape, 0), dtype=torch.float64),
    )
    return DataSets.of(Featured(none, none, further, varied, varied, further), none, sidebands)


def compare_backgrounds(
    mass: ArrayLike,
    window: Window,
    peak: DoubleCrystalBall,
    *,
    families: Sequence[str] = tuple(SERIES),
    max_order: int = 3,
) -> pd.DataFrame:
    """Fit every family of backgrounds in every order, with the peak's yield free.

    Args:
        mass: Masses of the data [GeV], shape ``(n_events,)``; events outside are left out.
        window: Range of the fit.
        peak: Signal's shape; its yield may be negative.
        families: Keys of :data:`bumpflow.resonance.shapes.SERIES`.
        max_order: Largest number of shape parameters.

    Returns:
        A row by series and order from 0: ``s``, ``s_error``, ``b``, ``b_error`` [events],
        ``deviance`` (-2 ln L), ``theta1`` and so on, each with its ``_error``, and NaN beyond the
        order; ``p_improvement``, the p-value of the likelihood ratio to the order before, which
        has one parameter less; ``p_value`` of the goodness of fit; ``status``. Of a failed fit
        all numbers are NaN.

    Raises:
        ValueError: If no event is inside the window.
    """
    m = np.asarray(mass, float)
    m = m[window.holds(m)]
    if not len(m):
        msg = f"no event is within {window.low:g} to {window.high:g} GeV: look at the mass"
        raise ValueError(msg)
    data = mass_data(m[None], peak, window)
    rows = []
    for series in families:
        deviance = np.nan
        for order in range(max_order + 1):
            model = ResonanceModel(BackgroundShape(series, order, window))
            found = fit(model, data)
            row = _background_row(model, found, data, peak, max_order=max_order)
            before, deviance = deviance, found.deviance.item()
            rows.append(row | {"p_improvement": float(improvement(before, deviance))})
    return pd.DataFrame(rows)


def improvement(before: ArrayLike, after: ArrayLike) -> NDArray[np.float64]:
    """Return p-values of the likelihood ratios of models with one parameter more.

    Args:
        before: -2 ln L without it.
        after: -2 ln L with it.
    """
    gain = np.asarray(before, float) - np.asarray(after, float)
    return chi2.sf(np.maximum(gain, 0.0), 1)


def _background_row(
    model: ResonanceModel, found: Fits, data: DataSets, peak: DoubleCrystalBall, *, max_order: int
) -> dict[str, float | int | str]:
    """Return what there is to say about one fit."""
    values = found.values[0].numpy()
    errors = found.covariance[0].diagonal().sqrt().numpy()
    named = dict(zip(model.names, zip(values, errors, strict=True), strict=True))
    row: dict[str, float | int | str] = {
        "series": model.shape.series,
        "order": model.shape.order,
        "deviance": found.deviance.item(),
    }
    names = {"s": "signal", "b": "background"}
    names |= {f"theta{k}": f"shape{k}" for k in range(1, max_order + 1)}
    for short, name in names.items():
        value, error = named.get(name, (np.nan, np.nan))
        row |= {short: float(value), f"{short}_error": float(error)}
    good = bool(found.good.item())
    row["p_value"] = _background_goodness(model, found, data, peak) if good else np.nan
    return row | {"status": CONVERGED if good else FAILED}


def _background_goodness(
    model: ResonanceModel, found: Fits, data: DataSets, peak: DoubleCrystalBall
) -> float:
    """Return the p-value of one fit."""
    grid = np.linspace(*model.shape.window, N_GRID)
    mass = data.sidebands.mass[0].numpy()
    at_grid, at_events = (_expected(model.shape, found, m, peak) for m in (grid, mass))
    return goodness_of_fit(
        mass,
        np.ones_like(mass),
        scores=at_events[1] / at_events[0][:, None],
        inverse=found.covariance[0].numpy(),
        grid=grid,
        density=at_grid[0],
        slopes=at_grid[1],
    )


def _expected(
    shape: BackgroundShape, found: Fits, mass: NDArray, peak: DoubleCrystalBall
) -> tuple[NDArray, NDArray]:
    """Return expected events per GeV, shape ``(n,)``, and derivatives in all parameters."""
    s, b = found.values[0, SIGNAL].item(), found.values[0, BACKGROUND].item()
    powers = shape.powers(torch.as_tensor(mass))[None]
    density, slopes = (part[0].numpy() for part in shape.density(powers, found.values[:, 2:]))
    signal = peak.density(mass, shape.window)
    columns = [signal, density, *(b * density * slope for slope in slopes.T)]
    return s * signal + b * density, np.column_stack(columns)


def choose_background(
    table: pd.DataFrame, *, rule: Rule, level: float = 0.05, correction: float = 1.0
) -> BackgroundChoice:
    """Choose a shape among those of :func:`compare_backgrounds`.

    Args:
        table: Its result; failed fits are passed over.
        rule: ``penalised`` takes the least -2 ln L plus ``correction`` per parameter; ``ftest``
            first restricts each series to its lowest order that the next one does not improve
            on.
        level: p-value below which an order is an improvement.
        correction: Penalty of a parameter.

    Raises:
        ValueError: If no fit converged, or the rule is unknown.

    References:
        Dauncey, Kenzie, Wardle, Davies (2015), https://arxiv.org/abs/1408.6865
    """
    if rule not in ("ftest", "penalised"):
        msg = f"there is no rule {rule!r} to choose a background by: take 'ftest' or 'penalised'"
        raise ValueError(msg)
    rows = table[table["status"] == CONVERGED]
    if rows.empty:
        msg = f"none of {len(table)} background fits converged: look at the data and the window"
        raise ValueError(msg)
    if rule == "ftest":
        rows = pd.concat([_first_sufficient(part, level) for _, part in rows.groupby("series")])
    best = rows.iloc[int((rows["deviance"] + correction * rows["order"]).argmin())]
    return BackgroundChoice(str(best["series"]), int(best["order"]))


def _first_sufficient(rows: pd.DataFrame, level: float) -> pd.DataFrame:
    """Return the row of a series that the next order does not improve on."""
    rows = rows.sort_values("order")
    next_helps = (rows["p_improvement"] < level).shift(-1, fill_value=False).to_numpy(bool)
    place = int(np.argmin(next_helps))
    if place == len(rows) - 1 and rows["p_improvement"].iloc[-1] < level:
        order = rows["order"].iloc[-1]
        log.warning("%s: order %d still improves: try more", rows["series"].iloc[-1], order)
    return rows.iloc[[place]]


def discrete_profile(
    signal: ArrayLike,
    curves: ArrayLike,
    n_parameters: ArrayLike,
    *,
    correction: float = 1.0,
    rise: float = 1.0,
) -> DiscreteProfile:
    """Profile over the choice of a model, as if it were a nuisance parameter.

    Curves are refined by cubic splines; nothing is extrapolated.

    Args:
        signal: Grid [events], ascending, shape ``(n_grid,)``.
        curves: -2 ln L of each model with all else fitted, shape ``(..., n_models, n_grid)``.
        n_parameters: Number of parameters by model, shape ``(n_models,)``.
        correction: Added to -2 ln L per parameter.
        rise: -2 ln L above its minimum at the ends of the interval.

    Raises:
        ValueError: If shapes do not fit, or a curve is not finite.

    References:
        Dauncey, Kenzie, Wardle, Davies (2015), https://arxiv.org/abs/1408.6865
    """
    s, values, n = (np.asarray(x, float) for x in (signal, curves, n_parameters))
    if values.shape[-2:] != (len(n), len(s)) or len(s) < 4:
        msg = (
            f"curves of shape {values.shape} for {len(n)} models and {len(s)} signals: the last"
            " axes must be models and at least 4 signals"
        )
        raise ValueError(msg)
    if not (finite := np.isfinite(values)).all():
        place = tuple(int(i) for i in np.argwhere(~finite)[0])
        msg = f"curve {place[:-1]} is not finite at {s[place[-1]]:g} signal events: leave it out"
        raise ValueError(msg)
    fine = np.interp(np.arange(REFINEMENT * (len(s) - 1) + 1) / REFINEMENT, np.arange(len(s)), s)
    penalised = CubicSpline(s, values, axis=-1)(fine) + correction * n[:, None]
    envelope = penalised.min(axis=-2)
    at = envelope.argmin(axis=-1)
    envelope = envelope - envelope.min(axis=-1, keepdims=True)
    ended = (at == 0) | (at == len(fine) - 1)
    return DiscreteProfile(
        signal=fine,
        envelope=envelope,
        model=penalised.argmin(axis=-2),
        best=np.where(ended, np.nan, fine[at]),
        low=_lower_end(fine, envelope, rise),
        high=_lower_end(fine[::-1], envelope[..., ::-1], rise),
    )


def _lower_end(s: NDArray, envelope: NDArray, rise: float) -> NDArray[np.float64]:
    """Return where an envelope first falls to ``rise``; NaN if it starts below."""
    first = np.argmax(envelope <= rise, axis=-1)
    before = np.maximum(first - 1, 0)
    here, there = (np.take_along_axis(envelope, k[..., None], -1)[..., 0] for k in (before, first))
    share = (here - rise) / np.where(here > there, here - there, 1.0)
    return np.where(first > 0, s[before] + share * (s[first] - s[before]), np.nan)
