"""Scan histograms for bumps: where, how significant, how surprising, and how far to be trusted."""

import time
from collections import defaultdict
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
TOY_BINS = 1 << 21
"""Bins of toys that are drawn at a time."""
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


def scan_histograms(
    histograms: Sequence[Histogram],
    hunter: Hunter,
    *,
    calibration: Calibration,
    n_toys: int,
    degree: int,
    generators: Sequence[torch.Generator],
) -> list[Scan]:
    """Scan histograms, all with equally many and equally irregular bins at a time.

    Args:
        histograms: Counts and edges; see :func:`exposures` for edges that are not equidistant.
        hunter: The network.
        calibration: Corrections of its estimates and intervals.
        n_toys: Background-only toys behind each global p-value.
        degree: Degree of the polynomial of the profiled background.
        generators: Source of randomness of each histogram, so that none depends on the others.

    Returns:
        The scans, in the order of the histograms.
    """
    alike: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for index, histogram in enumerate(histograms):
        exposure = exposures(histogram.edges)
        key = b"" if exposure is None else exposure.numpy().tobytes()
        alike[histogram.n_bins, key].append(index)
    scans: dict[int, Scan] = {}
    for rows in alike.values():
        found = _scan_alike(
            [histograms[row] for row in rows],
            hunter,
            calibration=calibration,
            n_toys=n_toys,
            degree=degree,
            generators=[generators[row] for row in rows],
        )
        scans |= dict(zip(rows, found, strict=True))
    return [scans[row] for row in range(len(histograms))]


def _scan_alike(
    histograms: Sequence[Histogram],
    hunter: Hunter,
    *,
    calibration: Calibration,
    n_toys: int,
    degree: int,
    generators: Sequence[torch.Generator],
) -> list[Scan]:
    """Scan histograms with the same number of bins and the same exposures."""
    start = time.perf_counter()
    observed = torch.as_tensor(np.stack([histogram.values for histogram in histograms]))
    exposure = exposures(histograms[0].edges)
    found = predict(hunter, observed, exposure=exposure)
    toys = toy_maxima(
        hunter,
        found.background,
        n_toys,
        calibration=calibration,
        exposure=exposure,
        generators=generators,
    )
    z_max = estimate_z(found, calibration)
    p = global_p(z_max, toys)
    cells = cell_of(found, hunter)
    quantiles = calibration.intervals(found.quantiles.double().numpy(), cells)
    known = _describe_bins(observed, hunter, found, sigma=calibration.sigma[cells], degree=degree)
    seconds = (time.perf_counter() - start) / len(histograms)
    scans = []
    for row, histogram in enumerate(histograms):
        bins = _as_table(histogram, {name: values[row] for name, values in known.items()})
        reasons = doubts(histogram, hunter, known["background"][row])
        summary = _summarise(histogram, bins, quantiles[row])
        summary |= {
            "z_max": float(z_max[row]),
            "evidence": float(found.evidence[row]),
            "p_global": float(p.p[row]),
            "p_global_error": float(p.error[row]),
            "z_global": float(global_z(p.p[row], n_toys)),
            "n_toys": n_toys,
            "covered": not reasons,
            "reasons": "; ".join(reasons),
            "seconds": seconds,
        }
        scans.append(Scan(bins, toys[row], summary))
    return scans


