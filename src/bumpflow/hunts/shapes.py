r"""Smooth shapes of the falling parts of mass spectra, as cubic polynomials of the logarithm.

A bin of weighted events has a sum of weights W with variance V. Its shape is fitted as if
:math:`W s` were Poisson distributed about :math:`\mu s`, where the scale :math:`s = W/V` is
averaged over neighbouring bins: effective counts. For events of one common weight these are the
numbers of events.

References:
    Bohm, Zech (2014), weighted counts, https://arxiv.org/abs/1309.1287
"""

import logging
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.stats import chi2 as chi2_distribution

from bumpflow.hunts.categories import Spectra
from bumpflow.hunts.objects import category_name

log = logging.getLogger(__name__)

N_POWERS = 4
SMOOTHING = 1.5
"""Standard deviation of the Gaussian that spectra and scales are smoothed with [bins]."""
MIN_EXPECTED = 5.0
"""Effective counts that groups of bins expect in a chi2, about: neighbours are merged."""
MIN_P_VALUE = 1e-3
MAX_STEPS = 60
MAX_HALVINGS = 12
MAX_CUTS = 4
"""How often a range may be cut to where its fit falls."""
MAX_EXPONENT = 100.0
TOLERANCE = 1e-8
RIDGE = 1e-12

SHORT, SPARSE, UNFITTED, RISING, POOR = "short", "sparse", "unfitted", "rising", "poor"
REASONS = {
    SHORT: "fewer bins from the maximum to the end than asked for",
    SPARSE: "too few effective events in them",
    UNFITTED: "fit did not converge",
    RISING: "fit does not fall everywhere",
    POOR: f"fit has p < {MIN_P_VALUE:g}",
}
"""Why spectra give no shape."""


class Shapes(NamedTuple):
    """Fitted shapes of spectra.

    Attributes:
        coefficients: Of x^0 to x^3 in ln n, n expected counts per bin, shape ``(n, 4)``.
        chi2: Of effective counts, neighbours merged where few are expected, shape ``(n,)``.
        n_dof: Degrees of freedom, shape ``(n,)``.
        converged: Whether the likelihood's maximum was found, shape ``(n,)``.
    """

    coefficients: NDArray[np.float64]
    chi2: NDArray[np.float64]
    n_dof: NDArray[np.int64]
    converged: NDArray[np.bool_]


def shape_counts(coefficients: NDArray, n_bins: NDArray | int) -> NDArray[np.float64]:
    r"""Return expected counts :math:`\exp(\sum_k c_k x^k)` with :math:`x = (i + 1/2)/n`.

    Args:
        coefficients: Lowest power first, shape ``(n_shapes, 4)``.
        n_bins: Number of bins of all shapes, or of each, shape ``(n_shapes,)``.

    Returns:
        Counts, shape ``(n_shapes, n_bins)`` with the largest number of bins; 0 beyond a
        shape's own.
    """
    lengths = np.broadcast_to(n_bins, len(coefficients))
    x, inside = _positions(lengths, int(lengths.max(initial=0)))
    exponent = np.einsum("nik,nk->ni", _powers(x), coefficients)
    return np.where(inside, np.exp(np.minimum(exponent, MAX_EXPONENT)), 0.0)


def effective_counts(values: NDArray, variances: NDArray) -> tuple[NDArray, NDArray]:
    """Return counts that are about Poisson distributed, and the scales that make them so.

    The scale of a bin is the ratio of the smoothed sums around it: that of the bin alone would
    follow its fluctuation, and be unknown where a bin is empty.

    Args:
        values: Sums of weights, shape ``(n, n_bins)``.
        variances: Sums of squared weights, shape ``(n, n_bins)``.

    Returns:
        Effective counts and scales, effective counts per sum of weights, shape ``(n, n_bins)``
        each.
    """
    # Far from all events both vanish: the whole spectrum's ratio, as little as 1e-9 of it, stays.
    floor = 1e-9
    total, squares = (sums.sum(axis=1, keepdims=True) for sums in (values, variances))
    near = _smoothed(values) + floor * total
    near_squares = _smoothed(variances) + floor * squares
    scales = np.divide(near, near_squares, out=np.ones_like(near), where=near_squares > 0)
    return values * scales, scales


