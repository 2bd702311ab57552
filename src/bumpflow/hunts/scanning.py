"""Scan histograms for bumps: where, how significant, how surprising, and how far to be trusted."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import chi2, norm
from torch import Tensor

from bumpflow.hunts.calibration import Calibration, cells_of
from bumpflow.hunts.histogram import Histogram
from bumpflow.hunts.networks import QUANTILES, Prediction, largest_z, positive_part
from bumpflow.hunts.profiled import z_profiled
from bumpflow.hunts.smoothing import stabilise
from bumpflow.hunts.store import Hunter, predict

PROMINENT = 3.0
"""Significance from which a local maximum is listed as a bump."""
IRREGULAR = 0.05
"""Relative deviation of bin widths from a smooth curve from which exposures are used."""
WORST_FIT = 1e-4
"""Probability of the residuals below which a background is not described."""
RISE = 0.02
"""Relative rise of the background, over its largest value, from which it does not just fall."""


class Scan(NamedTuple):
    """Result of a scan of one histogram.

    Attributes:
        bins: One row per bin: ``bin``, ``low``, ``high`` [unit of the axis], ``observed``,
            ``background``, ``z``, ``z_low``, ``z_high``, ``width`` [bins], ``z_profiled``.
        toys: Largest significances of background-only toys, shape ``(n_toys,)``.
        summary: What there is to say of the histogram as a whole.
    """

    bins: pd.DataFrame
    toys: NDArray[np.float64]
    summary: dict[str, object]


class GlobalP(NamedTuple):
    """Global p-values of largest significances with statistical errors, shape ``(n,)`` each."""

    p: NDArray[np.float64]
    error: NDArray[np.float64]


def scan_histogram(
    histogram: Histogram,
    hunter: Hunter,
    *,
    calibration: Calibration,
    n_toys: int,
    degree: int,
    generator: torch.Generator,
) -> Scan:
    """Scan a histogram.

    Args:
        histogram: Counts and edges; see :func:`exposures` for edges that are not equidistant.
        hunter: The network.
        calibration: Corrections of its intervals.
        n_toys: Background-only toys behind the global p-value.
        degree: Degree of the polynomial of the profiled background.
        generator: Source of randomness.
    """
    start = time.perf_counter()
    observed = torch.as_tensor(histogram.values, dtype=torch.float32)[None]
    exposure = exposures(histogram.edges)
    found = predict(hunter, observed, exposure=exposure)
    toys = toy_maxima(hunter, found.background, n_toys, exposure=exposure, generator=generator)[0]
    bins = _describe_bins(histogram, hunter, found, calibration, degree=degree)
    p = global_p(largest_z(found).double().numpy(), toys[None])
    reasons = doubts(histogram, hunter, found.background[0].double().numpy())
    quantiles = calibration.intervals(found.quantiles.double().numpy(), cell_of(found, hunter))
    summary = _summarise(histogram, bins, found, quantiles[0])
    summary |= {
        "p_global": float(p.p[0]),
        "p_global_error": float(p.error[0]),
        "z_global": float(norm.isf(p.p[0])),
        "n_toys": n_toys,
        "covered": not reasons,
        "reasons": "; ".join(reasons),
        "seconds": time.perf_counter() - start,
    }
    return Scan(bins, toys, summary)


def toy_maxima(
    hunter: Hunter,
    background: Tensor,
    n_toys: int,
    *,
    exposure: Tensor | None = None,
    generator: torch.Generator,
) -> NDArray[np.float64]:
    """Return the largest predicted significance of background-only toys.

    Args:
        hunter: The network.
        background: Expected counts, shape ``(n, n_bins)``.
        n_toys: Toys per histogram.
        exposure: See :meth:`~bumpflow.hunts.networks.LibraryNet.forward`.
        generator: Source of randomness.

    Returns:
        Shape ``(n, n_toys)``.
    """
    found = []
    for row in background:
        toys = torch.poisson(row.expand(n_toys, -1), generator=generator)
        found.append(largest_z(predict(hunter, toys, exposure=exposure)))
    return torch.stack(found).double().numpy()


def global_p(observed: NDArray, toys: NDArray) -> GlobalP:
    """Return the share of toys at least as significant, the observation counted as one of them.

    Args:
        observed: Largest significances, shape ``(n,)``.
        toys: Those of background-only toys, shape ``(n, n_toys)``.
    """
    n_toys = toys.shape[1]
    p = (1 + (toys >= observed[:, None]).sum(1)) / (1 + n_toys)
    return GlobalP(p, np.sqrt(p * (1 - p) / n_toys))


def exposures(edges: NDArray) -> Tensor | None:
    """Return how much wider each bin is than a smooth sequence of widths.

    Where bins widen smoothly, as with a resolution, counts per bin are a smooth spectrum of
    their own, and bumps keep a width in bins. Other widths make counts jump from bin to bin:
    their logarithms' deviations from a parabola are taken for exposures.

    Args:
        edges: Bin edges, shape ``(n_bins + 1,)``.

    Returns:
        Factors, shape ``(n_bins,)``; None where all deviate by less than 5 %.
    """
    log_width = np.log(np.diff(edges))
    place = np.linspace(-1, 1, len(log_width))
    smooth = np.polynomial.polynomial.polyval(
        place, np.polynomial.polynomial.polyfit(place, log_width, 2)
    )
    deviation = log_width - smooth
    if np.all(np.abs(deviation) < IRREGULAR):
        return None
    return torch.as_tensor(np.exp(deviation), dtype=torch.float32)


def doubts(histogram: Histogram, hunter: Hunter, background: NDArray) -> list[str]:
    """Return why a histogram lies outside what training covered; nothing if it does not."""
    low, high = hunter.n_bins
    least, most = hunter.counts
    reasons = []
    if not low <= histogram.n_bins <= high:
        reasons.append(f"{histogram.n_bins} bins, trained with {low} to {high}")
    if background.min() < least / 2 or background.max() > 2 * most:
        reasons.append(
            f"background of {background.min():.3g} to {background.max():.3g} entries per bin,"
            f" trained with {least:.3g} to {most:.3g}"
        )
    rise = np.max(background - np.minimum.accumulate(background))
    if rise > RISE * background.max():
        reasons.append(f"predicted background rises by {rise:.3g} entries, trained with falling")
    probability, square, n_dof = _residuals(histogram.values, background)
    if probability < WORST_FIT:
        reasons.append(
            f"background does not describe the counts: chi2 of {square:.0f} in {n_dof} bins"
            f" away from the most significant one, p = {probability:.1g}"
        )
    return reasons


def _residuals(observed: NDArray, background: NDArray) -> tuple[float, float, int]:
    """Return how likely counts are, without the quarter of the bins around the worst excess."""
    n_bins = len(observed)
    pulls = stabilise(torch.as_tensor(observed)) - stabilise(torch.as_tensor(background))
    worst = int(np.argmax(np.convolve(pulls.numpy(), np.ones(3), mode="same")))
    away = np.abs(np.arange(n_bins) - worst) > n_bins // 8
    square = float((pulls.numpy()[away] ** 2).sum())
    return float(chi2.sf(square, away.sum())), square, int(away.sum())


def _describe_bins(
    histogram: Histogram,
    hunter: Hunter,
    found: Prediction,
    calibration: Calibration,
    *,
    degree: int,
) -> pd.DataFrame:
    """Return what is known of each bin."""
    n_widths = len(hunter.widths)
    mean, log_sigma = found.z[:, -1], found.log_sigma[:, -1]
    sigma = torch.exp(log_sigma) * float(calibration.sigma[cell_of(found, hunter)[0]])
    best = found.z[0, :n_widths].argmax(0).clamp_max(n_widths - 1).numpy()
    observed = torch.as_tensor(histogram.values, dtype=torch.float64)[None]
    profiled = z_profiled(observed, widths=hunter.widths, degree=degree).z.amax(1)
    return pd.DataFrame(
        {
            "bin": np.arange(histogram.n_bins),
            "low": histogram.edges[:-1],
            "high": histogram.edges[1:],
            "observed": histogram.values,
            "background": found.background[0].double().numpy(),
            "z": positive_part(mean, log_sigma)[0].double().numpy(),
            "z_low": (mean - sigma).clamp_min(0)[0].double().numpy(),
            "z_high": (mean + sigma).clamp_min(0)[0].double().numpy(),
            "width": np.asarray(hunter.widths)[best],
            "z_profiled": profiled.clamp_min(0)[0].numpy(),
        }
    )


def cell_of(found: Prediction, hunter: Hunter) -> NDArray[np.int64]:
    """Return the calibration's cell of each predicted histogram."""
    z = positive_part(found.z, found.log_sigma)
    n, _, n_bins = z.shape
    largest = z[:, : len(hunter.widths)].amax(2)
    widths = np.asarray(hunter.widths)[largest.argmax(1).numpy()]
    counts = torch.exp(torch.log(found.background).mean(1)).double().numpy()
    return cells_of(np.full(n, n_bins), counts, widths)


