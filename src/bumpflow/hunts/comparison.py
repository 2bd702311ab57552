"""What an analyst would find on the same histograms without a network."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.hunts import bumphunter, parametric
from bumpflow.hunts.background_fit import CONVERGED, DEGREES, X_RANGE

METHODS = ("true_plrt", "dijet", "exppoly", "pybumphunter", "pybumphunter_true")
FUNCTIONS: tuple[parametric.Name, ...] = ("dijet", "exppoly")
"""The last one's background is also pyBumpHunter's."""
MAX_HISTOGRAMS = 300
DTYPES = {
    "index": "int64",
    "method": "string",
    "z_max": "float64",
    "bin": "int64",
    "seconds": "float64",
    "status": "string",
}


class _Found(NamedTuple):
    """Best bump of one method in one histogram."""

    z_max: float
    bin: int
    status: str
    seconds: float


def compare(
    observed: NDArray,
    background: NDArray,
    *,
    widths: Sequence[float],
    rng: np.random.Generator,
    max_histograms: int = MAX_HISTOGRAMS,
    x_range: tuple[float, float] = X_RANGE,
    degrees: Sequence[int] = DEGREES,
) -> pd.DataFrame:
    """Hunt bumps in the same histograms with each method that needs no network.

    ``true_plrt`` knows the background: the profile likelihood ratio in the signal strength.
    ``dijet`` and ``exppoly`` fit theirs to the same histogram. ``pybumphunter`` counts in windows
    over the background of ``exppoly``, ``pybumphunter_true`` over the true one; their z is that
    of the window's own p-value. Fits and pyBumpHunter take one histogram at a time, so that no
    more than ``max_histograms`` are hunted in.

    Args:
        observed: Counts, shape ``(n_histograms, n_bins)``.
        background: Expected background counts, same shape, all positive.
        widths: Standard deviations of the signal to try [bins].
        rng: Chooses the histograms, where there are more.
        max_histograms: Most histograms to hunt in.
        x_range: As for :func:`bumpflow.hunts.background_fit.dijet`.
        degrees: As for :func:`bumpflow.hunts.background_fit.fit_background`.

    Returns:
        One row per histogram and method: ``index`` of the histogram, ``method``, ``z_max`` [sigma],
        ``bin`` where it is found, ``seconds`` and ``status``. Where a fit failed, ``z_max`` is
        NaN, ``bin`` is -1 and the status says why. The time of ``pybumphunter`` holds that of
        the fit that it needs.
    """
    import iminuit  # noqa: F401 - so that the first histogram's time holds no import
    import pyBumpHunter  # noqa: F401

    observed, background = np.asarray(observed, float), np.asarray(background, float)
    if observed.ndim != 2 or observed.shape != background.shape:
        msg = (
            f"counts {observed.shape} and background {background.shape} differ: give equal shapes"
        )
        raise ValueError(msg)
    chosen = np.arange(len(observed))
    if len(chosen) > max_histograms:
        chosen = np.sort(rng.choice(chosen, max_histograms, replace=False))
    windows = windows_of(widths, observed.shape[1])
    known = _known(observed[chosen], background[chosen], widths)
    rows = []
    for index, true_plrt in zip(chosen, known, strict=True):
        found = _hunt_all(
            observed[index],
            background[index],
            widths=widths,
            windows=windows,
            x_range=x_range,
            degrees=degrees,
        )
        for method, one in zip(METHODS, (true_plrt, *found), strict=True):
            rows.append({"index": index, "method": method, **one._asdict()})
    return pd.DataFrame(rows, columns=list(DTYPES)).astype(DTYPES)


def windows_of(widths: Sequence[float], n_bins: int) -> range:
    """Return widths of counting windows [bins] that suit Gaussians of the given widths [bins].

    Over a flat background the best window is 2.8 standard deviations wide; those from 2 of the
    narrowest to 4 of the widest signal are tried.
    """
    low, high = max(1, round(2 * min(widths))), max(1, round(4 * max(widths)))
    return range(min(low, n_bins), min(high, n_bins) + 1)


def _known(observed: NDArray, background: NDArray, widths: Sequence[float]) -> list[_Found]:
    """Return what the profile likelihood ratio finds with the true background."""
    import torch

    from bumpflow.hunts.targets import z_known

    start = time.perf_counter()
    z = z_known(torch.as_tensor(observed), torch.as_tensor(background), widths=widths)
    best = z.amax(dim=1).max(dim=1)
    seconds = (time.perf_counter() - start) / max(1, len(observed))
    pairs = zip(best.values.tolist(), best.indices.tolist(), strict=True)
    return [_Found(z_max, bin_, CONVERGED, seconds) for z_max, bin_ in pairs]


def _hunt_all(
    values: NDArray,
    background: NDArray,
    *,
    widths: Sequence[float],
    windows: Sequence[int],
    x_range: tuple[float, float],
    degrees: Sequence[int],
) -> list[_Found]:
    """Return what the other methods find in one histogram, in their order."""
    fits, expected = [], background
    for name in FUNCTIONS:
        start = time.perf_counter()
        hunt = parametric.hunt(values, name=name, widths=widths, x_range=x_range, degrees=degrees)
        seconds = time.perf_counter() - start
        bin_ = hunt.bin if hunt.status == CONVERGED else -1
        fits.append(_Found(hunt.z_max, bin_, hunt.status, seconds))
        expected = hunt.background
    over_fit = _count(values, expected, windows)
    over_fit = over_fit._replace(seconds=over_fit.seconds + fits[-1].seconds)
    return [*fits, over_fit, _count(values, background, windows)]


def _count(values: NDArray, background: NDArray, windows: Sequence[int]) -> _Found:
    """Return what pyBumpHunter finds over a background, which is NaN where its fit failed."""
    if np.isnan(background).any():
        return _Found(np.nan, -1, "failed: there is no background, as its fit failed", 0.0)
    start = time.perf_counter()
    found = bumphunter.scan(values[None], background, widths=windows)
    z_max = float(bumphunter.z_of_statistic(found.statistic)[0])
    return _Found(z_max, int(found.bin[0]), CONVERGED, time.perf_counter() - start)
