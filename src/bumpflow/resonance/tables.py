"""What fits of data sets say, as tables."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.resonance.background_fits import discrete_profile
from bumpflow.resonance.fitting import FitFailed, Fits, fit, fit_minuit, profile
from bumpflow.resonance.inference import discover
from bumpflow.resonance.likelihood import DataSets, ResonanceModel
from bumpflow.resonance.methods import METHODS, Result, envelope, measure, prepare, signal_spread
from bumpflow.resonance.shapes import BackgroundShape
from bumpflow.resonance.store import Measurement
from bumpflow.resonance.variations import Interpolation, Norms

log = logging.getLogger(__name__)

ENVELOPE, FAMILIES = "envelope", "families"
REACH = 3.5
"""How far curves go from the best signal [standard deviations]."""
PLAUSIBLE = 10.0
"""Background shapes are profiled over whose -2 ln L, 1 per parameter added, is at most so much
above the least."""
N_PROFILED = 15


class Fitter:
    """One data set, and the likelihoods of all methods."""

    def __init__(
        self,
        data: DataSets,
        measurement: Measurement,
        *,
        families: pd.DataFrame | None = None,
        norms: Norms | None = None,
    ) -> None:
        """Take ``data`` and what else a fit needs.

        Args:
            data: One data set.
            measurement: Densities and shapes.
            families: Background shapes that fit the mass, see
                :func:`~bumpflow.resonance.background_fits.compare_backgrounds`.
            norms: With them, systematics are piecewise.
        """
        self.data, self.measurement, self.families = data, measurement, families
        self.interpolation = (
            Interpolation() if norms is None else Interpolation("piecewise", norms)
        )

    def prepared(self, method: str) -> tuple[ResonanceModel, DataSets]:
        """Return likelihood and data of a method."""
        return prepare(
            METHODS[method],
            self.data,
            self.measurement.masses.background,
            interpolation=self.interpolation,
            others=self.measurement.others,
        )

    def fitted(self, method: str) -> tuple[Result, Fits, ResonanceModel, DataSets]:
        """Return what a method says of the signal, its fit, likelihood and data."""
        model, data = self.prepared(method)
        result, best = measure(model, data)
        return result, best, model, data


def fit_table(fitter: Fitter, methods: Sequence[str]) -> pd.DataFrame:
    """Return one row per method: signal, interval, uncertainty [events] and significance.

    Rows of ``member<number>`` are the fits of single bootstraps behind the ``envelope``;
    ``families`` profiles over the background's shape in mass. A method whose fit fails has a row
    of NaN.
    """
    rows: list[dict[str, Any]] = []
    for method in methods:
        try:
            rows += _method_rows(fitter, method)
        except FitFailed as error:
            log.warning("%s: %s", method, error)
            rows.append({"method": method, **_row(Result(np.nan, np.nan, np.nan))})
    return pd.DataFrame(rows)


def _method_rows(fitter: Fitter, method: str) -> list[dict[str, Any]]:
    """Return the rows of one method."""
    if method == ENVELOPE:
        return _envelope_rows(fitter)
    if method == FAMILIES:
        return [{"method": FAMILIES, **_row(profile_families(fitter))}]
    result, best, model, data = fitter.fitted(method)
    statistical = float(best.uncertainty[0])
    total = np.hypot(statistical, signal_spread(model, data, best)[0])
    z = discover(model, data, best).z * statistical / float(total)
    return [{"method": method, **_row(result), "z": z}]


def _row(result: Result) -> dict[str, float]:
    return {**result._asdict(), "uncertainty": result.uncertainty}


def _envelope_rows(fitter: Fitter) -> list[dict[str, Any]]:
    n_members = len(fitter.measurement.densities.backgrounds)
    model, _ = fitter.prepared("statistical")
    found = envelope(model, fitter.prepared("spread")[1], n_members)
    rows: list[dict[str, Any]] = [{"method": ENVELOPE, **_row(found.result)}]
    return rows + [
        {"method": f"member{index}", **_row(result)} for index, result in enumerate(found.members)
    ]


def profile_families(fitter: Fitter) -> Result:
    """Return what the data say of the signal with the background's shape profiled, too.

    Raises:
        ValueError: If the fitter has no table of shapes.
    """
    if fitter.families is None:
        msg = "there are no shapes to profile over: pass `families`"
        raise ValueError(msg)
    model, data = fitter.prepared("statistical")
    penalised = fitter.families["deviance"] + fitter.families["order"]
    chosen = fitter.families[penalised <= penalised.min() + PLAUSIBLE]
    best = fit(model, data)
    reach = REACH * float(best.uncertainty[0])
    signal = np.linspace(best.signal[0] - reach, best.signal[0] + reach, N_PROFILED)
    window = model.shape.window
    shapes = [
        BackgroundShape(series, int(order), window)
        for series, order in zip(chosen["series"], chosen["order"], strict=True)
    ]
    curves = [profile(replace(model, shape=shape), data, signal) for shape in shapes]
    found = discrete_profile(signal, curves, [shape.order for shape in shapes])
    return Result(float(found.best), float(found.low), float(found.high))


def curve_table(fitter: Fitter, methods: Sequence[str], *, n_points: int) -> pd.DataFrame:
    """Return profile likelihoods: ``method``, ``signal`` [events] and ``rise`` of -2 ln L.

    All curves have the same signals. A further uncertainty of the signal stretches its curve.
    """
    result, best, *_ = fitter.fitted("statistical")
    reach = REACH * float(best.uncertainty[0])
    signal = np.linspace(result.signal - reach, result.signal + reach, n_points)
    tables = []
    for method in methods:
        if method == ENVELOPE:
            with suppress(FitFailed):
                tables += _envelope_curves(fitter, signal)
            continue
        if method == FAMILIES:
            continue
        model, data = fitter.prepared(method)
        free = fit(model, data)
        if not free.good.all():
            continue
        spread = float(signal_spread(model, data, free)[0])
        stretch = np.hypot(1, spread / free.uncertainty[0])
        at = free.signal[0] + (signal - free.signal[0]) / stretch
        rise = profile(model, data, at, start=free.values) - free.deviance.item()
        tables.append(_curve(method, signal, rise))
    return pd.concat(tables, ignore_index=True)


def _curve(method: str, signal: NDArray, rise: NDArray) -> pd.DataFrame:
    return pd.DataFrame({"method": method, "signal": signal, "rise": rise})


def _envelope_curves(fitter: Fitter, signal: NDArray) -> list[pd.DataFrame]:
    n_members = len(fitter.measurement.densities.backgrounds)
    model, _ = fitter.prepared("statistical")
    curves = envelope(model, fitter.prepared("spread")[1], n_members).curve(signal)
    members = [_curve(f"member{index}", signal, rise) for index, rise in enumerate(curves)]
    return [*members, _curve(ENVELOPE, signal, curves.min(0))]


def parameter_table(fitter: Fitter, method: str) -> pd.DataFrame:
    """Return parameters of a method by Newton's method and by Minuit, with their errors."""
    _, best, model, data = fitter.fitted(method)
    minuit = fit_minuit(model, data, start=best.values)
    errors = best.covariance[0].diagonal().sqrt().cpu().numpy()
    return pd.DataFrame(
        {
            "parameter": model.names,
            "value": best.values[0].cpu().numpy(),
            "error": errors,
            "minuit_value": np.array(minuit.values),
            "minuit_error": np.array(minuit.errors),
            "minuit_valid": minuit.valid,
        }
    )
