"""What hunts say of observed events: which belong together, how unlikely that is, and the mass."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from bumpflow.compatibility.cleaning import removal_levels
from bumpflow.compatibility.grids import Axis
from bumpflow.compatibility.inference import (
    LEVELS,
    combine,
    log_density,
    marginalise,
    moments,
    quantiles,
    summarise,
)
from bumpflow.compatibility.likelihood_ratio import (
    Strength,
    known_background,
    log_parameter_ratio,
    signal_probabilities,
    unknown_background,
)
from bumpflow.compatibility.significance import (
    Sample,
    Tally,
    p_value,
    z_one_sided,
    z_two_sided,
)


class Observed(NamedTuple):
    """Observed events.

    Attributes:
        log_ratio: Log ratios of posterior and prior, shape ``(n_events, n_grid)``.
        scores: Compatibility of pairs, shape ``(n_events, n_events)``.
        diphoton_mass: Measured masses [GeV], shape ``(n_events,)``.
    """

    log_ratio: Tensor
    scores: Tensor
    diphoton_mass: NDArray[np.float64]


class Hunt(NamedTuple):
    """One hunt's statistic.

    Attributes:
        value: Of the observed events; larger means more signal-like.
        background: In toys of background.
    """

    value: float
    background: Tally


class Analysis(NamedTuple):
    """Results for observed events.

    Attributes:
        events: One row per event, see :func:`describe_events`.
        pairs: One row per pair: events ``first`` and ``second``, and their ``score``.
        posterior: One row per point of the axis: ``log10_mass`` and densities per unit of it,
            ``prior``, ``event_0``, ``event_1`` and so on, ``combined`` of the events that
            cleaning leaves (the prior if it leaves none) and ``marginal``, which averages over
            which events are signal.
        summary: Plain numbers, see :func:`analyse_events`.
    """

    events: pd.DataFrame
    pairs: pd.DataFrame
    posterior: pd.DataFrame
    summary: dict[str, Any]


def analyse_events(
    observed: Observed,
    *,
    weights: Tensor,
    axis: Axis,
    threshold: float,
    mu_b: float | None,
    hunts: Mapping[str, Hunt],
) -> Analysis:
    """Return everything that hunts say of observed events.

    Args:
        observed: The events, one or more.
        weights: Prior probabilities of the grid points, shape ``(n_grid,)``.
        axis: Points of log10(m / GeV): the grid's, or its first parameter's.
        threshold: Mean compatibility above which cleaning keeps events.
        mu_b: Expected background events; None if that is unknown. Then toys with as many events
            as were observed give p-values, and the number of events is no evidence.
        hunts: Hunts by name. Statistics that assume a background rate, or none, must assume the
            same.

    Returns:
        Tables and a summary: ``n_events``, ``mu_b``, ``threshold``, ``n_compatible`` (the
        statistic of cleaning), ``retained`` events, ``n_signal`` (expected), ``hunts`` (see
        :func:`judge_hunt`) and, of log10(m / GeV) and the mass, ``mass`` as ``cleaned`` (None if
        cleaning leaves no event) and ``marginal``.

    Raises:
        ValueError: If there are no events, shapes do not fit, or toys do not reach the observed
            number of events.
    """
    n_events = _check_shapes(observed)
    strength = unknown_background() if mu_b is None else known_background(mu_b)
    events = describe_events(observed, weights, axis, threshold=threshold, strength=strength)
    kept = events.loc[events["retained"], "event"].tolist()
    toy = observed.log_ratio[None]
    logs = {
        "combined": combine(toy[:, kept], weights),
        "marginal": log_parameter_ratio(toy, weights, strength),
    }
    logs = {name: marginalise(part, weights, axis) for name, part in logs.items()}
    summary = {
        "n_events": n_events,
        "mu_b": mu_b,
        "threshold": threshold,
        "n_compatible": max(len(kept), 1),
        "retained": kept,
        "n_signal": float(events["signal_probability"].sum()),
        "hunts": {
            name: judge_hunt(hunt, mu_b=mu_b, n_events=n_events) for name, hunt in hunts.items()
        },
        "mass": {
            "cleaned": measure_mass(logs["combined"], axis) if kept else None,
            "marginal": measure_mass(logs["marginal"], axis),
        },
    }
    posterior = _tabulate_densities(marginalise(observed.log_ratio, weights, axis), logs, axis)
    return Analysis(events, list_pairs(observed.scores), posterior, summary)


def _check_shapes(observed: Observed) -> int:
    """Return the number of events."""
    n = len(observed.log_ratio)
    if n == 0:
        msg = "there are no observed events: nothing can be compatible; a hunt needs one or more"
        raise ValueError(msg)
    shapes = tuple(observed.scores.shape), np.shape(observed.diphoton_mass)
    if shapes != ((n, n), (n,)):
        msg = (
            f"{n} events have scores of shape {shapes[0]} and masses of shape {shapes[1]}: give"
            f" ({n}, {n}) and ({n},)"
        )
        raise ValueError(msg)
    return n


def describe_events(
    observed: Observed, weights: Tensor, axis: Axis, *, threshold: float, strength: Strength
) -> pd.DataFrame:
    """Return what is known of each event.

    Args:
        observed: The events.
        weights: Prior probabilities of the grid points, shape ``(n_grid,)``.
        axis: Points of log10(m / GeV).
        threshold: Mean compatibility above which cleaning keeps events.
        strength: Signal strengths to average over.

    Returns:
        Columns ``event``, counted from 0; ``diphoton_mass_gev``; ``signal_probability``, given
        all events; ``mean_compatibility`` with all others, NaN for the only event; ``level``, the
        threshold at which cleaning removes it, infinite for the only event; ``retained`` at
        ``threshold``; and ``log10_mass_mean`` and ``log10_mass_std`` of its posterior.
    """
    n, logs, scores = len(observed.log_ratio), observed.log_ratio, observed.scores
    probability = signal_probabilities(logs[None], weights, strength)[0]
    everyone = torch.ones(1, n, dtype=torch.bool, device=scores.device)
    level = removal_levels(scores[None], everyone)[0].cpu().numpy()
    itself = torch.eye(n, dtype=torch.bool, device=scores.device)
    others = scores.double().masked_fill(itself, 0.0).sum(1).cpu().numpy()
    mean, std = moments(marginalise(logs, weights, axis), axis)
    return pd.DataFrame(
        {
            "event": np.arange(n),
            "diphoton_mass_gev": np.asarray(observed.diphoton_mass, dtype=np.float64),
            "signal_probability": probability.cpu().numpy(),
            "mean_compatibility": others / (n - 1) if n > 1 else np.full(1, np.nan),
            "level": level,
            "retained": level > threshold,
            "log10_mass_mean": mean.cpu().numpy(),
            "log10_mass_std": std.cpu().numpy(),
        }
    )


def list_pairs(scores: Tensor) -> pd.DataFrame:
    """Return the scores of all pairs: columns ``first`` < ``second`` and ``score``."""
    first, second = np.triu_indices(len(scores), k=1)
    values = scores.double().cpu().numpy()[first, second]
    return pd.DataFrame({"first": first, "second": second, "score": values})


def background_toys(tally: Tally, *, mu_b: float | None, n_events: int) -> Sample:
    """Return the toys of background that an observation is compared with.

    Args:
        tally: A statistic in toys of background.
        mu_b: Expected background events; None takes toys with as many events as observed.
        n_events: Number of observed events.

    Raises:
        ValueError: If there are no toys with that many events.
    """
    if mu_b is not None:
        return tally.at(mu_b)
    n_background = tally.cells.n_background
    here = (n_background == n_events) & (tally.cells.n_signal == 0)
    if not here.any():
        msg = (
            f"{n_events} events are observed, but toys of background have {n_background.min()} to"
            f" {n_background.max()}: draw toys with {n_events}"
        )
        raise ValueError(msg)
    mine = here[tally.cell]
    return Sample.alike(np.repeat(tally.values[mine], tally.n_toys[mine]))


def judge_hunt(hunt: Hunt, *, mu_b: float | None, n_events: int) -> dict[str, float | bool]:
    """Return the p-value of a hunt and what it is in standard deviations.

    Args:
        hunt: The hunt.
        mu_b: Expected background events; None if unknown.
        n_events: Number of observed events.

    Returns:
        ``value``, ``p``, ``p_error``, ``z_one_sided``, ``z_two_sided`` and ``is_bound``:
        whether no toy is as signal-like, so that the p-value is at most about that.
    """
    sample = background_toys(hunt.background, mu_b=mu_b, n_events=n_events)
    p = p_value(hunt.value, sample)
    return {
        "value": float(hunt.value),
        "p": p.value,
        "p_error": p.uncertainty,
        "z_one_sided": float(z_one_sided(p.value)),
        "z_two_sided": float(z_two_sided(p.value)),
        "is_bound": bool(hunt.value > sample.values.max()),
    }


def measure_mass(log_ratio: Tensor, axis: Axis) -> dict[str, float]:
    """Return a posterior's mass and its intervals.

    Args:
        log_ratio: Log ratio of posterior and prior, shape ``(1, n_points)``.
        axis: Points of log10(m / GeV).

    Returns:
        ``log10_mass``, the mean, and ``log10_mass_std``; ``mass_gev``, the median, and ends of
        central intervals such as ``low68_gev`` and ``high68_gev``; and of how many pieces the
        region of highest density is: ``pieces68``.
    """
    found = summarise(log_ratio, axis)
    logs = log_density(log_ratio, axis)
    median = quantiles(logs, axis, torch.tensor([0.5]).to(logs))
    numbers = {
        "log10_mass": float(found.mean[0]),
        "log10_mass_std": float(found.std[0]),
        "mass_gev": 10 ** float(median[0, 0]),
    }
    for index, level in enumerate(LEVELS):
        name = f"{100 * level:.0f}"
        numbers[f"low{name}_gev"] = 10 ** float(found.central_low[0, index])
        numbers[f"high{name}_gev"] = 10 ** float(found.central_high[0, index])
        numbers[f"pieces{name}"] = int(found.n_pieces[0, index])
    return numbers


def _tabulate_densities(events: Tensor, others: Mapping[str, Tensor], axis: Axis) -> pd.DataFrame:
    """Return densities per unit of log10(m / GeV)."""
    columns = {
        "log10_mass": axis.points.double(),
        "prior": torch.full((axis.n_points,), 1 / (axis.high - axis.low), dtype=torch.float64),
    }
    for index, density in enumerate(log_density(events, axis).exp()):
        columns[f"event_{index}"] = density
    for name, logs in others.items():
        columns[name] = log_density(logs, axis)[0].exp()
    return pd.DataFrame({name: column.cpu().numpy() for name, column in columns.items()})
