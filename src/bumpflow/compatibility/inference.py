r"""Parameters from events that share them: combined posteriors, intervals, and where truths lie.

Likelihoods of independent events multiply, so :math:`p(\theta \mid x_1, \ldots, x_n) \propto
\pi(\theta) \prod_i r_i(\theta)` with :math:`r_i(\theta) = p(\theta \mid x_i) / \pi(\theta)`.

Posteriors of one parameter live on the points of an axis, over which the prior is flat. Between
them the logarithm of the density is linear, as :mod:`bumpflow.compatibility.posteriors` trains
it. Probabilities of intervals, and of all densities above one, are then sums of exponentials: no
rounding to points of the grid biases a coverage.

References:
    Chathirathas et al. (2024), https://arxiv.org/abs/2407.20329, section 6 and appendix A
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from bumpflow.compatibility.grids import Axis
from bumpflow.compatibility.likelihood_ratio import Strength, log_parameter_ratio
from bumpflow.compatibility.pairs import LOG_FLOOR, peaks
from bumpflow.compatibility.toys import Toys, evaluate
from bumpflow.memory import in_chunks

LEVELS = (0.68, 0.95)
"""Probabilities of the intervals that are reported."""
CHUNK = 4096
"""Posteriors that are summarised in one go."""
FLAT = 1e-9
"""Smallest difference of log densities that counts as one."""


class Summary(NamedTuple):
    """Posteriors in numbers, shape ``(n,)`` or ``(n, n_levels)``.

    Attributes:
        mean: Means.
        std: Standard deviations.
        mode: Points of the largest density.
        central_low: Lower ends of the intervals with as much probability below as above.
        central_high: Their upper ends.
        hpd_low: Lower ends of the smallest regions with a probability.
        hpd_high: Their upper ends.
        n_pieces: Of how many intervals these regions consist; from 2 on, they have gaps.
    """

    mean: Tensor
    std: Tensor
    mode: Tensor
    central_low: Tensor
    central_high: Tensor
    hpd_low: Tensor
    hpd_high: Tensor
    n_pieces: Tensor


class Truths(NamedTuple):
    """Where true parameters lie in their posteriors, shape ``(n,)`` each.

    Both are uniform if posteriors are right and truths come from the prior.

    Attributes:
        level: Probability of all parameters of a larger density. An interval of the highest
            density holds the truth if its probability is at least that.
        pit: Probability of all smaller parameters (probability integral transform).
    """

    level: Tensor
    pit: Tensor


def combine(log_ratio: Tensor, weights: Tensor, *, mask: Tensor | None = None) -> Tensor:
    r"""Return the log ratio of posterior and prior given all events of each toy.

    A single event's ratio counts as :math:`e^{-80}` where it is less: disjoint posteriors have a
    combined one nonetheless, and an event that is impossible everywhere says nothing.

    Args:
        log_ratio: Log ratios of each event, shape ``(n_toys, n_events, n_grid)``.
        weights: Prior probabilities of the grid points, shape ``(n_grid,)``.
        mask: Which events to combine, shape ``(n_toys, n_events)``; all by default. Where there
            are none, the posterior is the prior.

    Returns:
        Double precision, shape ``(n_toys, n_grid)``; the mean of its exponential over the prior
        is 1.

    Raises:
        ValueError: If a log ratio is NaN or plus infinity.
    """
    peaks(log_ratio, mask)
    logs = log_ratio.double().clamp_min(LOG_FLOOR)
    if mask is not None:
        logs = logs.masked_fill(~mask[..., None], 0.0)
    total = logs.sum(1)
    return total - torch.logsumexp(total + weights.to(total).log(), -1, keepdim=True)


def marginalise(log_ratio: Tensor, weights: Tensor, axis: Axis) -> Tensor:
    """Return log ratios of posterior and prior of the first parameter of a grid alone.

    Args:
        log_ratio: Log ratios on a grid, that parameter outside, shape ``(..., n_grid)``; with
            ``n_grid`` the points of the axis, they come back.
        weights: Prior probabilities of the grid points, shape ``(n_grid,)``.
        axis: Points of the parameter.

    Returns:
        Shape ``(..., n_points)``.
    """
    logs = (log_ratio + weights.to(log_ratio).log()).unflatten(-1, (axis.n_points, -1))
    return logs.logsumexp(-1) - axis.weights.to(log_ratio).log()


def log_density(log_ratio: Tensor, axis: Axis) -> Tensor:
    r"""Return log densities, which are linear between the points, normalised.

    No density is less than :math:`e^{-80}` of its posterior's largest.

    Args:
        log_ratio: Log ratios of posterior and prior, shape ``(n, n_points)``.
        axis: Points of the parameter.

    Returns:
        Double precision, shape ``(n, n_points)``.

    Raises:
        ValueError: If a log ratio is NaN or plus infinity.
    """
    logs = _below_peak(log_ratio)
    return logs - _pieces(logs, axis).sum(1, keepdim=True).log()


def _below_peak(log_ratio: Tensor) -> Tensor:
    """Return log ratios less each posterior's largest, in double precision, down to the floor."""
    peak = peaks(log_ratio[None])[0]
    return (log_ratio.double() - peak[:, None]).clamp_min(LOG_FLOOR)


