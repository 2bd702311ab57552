"""Everything that a search reports of a model: signal strength, significance and limits."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.stats.asymptotics import BANDS, discover, upper_limits
from bumpflow.stats.fit import CONVERGED, STUCK, fit
from bumpflow.stats.model import BinnedModel, observe, without_nuisances

STEP = 0.05
"""Step of numerical derivatives by a bin's count [standard deviations of the count]."""
EXPECTED = [f"limit_{name}" for name in ("m2", "m1", "0", "p1", "p2")]


class Counts(NamedTuple):
    """Asimov data from finite Monte Carlo: counts and variances, ``(n_models, n_bins)`` each."""

    values: NDArray
    variances: NDArray


def measure(
    model: BinnedModel, injected: Counts, background: Counts, *, confidence: float
) -> pd.DataFrame:
    """Fit data with and without signal, and return one row per model.

    Args:
        model: Models.
        injected: Data with signal.
        background: Data without.
        confidence: Confidence level of the limits.

    Returns:
        Columns ``mu_hat``, ``mu_uncertainty`` (the fit's) and ``mu_mc_uncertainty`` (because the
        Monte Carlo behind the data is finite) with signal; ``spurious`` (fitted signal
        strength), ``spurious_mc_uncertainty``, ``stat_uncertainty`` (of the signal strength,
        from the counts alone), ``z0``, ``p0``, ``limit_observed`` and ``limit_m2`` to
        ``limit_p2`` without; ``status``. Where a fit failed the status says so, and all
        numbers of that row are NaN.
    """
    with_signal = fit(model, observe(model, injected.values))
    data = observe(model, background.values)
    without = fit(model, data)
    statistical = fit(without_nuisances(model), data._replace(variations=data.variations[:, :0]))
    discovery = discover(model, data)
    limits = upper_limits(model, data, confidence=confidence)
    table = pd.DataFrame(
        {
            "mu_hat": with_signal.mu,
            "mu_uncertainty": with_signal.uncertainty,
            "mu_mc_uncertainty": propagate(model, injected),
            "spurious": without.mu,
            "spurious_mc_uncertainty": propagate(model, background),
            "stat_uncertainty": statistical.uncertainty,
            "z0": discovery.z,
            "p0": discovery.p0,
            "limit_observed": limits.observed,
            **{name: limits.expected[:, column] for column, name in enumerate(EXPECTED)},
        }
    )
    assert len(EXPECTED) == len(BANDS)
    good = with_signal.good & without.good & statistical.good & discovery.good
    status = np.where(good, np.array(limits.status), STUCK)
    table.loc[status != CONVERGED] = np.nan
    return table.assign(status=status)


def propagate(model: BinnedModel, data: Counts) -> NDArray:
    """Return the uncertainty of the fitted signal strength from uncertain Asimov data.

    Linear propagation: each bin's count is moved up and down on its own.

    Args:
        model: Models.
        data: Their data; bins are independent.

    Returns:
        Shape ``(n_models,)``; NaN where a fit failed.
    """
    n_models, n_bins = data.values.shape
    rows = np.repeat(np.arange(n_models), n_bins)
    many = model[rows]
    sigma = np.sqrt(data.variances)
    unit = np.tile(np.eye(n_bins), (n_models, 1))
    moved = []
    for sign in (1, -1):
        counts = data.values[rows] + sign * STEP * sigma[rows] * unit
        moved.append(fit(many, observe(many, np.maximum(counts, 0.0))).mu)
    slopes = ((moved[0] - moved[1]) / (2 * STEP)).reshape(n_models, n_bins)
    return np.sqrt((slopes**2).sum(axis=1))