def falling_part(values: NDArray, *, max_bins: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where spectra begin to fall, and where they end.

    A spectrum falls from the bin in which it is highest once smoothed; this leaves out the turn
    on that thresholds of the objects cause. It ends with its last bin that has entries, or after
    ``max_bins`` bins.

    Args:
        values: Sums of weights, shape ``(n, n_bins)``, zeros after a spectrum's end.
        max_bins: Most bins to keep.

    Returns:
        First bin and the one after the last, shape ``(n,)`` each.
    """
    start = np.argmax(_smoothed(values), axis=1)
    last = values.shape[1] - np.argmax(values[:, ::-1] > 0, axis=1)
    return start, np.minimum(last, start + max_bins)


def fit_shapes(counts: NDArray, scales: NDArray, n_bins: NDArray) -> Shapes:
    r"""Fit :math:`\ln n = c_0 + c_1 x + c_2 x^2 + c_3 x^3` to many spectra at once.

    The Poisson likelihood of the effective counts, with expectation n times the scale, is
    maximised by Newton's method, all spectra in step; steps are halved while they worsen the
    likelihood, which has one maximum only.

    Args:
        counts: Effective counts, shape ``(n, n_most)``; what is beyond a row's bins is ignored.
        scales: Effective counts per expected event, all positive, shape ``(n, n_most)``.
        n_bins: Bins of each spectrum, shape ``(n,)``.
    """
    x, inside = _positions(n_bins, counts.shape[1])
    design = np.where(inside[..., None], _powers(x), 0.0)
    observed = np.where(inside, counts, 0.0)
    offset = np.log(np.where(inside, scales, 1.0))
    coefficients = _first_guess(design, observed, offset, inside)
    converged = np.zeros(len(counts), dtype=bool)
    for _ in range(MAX_STEPS):
        step, decrement = _newton_step(design, observed, offset, inside, coefficients)
        converged = decrement < TOLERANCE
        if converged.all():
            break
        step[converged] = 0
        coefficients = _improve(design, observed, offset, inside, coefficients, step)
    expected = _expected(design, offset, inside, coefficients)
    chi2, n_dof = merged_chi2(observed, expected)
    return Shapes(coefficients, chi2, n_dof, converged)


def merged_chi2(observed: NDArray, expected: NDArray) -> tuple[NDArray, NDArray[np.int64]]:
    """Return Pearson's chi2 with neighbours merged where fewer than five events are expected.

    A group ends where the sum of expectations passes a multiple of five, so that some expect
    three and others seven.

    Args:
        observed: Counts, shape ``(n, n_bins)``.
        expected: Fitted expectations, shape ``(n, n_bins)``, 0 beyond a spectrum's end.

    Returns:
        chi2 and degrees of freedom, groups of bins less four parameters, shape ``(n,)`` each.
    """
    middle = np.cumsum(expected, axis=1) - 0.5 * expected
    n_most = expected.shape[1]
    last = np.maximum(expected.sum(axis=1, keepdims=True) // MIN_EXPECTED - 1, 0)
    # Ranks of the values of the quotient: bins that expect more than five skip some.
    label = np.minimum(np.minimum(middle // MIN_EXPECTED, last), 2**52)
    new = np.diff(label, axis=1, prepend=label[:, :1]) > 0
    group = np.cumsum(new, axis=1) + n_most * np.arange(len(label))[:, None]
    size = n_most * len(label)
    sums = [
        np.bincount(group.ravel(), c.ravel(), minlength=size).reshape(len(label), n_most)
        for c in (observed, expected)
    ]
    pulls = np.divide(
        (sums[0] - sums[1]) ** 2, sums[1], out=np.zeros(sums[1].shape), where=sums[1] > 0
    )
    n_groups = np.sum(sums[1] > 0, axis=1)
    return pulls.sum(axis=1), n_groups - N_POWERS


def fit_spectra(
    blocks: Iterable[Spectra], *, n_bins: tuple[int, int], min_events: float
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the shapes of all spectra whose falling part a cubic polynomial describes.

    Args:
        blocks: Spectra, some at a time.
        n_bins: Fewest and most bins of the falling part.
        min_events: Fewest effective events there.

    Returns:
        One row per shape with columns ``category``, ``combination``, ``low_gev``, ``high_gev``,
        ``n_bins``, ``n_events`` (effective), ``c0`` to ``c3``, ``chi2`` and ``n_dof``; and
        numbers of spectra without one by reason, see :data:`REASONS`.
    """
    tables, dropped = [_as_table([])], Counter(dict.fromkeys(REASONS, 0))
    for block in blocks:
        table, reasons = _fit_block(block, n_bins=n_bins, min_events=min_events)
        tables.append(table)
        dropped.update(reasons)
    shapes = pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)
    log.info("%d spectra have a smoothly falling shape", len(shapes))
    for reason, words in REASONS.items():
        log.info("%d spectra dropped: %s", dropped[reason], words)
    return shapes, dict(dropped)