def summarise(log_ratio: Tensor, axis: Axis) -> Summary:
    """Return mean, spread, mode and the intervals of :data:`LEVELS` of posteriors.

    Args:
        log_ratio: Log ratios of posterior and prior, shape ``(n, n_points)``.
        axis: Points of the parameter.

    Raises:
        ValueError: If a log ratio is NaN or plus infinity.
    """
    parts = in_chunks(
        lambda rows: _summarise(log_density(log_ratio[rows], axis), axis), len(log_ratio), CHUNK
    )
    return Summary(*(torch.cat(part) for part in zip(*parts, strict=True)))


def _summarise(logs: Tensor, axis: Axis) -> Summary:
    """Return the summary of normalised log densities, shape ``(n, n_points)``."""
    points = axis.points.to(logs)
    mean, std = moments(logs, axis)
    tails = torch.tensor([(1 + sign * level) / 2 for level in LEVELS for sign in (-1, 1)])
    central = quantiles(logs, axis, tails.to(logs))
    mode = points[logs.argmax(1)]
    return Summary(mean, std, mode, central[:, ::2], central[:, 1::2], *_densest(logs, axis))


def moments(log_ratio: Tensor, axis: Axis) -> tuple[Tensor, Tensor]:
    """Return means and standard deviations by the trapezoid rule, shape ``(n,)`` each.

    Args:
        log_ratio: Log ratios of posterior and prior, or log densities, shape ``(n, n_points)``.
        axis: Points of the parameter.

    Raises:
        ValueError: If a log ratio is NaN or plus infinity.
    """
    logs = _below_peak(log_ratio)
    points, weights = axis.points.to(logs), axis.weights.to(logs)
    share = torch.softmax(logs + weights.log(), 1)
    mean = share @ points
    return mean, (share * (points - mean[:, None]) ** 2).sum(1).sqrt()


def quantiles(logs: Tensor, axis: Axis, probabilities: Tensor) -> Tensor:
    """Return where the probability of smaller parameters has some values.

    Args:
        logs: From :func:`log_density`, shape ``(n, n_points)``.
        axis: Points of the parameter.
        probabilities: Probabilities, shape ``(k,)``.

    Returns:
        Shape ``(n, k)``.
    """
    pieces = _pieces(logs, axis)
    total = pieces.cumsum(1)
    wanted = (probabilities * total[:, -1:]).contiguous()
    index = torch.searchsorted(total, wanted).clamp(max=pieces.shape[1] - 1)
    share = 1 - (total.gather(1, index) - wanted) / pieces.gather(1, index)
    rise = logs.diff(dim=1).gather(1, index)
    flat = rise.abs() < 1e-6
    steep = torch.log1p(share * torch.expm1(rise)) / rise.masked_fill(flat, 1.0)
    step = torch.where(flat, share, steep).clamp(0, 1)
    return axis.low + axis.step * (index + step)


