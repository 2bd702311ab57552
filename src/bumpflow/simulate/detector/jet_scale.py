"""Correct the energy scale of jets to that of the partons behind them.

Jets lose energy to neutrinos, out of their cone and below thresholds. The correction is derived
from simulated jets that belong to quarks of top quark pairs, for b quarks and others apart, and
applied by tag.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

B_JETS, OTHER_JETS = "b", "light"
PARTON_PT_EDGES_GEV = (20, 25, 30, 35, 40, 50, 60, 75, 90, 110, 140, 180, 250, 400)
"""Bins of the transverse momenta of partons [GeV]."""
MIN_PAIRS = 30
"""Pairs of jet and parton that a bin needs to be used."""
DEGREE = 3
"""Of the polynomial in the logarithm of the transverse momentum that factors are fitted with."""
MEDIAN_ERROR = 1.2533
"""Standard deviation of a median of normal values in units of that of their mean."""


def derive_jet_scale(pairs: pd.DataFrame) -> pd.DataFrame:
    r"""Return factors that bring jets to the transverse momenta of their partons.

    By numerical inversion: in bins of the parton's transverse momentum :math:`t`, the median
    response :math:`R = p_T/t` is measured, and :math:`1/R` belongs to jets with
    :math:`p_T = R \, \bar t`. Binned in the jets' own transverse momenta, the falling spectrum
    would bias it. The factors are smoothed by a polynomial in :math:`\ln p_T`.

    Args:
        pairs: Jets and their partons, columns ``group`` (``"b"`` or ``"light"``),
            ``parton_pt_gev`` and ``jet_pt_gev``, as
            :func:`bumpflow.simulate.detector.matching.match_partons` returns them.

    Returns:
        One row per group and bin: ``group``, ``pt_gev`` (of jets before the correction, [GeV]),
        ``factor``, its ``uncertainty`` and the number ``n`` of pairs.

    Raises:
        ValueError: If a group has too few pairs.
    """
    return pd.concat([_fit(pairs, group) for group in (B_JETS, OTHER_JETS)], ignore_index=True)


def measure_responses(pairs: pd.DataFrame, jet_scale: pd.DataFrame) -> pd.DataFrame:
    """Return median responses before and after a correction, by the parton's momentum.

    Args:
        pairs: Jets and their partons, best others than the correction was derived from.
        jet_scale: Correction, as :func:`derive_jet_scale` returns it.

    Returns:
        One row per group and bin: ``group``; ``pt_gev``, the mean of the partons [GeV], and
        ``pt_low_gev`` and ``pt_high_gev`` of the bin; ``response`` and ``corrected``, medians of
        the ratio of jet to parton, and their uncertainties ``*_error``; the number ``n``.
    """
    is_b = (pairs["group"] == B_JETS).to_numpy()
    pt = pairs["jet_pt_gev"].to_numpy()
    corrected = pairs.assign(jet_pt_gev=pt * scale_factors(pt, is_b, jet_scale))
    tables = []
    for group in (B_JETS, OTHER_JETS):
        before, after = _medians(pairs, group), _medians(corrected, group)
        tables.append(
            before.assign(corrected=after["response"], corrected_error=after["response_error"])
        )
    return pd.concat(tables, ignore_index=True)


def scale_factors(
    pt: NDArray, tagged: NDArray, jet_scale: pd.DataFrame | None
) -> NDArray[np.float64]:
    """Return by what to multiply the momenta of jets.

    Args:
        pt: Transverse momenta before the correction [GeV], shape ``(n,)``.
        tagged: Whether each jet is b-tagged, shape ``(n,)``.
        jet_scale: Correction, as :func:`derive_jet_scale` returns it, interpolated in the
            logarithm and constant beyond its ends; None for none.
    """
    if jet_scale is None:
        return np.ones(len(pt))
    curves = {}
    for group in (B_JETS, OTHER_JETS):
        rows = jet_scale[jet_scale["group"] == group].sort_values("pt_gev")
        knots = np.log(rows["pt_gev"].to_numpy())
        curves[group] = np.interp(np.log(pt), knots, rows["factor"].to_numpy())
    return np.where(tagged, curves[B_JETS], curves[OTHER_JETS])


def _medians(pairs: pd.DataFrame, group: str) -> pd.DataFrame:
    """Return median responses of a group in bins of the parton's transverse momentum."""
    rows = pairs[pairs["group"] == group]
    parton = rows["parton_pt_gev"].to_numpy()
    response = rows["jet_pt_gev"].to_numpy() / parton
    edges = np.asarray(PARTON_PT_EDGES_GEV, dtype=float)
    found = np.digitize(parton, edges) - 1
    bins = [
        _describe(parton[found == place], response[found == place])
        | {"pt_low_gev": edges[place], "pt_high_gev": edges[place + 1]}
        for place in range(len(edges) - 1)
        if np.count_nonzero(found == place) >= MIN_PAIRS
    ]
    if len(bins) <= DEGREE:
        msg = (
            f"{len(rows)} pairs of a jet of group {group!r} and its parton fill {len(bins)} bins"
            f" with at least {MIN_PAIRS}, but a correction needs {DEGREE + 1}: generate more"
        )
        raise ValueError(msg)
    return pd.DataFrame(bins).assign(group=group)


def _describe(parton: NDArray, response: NDArray) -> dict[str, float]:
    """Return the median response in a bin, with its uncertainty."""
    low, median, high = np.quantile(response, [0.1587, 0.5, 0.8413])
    sigma = (high - low) / 2
    error = MEDIAN_ERROR * sigma / np.sqrt(len(response))
    return {
        "pt_gev": float(parton.mean()),
        "response": float(median),
        "response_error": float(error),
        "n": len(response),
    }


def _fit(pairs: pd.DataFrame, group: str) -> pd.DataFrame:
    """Return the smoothed factors of a group."""
    bins = _medians(pairs, group)
    response, error = bins["response"].to_numpy(), bins["response_error"].to_numpy()
    pt = bins["pt_gev"].to_numpy() * response
    x = np.log(pt)
    coefficients, covariance = np.polyfit(
        x, 1 / response, DEGREE, w=response**2 / error, cov="unscaled"
    )
    powers = np.vander(x, DEGREE + 1)
    variance = np.einsum("ij,jk,ik->i", powers, covariance, powers)
    return pd.DataFrame(
        {
            "group": group,
            "pt_gev": pt,
            "factor": powers @ coefficients,
            "uncertainty": np.sqrt(variance),
            "n": bins["n"],
        }
    )
