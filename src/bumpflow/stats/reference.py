"""Fit one workspace with pyhf and iminuit, and say what each nuisance did.

The batched fits of :mod:`bumpflow.stats.fit` are for scans and toys; this is the field's own tool,
for the results that are shown one by one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyhf
from numpy.typing import NDArray

from bumpflow.stats.fit import CONVERGED, Fixed, fit
from bumpflow.stats.model import BinnedModel, Observations, Parameters
from bumpflow.stats.workspace import POI, SHAPE, STAT, VARIATION, read_workspace


class ReferenceFit(NamedTuple):
    """A fit of one workspace.

    Attributes:
        record: ``mu``, ``mu_uncertainty``, ``status``, ``observed``, and ``prefit`` and
            ``postfit`` yields: ``signal``, ``background`` and the ``uncertainty`` of their sum
            [events per bin]. Where the fit failed, its results are none and the status says so.
        nuisances: One row per nuisance: ``parameter``, ``kind``, ``number`` (of its bin or
            variation), ``bestfit``, ``uncertainty``, ``prefit_uncertainty``, ``pull``,
            ``impact_up`` and ``impact_down`` (change of mu when it moves by its uncertainty).
    """

    record: dict[str, Any]
    nuisances: pd.DataFrame


class _Minimum(NamedTuple):
    """What minuit found: values, uncertainties and correlations of pyhf's parameters."""

    values: NDArray
    uncertainties: NDArray
    correlations: NDArray


@contextmanager
def numpy_and_minuit() -> Iterator[None]:
    """Let pyhf compute with NumPy and minimise with minuit, and restore what was set."""
    backend, optimizer = pyhf.get_backend()
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer())
    try:
        yield
    finally:
        pyhf.set_backend(backend, optimizer)


def fit_workspace(spec: Mapping[str, Any]) -> ReferenceFit:
    """Fit a workspace that :mod:`bumpflow.stats.workspace` wrote.

    Args:
        spec: Content of the workspace file.
    """
    with numpy_and_minuit():
        workspace = pyhf.Workspace(spec)
        model = workspace.model(measurement_name="signal_strength")
        data = workspace.data(model)
        prefit = _Minimum(
            np.array(model.config.suggested_init()),
            _prefit_widths(model),
            np.eye(model.config.npars),
        )
        record: dict[str, Any] = {
            "observed": list(spec["observations"][0]["data"]),
            "prefit": _yields(model, prefit),
        }
        try:
            found = _minimise(model, data)
        except pyhf.exceptions.FailedMinimization as error:
            failed = {"mu": None, "mu_uncertainty": None, "postfit": None}
            record |= failed | {"status": f"failed: {error}"}
            return ReferenceFit(record, _nuisances(spec, model, prefit, None))
        poi = model.config.poi_index
        record |= {
            "mu": float(found.values[poi]),
            "mu_uncertainty": float(found.uncertainties[poi]),
            "status": CONVERGED,
            "postfit": _yields(model, found),
        }
    return ReferenceFit(record, _nuisances(spec, model, prefit, found))


def _minimise(model: pyhf.Model, data: list[float]) -> _Minimum:
    """Fit with pyhf.

    Raises:
        pyhf.exceptions.FailedMinimization: If minuit reports no valid minimum.
    """
    result, correlations = pyhf.infer.mle.fit(
        data, model, return_uncertainties=True, return_correlations=True
    )
    return _Minimum(result[:, 0], result[:, 1], np.asarray(correlations))


def _prefit_widths(model: pyhf.Model) -> NDArray:
    """Return the uncertainty of each parameter's own constraint, 0 where it has none."""
    widths = np.zeros(model.config.npars)
    for name in model.config.par_order:
        group = model.config.param_set(name)
        if group.constrained:
            widths[model.config.par_slice(name)] = group.width()
    return widths


def _yields(model: pyhf.Model, at: _Minimum) -> dict[str, NDArray]:
    """Return the expected events of both samples, and the uncertainty of their sum.

    Linear propagation of the parameters' covariance, with numerical derivatives.
    """
    names = list(model.config.samples)
    by_sample = model.main_model.expected_data(at.values, return_by_sample=True)
    steps = 0.01 * at.uncertainties
    moving = np.flatnonzero(steps > 0)
    rows = []
    for index in moving:
        pair = []
        for sign in (1, -1):
            values = at.values.copy()
            values[index] += sign * steps[index]
            pair.append(model.main_model.expected_data(values))
        rows.append((pair[0] - pair[1]) / (2 * 0.01))
    slopes = np.array(rows)
    variance = np.einsum("ib,ij,jb->b", slopes, at.correlations[np.ix_(moving, moving)], slopes)
    return {
        **dict(zip(names, by_sample, strict=True)),
        "uncertainty": np.sqrt(np.maximum(variance, 0)),
    }


def _nuisances(
    spec: Mapping[str, Any], model: pyhf.Model, prefit: _Minimum, found: _Minimum | None
) -> pd.DataFrame:
    """Return the table of nuisances; numbers are NaN if the fit failed."""
    rows = []
    for name in model.config.par_order:
        if name == POI:
            continue
        kind = {SHAPE: "shape", STAT: "stat"}.get(name, "variation")
        place = model.config.par_slice(name)
        for offset in range(place.stop - place.start):
            number = int(name.removeprefix(f"{VARIATION}_")) - 1 if kind == "variation" else offset
            label = name if kind == "variation" else f"{name}[{offset}]"
            rows.append((label, kind, number, place.start + offset))
    table = pd.DataFrame(rows, columns=["parameter", "kind", "number", "index"])
    index = table.pop("index").to_numpy()
    width = prefit.uncertainties[index]
    empty = np.full(len(table), np.nan)
    best = empty if found is None else found.values[index]
    sigma = empty if found is None else found.uncertainties[index]
    with np.errstate(invalid="ignore", divide="ignore"):
        pull = np.where(width > 0, (best - prefit.values[index]) / width, np.nan)
    table = table.assign(bestfit=best, uncertainty=sigma, prefit_uncertainty=width, pull=pull)
    up, down = (empty, empty) if found is None else _impacts(*read_workspace(spec), table)
    return table.assign(impact_up=up, impact_down=down)


def _impacts(
    model: BinnedModel, data: Observations, table: pd.DataFrame
) -> tuple[NDArray, NDArray]:
    """Return how mu moves when each nuisance is held one uncertainty above and below its best."""
    free = fit(model, data)
    n = len(table)
    many, seen = model[np.zeros(n, int)], data.rows(np.zeros(n, int))
    moved = []
    for sign in (1.0, -1.0):
        start = Parameters(*(np.repeat(part, n, axis=0) for part in free.at))
        held = Parameters(*(np.zeros(part.shape, bool) for part in start))
        for row, (kind, number) in enumerate(zip(table["kind"], table["number"], strict=True)):
            place = {"stat": 1, "shape": 2, "variation": 3}[kind]
            start[place][row, number] += sign * table["uncertainty"].iloc[row]
            held[place][row, number] = True
        moved.append(fit(many, seen, start=start, fixed=Fixed(*held)).mu - free.mu[0])
    return moved[0], moved[1]