def locate(log_ratio: Tensor, axis: Axis, truth: Tensor) -> Truths:
    """Return where true parameters lie in their posteriors.

    Args:
        log_ratio: Log ratios of posterior and prior, shape ``(n, n_points)``. Those of no event
            at all, which are flat, have no region of highest density: leave them out.
        axis: Points of the parameter.
        truth: True parameters, shape ``(n,)``.

    Raises:
        ValueError: If a truth is outside the prior, or a log ratio is NaN or plus infinity.
    """
    beyond = (truth < axis.low) | (truth > axis.high)
    if bool(beyond.any()):
        index = int(beyond.nonzero()[0])
        msg = (
            f"true parameter {index} is {float(truth[index]):g}, but the prior reaches from"
            f" {axis.low:g} to {axis.high:g}: its posterior cannot hold it; leave it out"
        )
        raise ValueError(msg)
    truth = truth.to(log_ratio.device).double()
    parts = in_chunks(
        lambda rows: _locate(log_density(log_ratio[rows], axis), axis, truth[rows]),
        len(log_ratio),
        CHUNK,
    )
    return Truths(*(torch.cat(part) for part in zip(*parts, strict=True)))


def _locate(logs: Tensor, axis: Axis, truth: Tensor) -> Truths:
    """Return the same from normalised log densities."""
    below, fraction = axis.place(truth)
    index = below[:, None]
    left = logs.gather(1, index)[:, 0]
    at = torch.lerp(left, logs.gather(1, index + 1)[:, 0], fraction)
    pieces = _pieces(logs, axis)
    before = (pieces.cumsum(1) - pieces).gather(1, index)[:, 0]
    pit = before + axis.step * fraction * _mean_exponential(left, at)
    return Truths(_above(logs, axis, at).clamp(0, 1), pit.clamp(0, 1))


def _pieces(logs: Tensor, axis: Axis) -> Tensor:
    """Return the probability between neighbouring points, shape ``(n, n_points - 1)``."""
    return axis.step * _mean_exponential(logs[:, :-1], logs[:, 1:])


def _mean_exponential(first: Tensor, last: Tensor) -> Tensor:
    """Return the mean of the exponential of what rises or falls linearly between two values."""
    distance = (last - first).abs().clamp_min(FLAT)
    return torch.maximum(first, last).exp() * -torch.expm1(-distance) / distance


def _above(logs: Tensor, axis: Axis, threshold: Tensor) -> Tensor:
    """Return the probability of all log densities above a threshold, shape ``(n,)`` each."""
    low, high = torch.aminmax(torch.stack([logs[:, :-1], logs[:, 1:]]), dim=0)
    start = torch.maximum(low, threshold[:, None])
    share = ((high - start) / (high - low).clamp_min(FLAT)).clamp(0, 1)
    return axis.step * (share * _mean_exponential(start, high)).sum(1)


def _densest(logs: Tensor, axis: Axis) -> tuple[Tensor, Tensor, Tensor]:
    """Return ends of the smallest regions with probabilities, and of how many pieces they are."""
    threshold = _thresholds(logs, axis, torch.tensor(LEVELS).to(logs))
    inside = logs[:, None] >= threshold[..., None]
    starts = inside[..., 1:] & ~inside[..., :-1]
    n_pieces = starts.sum(-1) + inside[..., 0]
    ends = [_first_crossing(some, threshold) for some in (logs, logs.flip(1))]
    return axis.low + axis.step * ends[0], axis.high - axis.step * ends[1], n_pieces


def _thresholds(logs: Tensor, axis: Axis, levels: Tensor) -> Tensor:
    """Return the log densities above which some probabilities lie, shape ``(n, n_levels)``.

    The probability above a density falls linearly with it, from one point's density to the next.
    """
    low, high = torch.aminmax(torch.stack([logs[:, :-1], logs[:, 1:]]), dim=0)
    rise = (high - low).clamp_min(FLAT)
    knots, order = torch.cat([low + rise, low], 1).exp().sort(1, descending=True)
    slope = torch.cat([axis.step / rise, -axis.step / rise], 1).gather(1, order).cumsum(1)
    above = torch.nn.functional.pad((slope[:, :-1] * -knots.diff(dim=1)).cumsum(1), (1, 0))
    wanted = levels.expand(len(logs), -1).contiguous()
    index = torch.searchsorted(above, wanted).clamp(1, above.shape[1] - 1) - 1
    rest = (wanted - above.gather(1, index)) / slope.gather(1, index)
    return (knots.gather(1, index) - rest).log()