def list_bumps(bins: pd.DataFrame) -> pd.DataFrame:
    """Return the local maxima of z above 3 that are the largest within their width.

    Args:
        bins: One row per bin of one histogram, see :class:`Scan`.
    """
    z, width = bins["z"].to_numpy(), bins["width"].to_numpy()
    place = np.arange(len(z))
    near = np.abs(place[:, None] - place) <= np.maximum(width, 1.0)[:, None]
    highest = np.where(near, z, -np.inf).max(1)
    chosen = bins[(z >= PROMINENT) & (z == highest)]
    return chosen.sort_values("z", ascending=False, ignore_index=True)


def _summarise(
    histogram: Histogram, bins: pd.DataFrame, found: Prediction, quantiles: NDArray
) -> dict[str, object]:
    """Return the most significant bin and its interval."""
    best = int(bins["z"].argmax())
    return {
        "histogram": histogram.name,
        "variable": histogram.variable,
        "unit": histogram.unit,
        "n_bins": histogram.n_bins,
        "n_events": float(histogram.values.sum()),
        "z_max": float(largest_z(found)[0]),
        "z_low": float(quantiles[QUANTILES.index(0.16)]),
        "z_high": float(quantiles[QUANTILES.index(0.84)]),
        "evidence": float(found.evidence[0]),
        "bin": best,
        "low": float(histogram.edges[best]),
        "high": float(histogram.edges[best + 1]),
        "width": float(bins["width"][best]),
    }


def rank(summaries: Sequence[dict[str, object]]) -> pd.DataFrame:
    """Return one row per histogram, the most surprising first, with its ``rank`` from 1."""
    table = pd.DataFrame(list(summaries))
    order = ["p_global", "z_max", "histogram"]
    table = table.sort_values(order, ascending=[True, False, True], ignore_index=True)
    return table.assign(rank=np.arange(1, len(table) + 1))
