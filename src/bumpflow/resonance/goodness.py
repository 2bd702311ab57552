"""Goodness of unbinned fits of the resonance variable."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

N_GRID = 8001
"""Points at which densities are integrated."""
MAX_BINS = 40
ABSORBED = 0.9
"""Directions of residuals that lose more of their variance to the fit are not tested."""


def goodness_of_fit(
    mass: NDArray,
    weights: NDArray,
    *,
    scores: NDArray,
    inverse: NDArray,
    grid: NDArray,
    density: NDArray,
    slopes: NDArray,
) -> float:
    r"""Return the p-value of residuals in bins of equal expectation after an unbinned fit.

    To first order a residual is the sum over events of :math:`w_i v_i` with
    :math:`v_{ib} = [i \in b] - (D\,C\,g_i)_b`, from which their covariance follows. Directions that
    the fit has absorbed are left out, so that p-values are uniform.

    Args:
        mass: Masses [GeV], shape ``(n,)``.
        weights: Their weights.
        scores: Slopes :math:`g` of the logarithm of each event's expected density, shape
            ``(n, n_parameters)``; a yield is among the parameters.
        inverse: Inverse :math:`C` of the curvature of -ln L.
        grid: Masses from end to end of the window, equally spaced, shape ``(n_grid,)``.
        density: Expected events per GeV there.
        slopes: Its derivatives, which give :math:`D`, shape ``(n_grid, n_parameters)``.

    References:
        Moore, Spruill (1975), https://doi.org/10.1214/aos/1176343125
    """
    n_bins = int(np.clip(2 * len(mass) ** 0.4, 8, MAX_BINS))
    rows = np.column_stack([density, slopes])
    parts = np.vstack([0 * rows[:1], np.cumsum((rows[1:] + rows[:-1]) / 2, axis=0)])
    parts *= grid[1] - grid[0]
    cuts = np.searchsorted(parts[:, 0], parts[-1, 0] * np.arange(1, n_bins) / n_bins)
    cuts = np.concatenate([[0], np.unique(cuts), [len(grid) - 1]])
    inside = np.diff(parts[cuts], axis=0)
    expected, response = inside[:, 0], inside[:, 1:] @ inverse
    members = np.searchsorted(grid[cuts[1:-1]], mass, side="right")
    n_bins = len(expected)
    observed = np.bincount(members, weights, n_bins)
    squares = np.square(weights)
    v = (members[:, None] == np.arange(n_bins)) - scores @ response.T
    root = np.sqrt(np.maximum(np.bincount(members, squares, n_bins), squares.mean()))
    v /= root
    sizes, directions = np.linalg.eigh((v * squares[:, None]).T @ v)
    tested = sizes > 1 - ABSORBED
    along = directions.T[tested] @ ((observed - expected) / root)
    return float(chi2.sf(np.sum(along**2 / sizes[tested]), tested.sum()))