def _first_crossing(logs: Tensor, threshold: Tensor) -> Tensor:
    """Return how many steps from the start log densities reach thresholds."""
    index = (logs[:, None] >= threshold[..., None]).long().argmax(-1)
    before = logs.gather(1, (index - 1).clamp_min(0))
    rise = (logs.gather(1, index) - before).clamp_min(FLAT)
    share = ((threshold - before) / rise).clamp(0, 1)
    return torch.where(index > 0, index - 1 + share, 0.0)


def tabulate(summary: Summary) -> pd.DataFrame:
    """Return a summary as a table, one row per posterior.

    Returns:
        Columns ``mean``, ``std``, ``mode``, and of each of :data:`LEVELS`, such as 68:
        ``central68_low``, ``central68_high``, ``hpd68_low``, ``hpd68_high`` and ``hpd68_pieces``.
    """
    columns = {name: getattr(summary, name) for name in ("mean", "std", "mode")}
    for index, level in enumerate(LEVELS):
        name = f"{100 * level:.0f}"
        columns |= {
            f"central{name}_low": summary.central_low[:, index],
            f"central{name}_high": summary.central_high[:, index],
            f"hpd{name}_low": summary.hpd_low[:, index],
            f"hpd{name}_high": summary.hpd_high[:, index],
            f"hpd{name}_pieces": summary.n_pieces[:, index],
        }
    return pd.DataFrame({name: column.cpu().numpy() for name, column in columns.items()})


def keep_events(toys: Toys, chosen: Tensor) -> Toys:
    """Return toys of some of their events only.

    Args:
        toys: The toys.
        chosen: Which events stay, shape ``(n_toys, n_events)``.
    """
    chosen = chosen.to(toys.rows.device)
    order = chosen.long().argsort(dim=1, descending=True, stable=True)
    parts = (toys.rows, chosen, toys.signal & chosen)
    return Toys(*(part.gather(1, order) for part in parts))


def infer_toys(
    toys: Toys,
    survivors: Tensor,
    background: Tensor,
    signal: Tensor,
    *,
    weights: Tensor,
    axis: Axis,
    truth: float,
    strength: Strength,
) -> pd.DataFrame:
    """Return what is inferred from toys in three ways.

    ``cleaned`` combines the events that cleaning leaves, ``signal`` the true signal, which nobody
    knows, and ``marginal`` cuts no event but averages over which ones are signal.

    Args:
        toys: The toys.
        survivors: Which of their events cleaning leaves, shape ``(n_toys, n_events)``.
        background: Log ratios of the pool of background, shape ``(background_pool, n_grid)``.
        signal: Those of the pool of signal, shape ``(signal_pool, n_grid)``.
        weights: Prior probabilities of the grid points, shape ``(n_grid,)``.
        axis: Points of the parameter: the grid's, or its first parameter's.
        truth: True parameter of the signal.
        strength: Signal strengths to average over.

    Returns:
        One row per toy and way that has any event: ``toy``, ``way``, ``n_events`` that it uses,
        and ``mean``, ``std``, ``level`` and ``pit`` (see :class:`Truths`).
    """

    def combined(events: Tensor, mask: Tensor) -> Tensor:
        return combine(events, weights, mask=mask)

    def averaged(events: Tensor, mask: Tensor) -> Tensor:
        return log_parameter_ratio(events, weights, strength, mask=mask)

    def measured(events: Tensor, mask: Tensor, *, posterior: Callable) -> Tensor:
        logs = marginalise(posterior(events, mask), weights, axis)
        found = locate(logs, axis, logs.new_full((len(logs),), truth))
        return torch.stack([*moments(logs, axis), *found], dim=1)

    ways = {
        "cleaned": (keep_events(toys, survivors), combined),
        "signal": (keep_events(toys, toys.signal), combined),
        "marginal": (toys, averaged),
    }
    tables = []
    for way, (some, posterior) in ways.items():
        found = evaluate(partial(measured, posterior=posterior), some, background, signal)
        table = pd.DataFrame(found.cpu().numpy(), columns=["mean", "std", "level", "pit"])
        n_events = some.mask.sum(1).cpu().numpy()
        table.insert(0, "toy", table.index)
        table.insert(1, "way", way)
        table.insert(2, "n_events", n_events)
        tables.append(table[n_events > 0])
    return pd.concat(tables, ignore_index=True)