def split_shapes(shapes: pd.DataFrame) -> pd.DataFrame:
    """Return shapes by category and combination, every other one for training and for tests.

    Args:
        shapes: See :func:`fit_spectra`.

    Returns:
        The same, in this order, with ``split``, ``train`` or ``test``.
    """
    ordered = shapes.sort_values(["category", "combination"], ignore_index=True)
    names = np.resize(np.array(["train", "test"], dtype=object), len(ordered))
    return ordered.assign(split=pd.Series(names, dtype="str"))


def _fit_block(
    block: Spectra, *, n_bins: tuple[int, int], min_events: float
) -> tuple[pd.DataFrame, Counter[str]]:
    """Return the shapes of some spectra, and how many have none by reason."""
    counts, scales = effective_counts(block.values, block.variances)
    start, stop = falling_part(block.values, max_bins=n_bins[1])
    for cuts_left in reversed(range(MAX_CUTS + 1)):
        part, length = _window(counts, start, stop), stop - start
        n_events = part.sum(axis=1)
        reason = np.where(n_events < min_events, SPARSE, np.full(len(part), "", dtype=object))
        reason[length < n_bins[0]] = SHORT
        rows = np.flatnonzero(reason == "")
        scale = _window(scales, start, stop, fill=1.0)
        fits = fit_shapes(part[rows], scale[rows], length[rows])
        first, last = _falling_range(fits.coefficients, length[rows])
        rises = (first > 0) | (last < length[rows])
        if not cuts_left or not rises.any():
            break
        stop[rows] = start[rows] + last
        start[rows] += first
    reason[rows] = _judge(fits, rises | _rises_somewhere(fits.coefficients, n_bins[1]))
    kept = reason[rows] == ""
    good = rows[kept]
    table = _as_table(
        [
            *_ranges(block, good, start[good], stop[good]),
            n_events[good],
            *fits.coefficients[kept].T,
            fits.chi2[kept],
            fits.n_dof[kept],
        ]
    )
    return table, Counter(reason[reason != ""].tolist())


def _ranges(block: Spectra, rows: NDArray, start: NDArray, stop: NDArray) -> list[NDArray]:
    """Return category, combination, lowest and highest mass and number of bins of shapes."""
    names = np.array([category_name(code) for code in block.category[rows]], dtype=object)
    edges = block.edges
    combination = block.combination[rows].astype(object)
    return [names, combination, edges[rows, start], edges[rows, stop], stop - start]


def _judge(fits: Shapes, rises: NDArray[np.bool_]) -> NDArray:
    """Return why fits are not good, empty for good ones."""
    poor = chi2_distribution.sf(fits.chi2, np.maximum(fits.n_dof, 1)) < MIN_P_VALUE
    faults = [~fits.converged, fits.n_dof < 1, rises, poor]
    return np.select(faults, [UNFITTED, SPARSE, RISING, POOR], default="").astype(object)


def _falling_range(coefficients: NDArray, n_bins: NDArray) -> tuple[NDArray, NDArray]:
    """Return the highest bin of shapes, and the one after the lowest that follows it."""
    counts = shape_counts(coefficients, n_bins)
    place = np.arange(counts.shape[1])
    first = counts.argmax(axis=1) if counts.size else np.zeros(len(counts), dtype=np.int64)
    behind = (place >= first[:, None]) & (place < n_bins[:, None])
    behind = np.where(behind, counts, np.inf)
    return first, (behind.argmin(axis=1) if counts.size else first) + 1


def _rises_somewhere(coefficients: NDArray, n_bins: int) -> NDArray[np.bool_]:
    """Return whether shapes rise between any two of some bins."""
    return np.any(np.diff(shape_counts(coefficients, n_bins), axis=1) > 0, axis=1)


