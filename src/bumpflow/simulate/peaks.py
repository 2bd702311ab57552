"""Where a distribution peaks, with its uncertainty."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

BINS_PER_WIDTH = 10
N_BOOTSTRAP = 200


class Peak(NamedTuple):
    """Position of the highest density, in the unit of the values, and its uncertainty."""

    position: float
    uncertainty: float


def find_peak(
    values: NDArray, *, low: float, high: float, width: float, rng: np.random.Generator
) -> Peak:
    """Return where the density of values, smoothed with a Gaussian, is highest.

    The uncertainty is the spread of the same over bootstraps: Poisson fluctuations of a fine
    histogram.

    Args:
        values: Values such as masses [GeV], shape ``(n,)``.
        low: Lower end of the range to look in.
        high: Upper end of it.
        width: Standard deviation of the smoothing, in the unit of the values; well below the
            peak's own width.
        rng: Source of the bootstraps.

    Raises:
        ValueError: If no value lies inside the range.
    """
    n_bins = max(round((high - low) / width * BINS_PER_WIDTH), 10)
    counts, edges = np.histogram(values, bins=n_bins, range=(low, high))
    if not counts.any():
        msg = f"there is no peak: none of {len(values)} values lies in [{low}, {high}]"
        raise ValueError(msg)
    centres = (edges[1:] + edges[:-1]) / 2
    samples = np.concatenate([counts[None], rng.poisson(counts, size=(N_BOOTSTRAP, n_bins))])
    smooth = gaussian_filter1d(samples.astype(float), BINS_PER_WIDTH, axis=1, mode="constant")
    position = centres[smooth.argmax(axis=1)]
    return Peak(float(position[0]), float(position[1:].std()))