def toy_maxima(
    hunter: Hunter,
    background: Tensor,
    n_toys: int,
    *,
    calibration: Calibration,
    exposure: Tensor | None = None,
    generators: Sequence[torch.Generator],
) -> NDArray[np.float64]:
    """Return the largest predicted significance of background-only toys.

    Args:
        hunter: The network.
        background: Expected counts, shape ``(n, n_bins)``.
        n_toys: Toys per histogram.
        calibration: Corrections of its estimates: those of the data that toys are compared with.
        exposure: See :meth:`~bumpflow.hunts.networks.LibraryNet.forward`.
        generators: Source of randomness of each histogram.

    Returns:
        Shape ``(n, n_toys)``.
    """
    n_rows = max(1, TOY_BINS // (n_toys * background.shape[1]))
    found = []
    for start in range(0, len(background), n_rows):
        rows = slice(start, start + n_rows)
        toys = torch.cat(
            [
                torch.poisson(row.expand(n_toys, -1), generator=generator)
                for row, generator in zip(background[rows], generators[rows], strict=True)
            ]
        )
        found.append(estimate_z(predict(hunter, toys, exposure=exposure), calibration))
    return np.concatenate(found).reshape(-1, n_toys)


def estimate_z(found: Prediction, calibration: Calibration) -> NDArray[np.float64]:
    """Return the largest significance of each predicted histogram, shape ``(n,)``."""
    median, evidence = (x.double().numpy() for x in (largest_z(found), found.evidence))
    return calibration.z_max(median, evidence)


def global_p(observed: NDArray, toys: NDArray) -> GlobalP:
    """Return the share of toys at least as significant, the observation counted as one of them.

    Args:
        observed: Largest significances, shape ``(n,)``.
        toys: Those of background-only toys, shape ``(n, n_toys)``.
    """
    n_toys = toys.shape[1]
    p = (1 + (toys >= observed[:, None]).sum(1)) / (1 + n_toys)
    return GlobalP(p, np.sqrt(p * (1 - p) / n_toys))


def global_z(p: NDArray, n_toys: int) -> NDArray[np.float64]:
    """Return significances of global p-values from toys; a p of 1 counts as the next lower one."""
    return norm.isf(np.minimum(p, n_toys / (1 + n_toys)))


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
    observed: Tensor, hunter: Hunter, found: Prediction, *, sigma: NDArray, degree: int
) -> dict[str, NDArray]:
    """Return what is known of each bin, arrays of shape ``(n, n_bins)``.

    Args:
        observed: Counts, shape ``(n, n_bins)``; in double precision.
        hunter: The network.
        found: What it predicts of them.
        sigma: Factors on the predicted standard deviations of z, shape ``(n,)``.
        degree: Degree of the polynomial of the profiled background.
    """
    n_widths = len(hunter.widths)
    mean, log_sigma = found.z[:, -1], found.log_sigma[:, -1]
    error = torch.exp(log_sigma) * torch.as_tensor(sigma)[:, None].float()
    best = found.z[:, :n_widths].argmax(1).clamp_max(n_widths - 1).numpy()
    profiled = z_profiled(observed, widths=hunter.widths, degree=degree).z.amax(1)
    return {
        "background": found.background.double().numpy(),
        "z": positive_part(mean, log_sigma).double().numpy(),
        "z_low": (mean - error).clamp_min(0).double().numpy(),
        "z_high": (mean + error).clamp_min(0).double().numpy(),
        "width": np.asarray(hunter.widths)[best],
        "z_profiled": profiled.clamp_min(0).numpy(),
    }


def _as_table(histogram: Histogram, known: dict[str, NDArray]) -> pd.DataFrame:
    """Return one row per bin of a histogram."""
    own = {
        "bin": np.arange(histogram.n_bins),
        "low": histogram.edges[:-1],
        "high": histogram.edges[1:],
        "observed": histogram.values,
    }
    return pd.DataFrame(own | known)


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


def _summarise(histogram: Histogram, bins: pd.DataFrame, quantiles: NDArray) -> dict[str, object]:
    """Return the most significant bin and its interval."""
    best = int(bins["z"].argmax())
    return {
        "histogram": histogram.name,
        "variable": histogram.variable,
        "unit": histogram.unit,
        "n_bins": histogram.n_bins,
        "n_events": float(histogram.values.sum()),
        "z_low": float(quantiles[QUANTILES.index(0.16)]),
        "z_high": float(quantiles[QUANTILES.index(0.84)]),
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