def _window(rows: NDArray, start: NDArray, stop: NDArray, *, fill: float = 0.0) -> NDArray:
    """Return each row from its start to its stop, all shifted to begin at 0."""
    length = stop - start
    place = np.arange(max(int(length.max(initial=1)), 1))
    index = np.minimum(start[:, None] + place, rows.shape[1] - 1)
    return np.where(place < length[:, None], np.take_along_axis(rows, index, axis=1), fill)


def _as_table(columns: list[NDArray]) -> pd.DataFrame:
    """Return shapes as a table; without columns an empty one."""
    types = dict.fromkeys(("category", "combination"), "str") | dict.fromkeys(
        ("low_gev", "high_gev"), "float64"
    )
    types |= {"n_bins": "int64", "n_events": "float64"}
    types |= {f"c{power}": "float64" for power in range(N_POWERS)}
    types |= {"chi2": "float64", "n_dof": "int64"}
    filled = columns or [np.empty(0)] * len(types)
    return pd.DataFrame(dict(zip(types, filled, strict=True))).astype(types)


def _smoothed(values: NDArray) -> NDArray[np.float64]:
    """Return averages around each bin, of those bins that there are."""

    def blur(rows: NDArray) -> NDArray:
        return gaussian_filter1d(rows, SMOOTHING, axis=-1, mode="constant")

    return blur(np.asarray(values, float)) / blur(np.ones(values.shape[-1]))


def _positions(n_bins: NDArray, n_most: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return relative positions of the bins' centres, and which belong to each row."""
    place = np.arange(n_most)
    length = np.asarray(n_bins)[:, None]
    return (place + 0.5) / np.maximum(length, 1), place < length


def _powers(x: NDArray) -> NDArray[np.float64]:
    return x[..., None] ** np.arange(N_POWERS)


def _expected(
    design: NDArray, offset: NDArray, inside: NDArray, coefficients: NDArray
) -> NDArray[np.float64]:
    """Return expected effective counts."""
    exponent = np.einsum("nik,nk->ni", design, coefficients) + offset
    return np.where(inside, np.exp(np.clip(exponent, -MAX_EXPONENT, MAX_EXPONENT)), 0.0)


def _first_guess(
    design: NDArray, observed: NDArray, offset: NDArray, inside: NDArray
) -> NDArray[np.float64]:
    """Return the weighted least squares fit of the logarithms of counts."""
    shifted = observed + 0.5
    return _solve(design, np.where(inside, shifted, 0), (np.log(shifted) - offset) * shifted)


def _newton_step(
    design: NDArray, observed: NDArray, offset: NDArray, inside: NDArray, coefficients: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Newton's step, and by how much the likelihood may still rise, twice."""
    expected = _expected(design, offset, inside, coefficients)
    left = observed - expected
    step = _solve(design, expected, left)
    return step, np.einsum("nik,ni,nk->n", design, left, step)


def _solve(design: NDArray, weights: NDArray, right: NDArray) -> NDArray[np.float64]:
    """Return solutions of the normal equations of all rows."""
    matrix = np.einsum("nik,ni,nil->nkl", design, weights, design, optimize=True)
    ridge = RIDGE * np.trace(matrix, axis1=1, axis2=2) + np.finfo(float).tiny
    matrix += ridge[:, None, None] * np.eye(N_POWERS)
    vector = np.einsum("nik,ni->nk", design, right)
    return np.linalg.solve(matrix, vector[..., None])[..., 0]


def _improve(
    design: NDArray,
    observed: NDArray,
    offset: NDArray,
    inside: NDArray,
    coefficients: NDArray,
    step: NDArray,
) -> NDArray[np.float64]:
    """Take steps, halved where the likelihood would fall."""

    def loss(parameters: NDArray) -> NDArray:
        expected = _expected(design, offset, inside, parameters)
        exponent = np.einsum("nik,nk->ni", design, parameters)
        return (expected - observed * exponent).sum(axis=1)

    before = loss(coefficients)
    for _ in range(MAX_HALVINGS):
        worse = loss(coefficients + step) > before + 1e-9 * np.abs(before)
        if not worse.any():
            break
        step[worse] /= 2
    return coefficients + step
