"""How well scores of pairs, or of events, tell signal from background."""

import numpy as np
from numpy.typing import NDArray

from bumpflow.stats.toys import Measured


def rejection(background: NDArray, signal: NDArray, *, efficiency: float) -> Measured:
    r"""Return :math:`1 / \varepsilon_b` where the signal efficiency is at least the given one.

    The error is binomial: that of :math:`\varepsilon_b`, and that of :math:`\varepsilon_s`, which
    moves the threshold. The area under the same curve comes from
    :func:`bumpflow.evaluate.c2st.area_under_curve`.

    Args:
        background: Scores of background, shape ``(n,)``.
        signal: Scores of signal, shape ``(m,)``; higher scores are kept.
        efficiency: Signal efficiency :math:`\varepsilon_s`.

    Raises:
        ValueError: If no background is left: then there are too few to tell.
    """
    spread = np.sqrt(efficiency * (1 - efficiency) / len(signal))
    wanted = (efficiency + spread * np.array([-1, 0, 1])) * len(signal)
    n_kept = np.ceil(wanted - 1e-9).astype(int).clip(1, len(signal))
    cuts = np.sort(signal)[len(signal) - n_kept]
    kept = np.mean(background >= cuts[:, None], axis=1)
    if kept[1] == 0:
        msg = (
            f"no background of {len(background)} passes at a signal efficiency of {efficiency}:"
            " its rejection needs more background, or a higher efficiency"
        )
        raise ValueError(msg)
    variance = kept[1] * (1 - kept[1]) / len(background) + ((kept[2] - kept[0]) / 2) ** 2
    return Measured(float(1 / kept[1]), float(np.sqrt(variance) / kept[1] ** 2))


def efficiency(scores: NDArray, *, threshold: float) -> Measured:
    """Return the share of scores above a threshold, with its binomial error.

    Args:
        scores: Scores, shape ``(n,)``.
        threshold: Threshold.
    """
    share = float(np.mean(scores > threshold))
    return Measured(share, float(np.sqrt(share * (1 - share) / len(scores))))
