"""Hunt bumps by counting in windows of all widths and places, with pyBumpHunter.

References:
    Choudalakis (2011), https://arxiv.org/abs/1101.0390
    Vaslin, Calvet, Donini, Boveia, pyBumpHunter (2023),
    https://doi.org/10.21468/SciPostPhysCodeb.15
"""

import io
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

if TYPE_CHECKING:
    from pyBumpHunter import BumpHunter1D

LARGEST_STATISTIC = float(-np.log(np.finfo(float).tiny))
"""Stands for the statistic of p-values that are too small for a float."""


class Hunt(NamedTuple):
    """Window with the least likely excess, and how often background alone has one like it.

    Attributes:
        p_global: Share of background-only toys whose statistic reaches the observed one.
        p_global_uncertainty: Its standard deviation by the number of toys.
        z_global: Significance of that share; where no toy reaches the observed one, that of one
            toy, a lower limit, and likewise where all do.
        z_local: Significance of the window's own p-value.
        low: Lower edge of the window [axis].
        high: Upper edge of the window [axis].
        bin: Bin in its middle, the lower one of two.
        statistic: -ln of the window's p-value.
        seconds: Time it took [s].
    """

    p_global: float
    p_global_uncertainty: float
    z_global: float
    z_local: float
    low: float
    high: float
    bin: int
    statistic: float
    seconds: float


class Scan(NamedTuple):
    """Windows with the least likely excesses of many histograms, shape ``(n_histograms,)`` each.

    Attributes:
        statistic: -ln of the window's p-value.
        bin: Bin in the window's middle, the lower one of two.
    """

    statistic: NDArray
    bin: NDArray


def hunt(
    values: NDArray,
    background: NDArray,
    edges: NDArray,
    *,
    widths: Sequence[int],
    n_toys: int,
    seed: int,
) -> Hunt:
    """Scan one histogram and its background's toys.

    Args:
        values: Counts, shape ``(n_bins,)``.
        background: Expected counts, taken as known, shape ``(n_bins,)``.
        edges: Edges of the bins, shape ``(n_bins + 1,)``.
        widths: Widths of the windows [bins], evenly spaced.
        n_toys: Background-only toys behind the global p-value, at least 2.
        seed: Seed of their random numbers.

    Raises:
        ValueError: If shapes do not fit, numbers are negative or not finite, there is no
            background, the widths are not evenly spaced, or there are fewer than 2 toys.
    """
    if n_toys < 2:
        msg = f"n_toys is {n_toys}: a global p-value needs at least 2 toys, better thousands"
        raise ValueError(msg)
    values, background = _checked(values[None], background)
    start = time.perf_counter()
    hunter = _hunter(widths, len(background), edges=edges, n_toys=n_toys, seed=seed)
    with _quiet():
        hunter.bump_scan(values[0], background, is_hist=True)
    seconds = time.perf_counter() - start
    statistic, low, middle = _window(hunter)
    n_beyond = round(hunter.global_Pval * n_toys)
    share = (n_beyond + 1) / (n_toys + 2)  # keeps the error of no toy, or of all, above 0
    return Hunt(
        p_global=n_beyond / n_toys,
        p_global_uncertainty=float(np.sqrt(share * (1 - share) / n_toys)),
        z_global=float(norm.isf(np.clip(n_beyond, 1, n_toys - 1) / n_toys)),
        z_local=float(z_of_statistic(np.array(statistic))),
        low=float(edges[low]),
        high=float(edges[low + int(hunter.min_width_ar[0])]),
        bin=middle,
        statistic=statistic,
        seconds=seconds,
    )


def scan(values: NDArray, background: NDArray, *, widths: Sequence[int]) -> Scan:
    """Scan many histograms of one background, without toys: for statistics only.

    pyBumpHunter takes one histogram at a time; this is where the loop over them is.

    Args:
        values: Counts, shape ``(n_histograms, n_bins)``.
        background: As for :func:`hunt`.
        widths: As for :func:`hunt`.

    Raises:
        ValueError: As for :func:`hunt`.
    """
    values, background = _checked(values, background)
    edges = np.arange(len(background) + 1.0)
    hunter = _hunter(widths, len(background), edges=edges, n_toys=0, seed=0)
    found = []
    with _quiet():
        for row in values:
            hunter.bump_scan(row, background, is_hist=True, do_pseudo=False)
            found.append(_window(hunter))
    statistic, _, middle = zip(*found, strict=True)
    return Scan(np.array(statistic), np.array(middle))


def z_of_statistic(statistic: NDArray) -> NDArray:
    """Return the significance of a window's p-value from its -ln; 0 where there is no excess."""
    return np.maximum(norm.isf(np.exp(-statistic)), 0.0)


def _hunter(
    widths: Sequence[int], n_bins: int, *, edges: NDArray, n_toys: int, seed: int
) -> "BumpHunter1D":
    """Return pyBumpHunter's object; all by keyword, and one thread, as threads only slow it."""
    from pyBumpHunter import BumpHunter1D

    steps = np.unique(np.diff(widths))
    if len(steps) > 1 or min(widths) < 1 or max(widths) > n_bins or np.any(steps < 1):
        msg = (
            f"window widths {list(widths)}: give ascending, evenly spaced numbers of bins from 1"
            f" to {n_bins}"
        )
        raise ValueError(msg)
    return BumpHunter1D(
        mode="excess",
        width_min=int(widths[0]),
        width_max=int(widths[-1]),
        width_step=int(steps[0]) if len(steps) else 1,
        scan_step=1,
        npe=n_toys,
        bins=edges,
        nworker=1,
        seed=seed,
    )


def _window(hunter: "BumpHunter1D") -> tuple[float, int, int]:
    """Return statistic, first and middle bin of the window that was found last."""
    statistic = min(abs(float(hunter.t_ar[0])), LARGEST_STATISTIC)  # -ln 1 is -0.0
    low = int(hunter.min_loc_ar[0])
    return statistic, low, low + (int(hunter.min_width_ar[0]) - 1) // 2


def _checked(values: NDArray, background: NDArray) -> tuple[NDArray, NDArray]:
    """Return both in double precision, or refuse them."""
    values, background = np.asarray(values, float), np.asarray(background, float)
    if values.ndim != 2 or background.shape != values.shape[1:]:
        msg = (
            f"counts of shape {values.shape[1:]} and background of shape {background.shape}: both"
            " need one number per bin"
        )
        raise ValueError(msg)
    for name, x in (("counts", values), ("background", background)):
        if not np.all(np.isfinite(x) & (x >= 0)):
            at = int(np.argwhere(~(np.isfinite(x) & (x >= 0)))[0, -1])
            msg = f"{name} in bin {at} are negative or not finite: pyBumpHunter needs raw counts"
            raise ValueError(msg)
    if not background.any():
        msg = "background is 0 in all bins: there is nothing to compare the counts with"
        raise ValueError(msg)
    return values, background


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep pyBumpHunter from printing, from NumPy's global generator and from ln 0's warning."""
    state = np.random.get_state()  # noqa: NPY002 - it seeds and draws from the global generator
    try:
        with redirect_stdout(io.StringIO()), np.errstate(divide="ignore"):
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
