"""Significance of a bump at every bin of many histograms, with the background known or fitted."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from bumpflow.memory import in_chunks

REACH = 4.5
"""How far a signal's template extends from its centre [standard deviations]."""
MAX_STEPS = 30
TOLERANCE = 1e-5
SMALL = 0.03
"""Up to which relative correction of third order the series stands in for Newton's method."""
CHUNK = 1 << 22


def template(width: float, *, sampled: bool = False) -> Tensor:
    """Return the expected counts of one signal event in the bins around its centre.

    Args:
        width: Standard deviation of the signal [bins].
        sampled: Whether to take the Gaussian density at the bins' centres, as the 2022 paper
            does, instead of its integral over each bin.

    Returns:
        Shares, shape ``(2 * reach + 1,)``; in double precision.
    """
    reach = math.ceil(REACH * width)
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float64)
    if sampled:
        return torch.exp(-0.5 * (offsets / width) ** 2) / (width * math.sqrt(2 * math.pi))
    upper = torch.special.ndtr((offsets + 0.5) / width)
    return upper - torch.special.ndtr((offsets - 0.5) / width)


def z_known(
    observed: Tensor, background: Tensor, *, widths: Sequence[float], sampled: bool = False
) -> Tensor:
    r"""Return the profile-likelihood-ratio significance of a bump at every bin.

    For each bin the template is a Gaussian centred there, cut off at the histogram's ends, and
    :math:`z = \sqrt{q_0}` with :math:`q_0 = 2 \ln L(\hat\mu) / L(0)`, where the background is
    known and the signal strength is the only parameter. The logarithmic likelihood is concave
    in it and its slope convex, so Newton's method from 0 approaches the maximum from below.
    Deficits get the score test's negative significance, which continues :math:`z` through 0.

    Args:
        observed: Counts, shape ``(n_histograms, n_bins)``; any non-negative numbers.
        background: Expected background counts, same shape, all positive.
        widths: Standard deviations of the signal to try [bins].
        sampled: As for :func:`template`.

    Returns:
        Signed significances, shape ``(n_histograms, n_widths, n_bins)``, in the precision of
        ``observed``.

    References:
        Cowan, Cranmer, Gross, Vitells (2011), https://arxiv.org/abs/1007.1727
    """
    kernels = [template(width, sampled=sampled).to(observed) for width in widths]
    n_rows = max(1, CHUNK // (observed.shape[1] * max(len(kernel) for kernel in kernels)))

    def of_rows(rows: slice) -> Tensor:
        n, b = observed[rows], background[rows]
        return torch.stack([_z_of_kernel(n, b, kernel) for kernel in kernels], 1)

    return torch.cat(list(in_chunks(of_rows, len(observed), n_rows)))


def _z_of_kernel(n: Tensor, b: Tensor, kernel: Tensor) -> Tensor:
    """Return signed significances for one template, shape ``(n_histograms, n_bins)``."""
    score = correlate(n / b - 1, kernel)
    # Moments of the slope's expansion around no signal: I, J and K with s/b to powers 2, 3, 4.
    ratio = n / b**2
    information = correlate(ratio, kernel**2)
    cubic = correlate(ratio / b, kernel**3)
    quartic = correlate(ratio / b**2, kernel**4)
    first = score / information
    second, third = cubic * first / information, quartic * first**2 / information
    z = score * torch.rsqrt(information) * torch.sqrt(1 + second / 1.5 + second**2 - third / 2)
    rows, bins = torch.nonzero(~(second <= SMALL) & (score > 0), as_tuple=True)
    if len(rows):
        counts, expected = (
            _windows(n, kernel, rows, bins, 0.0),
            _windows(b, kernel, rows, bins, 1.0),
        )
        total = correlate(torch.ones_like(b[:1]), kernel)[0, bins]
        z[rows, bins] = torch.sqrt(_likelihood_ratio(counts, expected, kernel, total))
    below = score * torch.rsqrt(correlate(1 / b, kernel**2))
    return torch.where(score > 0, z, below)


def _windows(x: Tensor, kernel: Tensor, rows: Tensor, bins: Tensor, fill: float) -> Tensor:
    """Return the bins that a template reaches from each of the given ones."""
    reach = len(kernel) // 2
    windows = functional.pad(x, (reach, reach), value=fill).unfold(1, len(kernel), 1)
    return windows[rows, bins]


def _likelihood_ratio(n: Tensor, b: Tensor, s: Tensor, total: Tensor) -> Tensor:
    """Return q0 of excesses: shapes ``(m, k)``, ``(m, k)``, ``(k,)``, ``(m,)``."""
    ratio, ns = s / b, n * s
    mu = torch.zeros_like(total)
    for _ in range(MAX_STEPS):
        inverse = 1 / (b + mu[:, None] * s)
        terms = ns * inverse
        slope = terms.sum(1) - total
        step = slope / (terms * inverse).mv(s).clamp_min(1e-30)
        mu = mu + step
        if bool((step <= TOLERANCE * mu).all()):
            break
    gain = (n * torch.log1p(mu[:, None] * ratio)).sum(1) - mu * total
    return (2 * gain).clamp_min(0)


def correlate(x: Tensor, kernel: Tensor) -> Tensor:
    """Return the sum of ``x`` times a template centred on each bin; nothing lies outside.

    Args:
        x: Shape ``(n_histograms, n_bins)``.
        kernel: Shape ``(2 * reach + 1,)``.
    """
    reach = len(kernel) // 2
    return functional.conv1d(x[:, None], kernel.to(x)[None, None], padding=reach)[:, 0]
