"""Moments of measured features, and those that others found.

References:
    Scalers of the networks in https://github.com/amorandini/param_hunt (``model_01_small_0`` and
    ``model_01_large_0``) and https://github.com/amorandini/SBI_axion: they hold mean and variance
    of the features that each was trained with.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.simulate.alps.features import FEATURES

NAN = float("nan")


class Moments(NamedTuple):
    """Means and variances of ``FEATURES``, not a number where they are unknown.

    Attributes:
        mean: Means, shape ``(10,)``.
        variance: Variances, shape ``(10,)``.
    """

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]


class Shift(NamedTuple):
    """How far moments are from a reference.

    Attributes:
        mean: Largest absolute difference of means.
        mean_of: Feature that has it.
        variance: Largest ratio of variances, the larger to the smaller one, minus 1.
        variance_of: Feature that has it.
    """

    mean: float
    mean_of: str
    variance: float
    variance_of: str


def _published(mean: tuple[float, ...], variance: tuple[float, ...], phi: float) -> Moments:
    """Return moments from a row of means of ln E and ln theta, and variances but those of phi."""
    means = [*mean[:2], *4 * [NAN], *mean[2:], 0.0, 0.0]
    return Moments(np.array(means), np.array([*variance, phi, phi]))


PUBLISHED = {
    "good": _published(
        (4.132, 2.960, -3.991, -3.739),
        (0.2114, 0.671, 1.096, 2.272, 1.130, 2.382, 0.379, 0.529),
        3.125,
    ),
    "poor": _published(
        (4.130, 2.959, -3.905, -3.680),
        (0.2139, 0.674, 1.096, 2.272, 1.130, 2.382, 0.293, 0.443),
        3.125,
    ),
    "slides": _published(
        (3.925, 2.614, -3.718, -3.460),
        (0.2133, 0.783, 0.422, 0.420, 0.438, 0.438, 0.352, 0.501),
        3.27,
    ),
}
"""By resolution: "good" and "poor" in the long set-up whose vessel is as high at the front as at
the back, "slides" in the short one; all with B to K decays only and azimuths that do not wrap."""


def measure_moments(features: pd.DataFrame) -> Moments:
    """Return means and variances of measured features.

    Args:
        features: Columns ``FEATURES``, as :func:`bumpflow.simulate.alps.features.observe` returns
            them.
    """
    x = features[list(FEATURES)].to_numpy()
    return Moments(x.mean(axis=0), x.var(axis=0))


def compare_moments(found: Moments, reference: Moments) -> Shift:
    """Return the largest differences of moments from those of a reference that are known."""
    shift = np.abs(found.mean - reference.mean)
    ratio = np.exp(np.abs(np.log(found.variance / reference.variance))) - 1
    mean, variance = int(np.nanargmax(shift)), int(np.nanargmax(ratio))
    return Shift(float(shift[mean]), FEATURES[mean], float(ratio[variance]), FEATURES[variance])
