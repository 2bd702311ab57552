r"""The reference bump hunt: the largest number of events in a window of the mass.

Masses are :math:`\log_{10}(m / \mathrm{GeV})`. Events outside all windows, and those without a
mass (NaN or minus infinity), count nowhere; their toys are kept.

References:
    Chathirathas et al. (2024), https://arxiv.org/abs/2407.20329, section 3.2
"""

from typing import NamedTuple

import torch
from torch import Tensor

LOG10_MASS_RANGE = (-1.5, 0.8)
"""Range of log10(m / GeV) that the published hunt looks at."""
MERGED = 3
"""Adjacent intervals in a window."""


class Windows(NamedTuple):
    """Overlapping windows [low, high) of log10(m / GeV), shape ``(n_windows,)`` each."""

    low: Tensor
    high: Tensor


def published_windows(n_bins: int, bounds: tuple[float, float] = LOG10_MASS_RANGE) -> Windows:
    """Return windows as the published numbers have them.

    Their ``n_bins`` counts the edges: 4 is a single window over the whole range, which makes the
    hunt a counting experiment, and 11 has 8 windows.

    Args:
        n_bins: Number of edges, at least 4.
        bounds: Range of log10(m / GeV).
    """
    return _merge(n_bins, bounds)


def fair_windows(n_bins: int, bounds: tuple[float, float] = LOG10_MASS_RANGE) -> Windows:
    """Return windows of three of ``n_bins`` equal intervals, as the published text has them.

    Args:
        n_bins: Number of intervals, at least 3; there are two windows fewer.
        bounds: Range of log10(m / GeV).
    """
    return _merge(n_bins + 1, bounds)


def _merge(n_edges: int, bounds: tuple[float, float]) -> Windows:
    if n_edges <= MERGED:
        msg = (
            f"{n_edges} edges make {n_edges - 1} intervals, but a window merges {MERGED}: use"
            f" {MERGED + 1} edges or more"
        )
        raise ValueError(msg)
    edges = torch.linspace(*bounds, n_edges, dtype=torch.float64)
    return Windows(edges[:-MERGED], edges[MERGED:])


def resolution_windows(centres: Tensor, resolution: Tensor, *, half_width: float) -> Windows:
    """Return a window around each of some masses that is as wide as their resolution.

    Args:
        centres: log10(m / GeV), shape ``(n_windows,)``, dense compared with the resolution.
        resolution: Standard deviation of the measured log10(m / GeV) there, same shape.
        half_width: Half of the windows' widths in standard deviations.
    """
    reach = half_width * resolution
    return Windows(centres - reach, centres + reach)


def measure_resolution(log10_mass: Tensor, truth: Tensor, *, n_rows: int = 24) -> Tensor:
    """Return how well masses are measured, by the measured mass.

    Args:
        log10_mass: Measured log10(m / GeV) of simulated events, shape ``(n,)``.
        truth: True ones, shape ``(n,)``.
        n_rows: Groups of as many events each.

    Returns:
        Medians of the measured masses and half the central 68 % of their errors, ascending, shape
        ``(2, n_rows)``, double precision; see :func:`resolution_at`.
    """
    order = log10_mass.argsort()
    rows = []
    for part in order.tensor_split(n_rows):
        error = (log10_mass[part] - truth[part]).double()
        low, high = error.quantile(torch.tensor([0.16, 0.84]).to(error))
        rows.append(torch.stack([log10_mass[part].double().median(), (high - low) / 2]))
    return torch.stack(rows, dim=1)


def resolution_at(log10_mass: Tensor, masses: Tensor, resolution: Tensor) -> Tensor:
    """Return the resolution at some masses, interpolated between those of a table.

    Args:
        log10_mass: log10(m / GeV), any shape; outside the table its ends hold.
        masses: log10(m / GeV) of the table, ascending, shape ``(n_rows,)``.
        resolution: Standard deviations of log10(m / GeV), shape ``(n_rows,)``.
    """
    at = log10_mass.to(masses.dtype).nan_to_num(nan=-torch.inf).clamp(masses[0], masses[-1])
    right = torch.searchsorted(masses, at).clamp(1, len(masses) - 1)
    share = (at - masses[right - 1]) / (masses[right] - masses[right - 1])
    return torch.lerp(resolution[right - 1], resolution[right], share)


def largest_count(log10_mass: Tensor, mask: Tensor | None, windows: Windows) -> Tensor:
    """Return how many events the fullest window of each toy holds.

    Args:
        log10_mass: Measured log10(m / GeV), shape ``(n_toys, n_events)``.
        mask: Which events there are, same shape; all by default.
        windows: Windows.

    Returns:
        Integer counts, shape ``(n_toys,)``, 0 included.
    """
    low, high = (edge.to(log10_mass) for edge in windows)
    inside = (log10_mass[..., None] >= low) & (log10_mass[..., None] < high)
    return _fullest(inside, mask)


def largest_moving_count(
    log10_mass: Tensor, mask: Tensor | None, resolution: Tensor, *, half_width: float
) -> Tensor:
    """Return how many events the fullest of windows that are centred on each event holds.

    Args:
        log10_mass: Measured log10(m / GeV), shape ``(n_toys, n_events)``.
        mask: Which events there are, same shape; all by default.
        resolution: Standard deviation of log10(m / GeV) at each event's mass, same shape, see
            :func:`resolution_at`.
        half_width: Half of the windows' widths in standard deviations.

    Returns:
        Integer counts, shape ``(n_toys,)``.
    """
    distance = (log10_mass[:, :, None] - log10_mass[:, None, :]).abs()
    inside = distance <= half_width * resolution[:, None, :]
    if mask is not None:
        inside &= mask[:, None, :]
    return _fullest(inside, mask)


def _fullest(inside: Tensor, mask: Tensor | None) -> Tensor:
    """Return the largest count from ``(n_toys, n_events, n_windows)``."""
    if mask is not None:
        inside = inside & mask[..., None]
    if inside.shape[1] == 0:
        return inside.new_zeros(len(inside), dtype=torch.long)
    return inside.sum(1).amax(-1)
