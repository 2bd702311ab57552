"""Posteriors of a user's sets of events, as tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from torch import Generator, Tensor

from bumpflow.compatibility.inference import LEVELS
from bumpflow.reconstruction.amortised import SetPosterior
from bumpflow.reconstruction.checks import reasons_outside
from bumpflow.reconstruction.sets import EventSets, sigmas_of
from bumpflow.simulate.alps.features import FEATURES
from bumpflow.simulate.alps.sampling import PARAMETERS
from bumpflow.simulate.alps.settings import Resolution


def gather_sets(
    features: pd.DataFrame, names: ArrayLike | None, resolution: Resolution
) -> tuple[EventSets, list[Any]]:
    """Return the sets that events belong to, and their names, in the order of the first events.

    Args:
        features: Columns ``FEATURES``, one row per event.
        names: Of the set of each event, shape ``(n,)``; all events are one set by default.
        resolution: How they were measured.

    Raises:
        ValueError: If there are no events, or names and events differ in number.
    """
    n = len(features)
    given = np.zeros(n, dtype=int) if names is None else np.asarray(names)
    if n == 0 or len(given) != n:
        msg = f"there are {n} events and {len(given)} names of sets: give one name for each event"
        raise ValueError(msg)
    codes, known = pd.factorize(given)
    place = pd.Series(codes).groupby(codes).cumcount().to_numpy()
    x = np.zeros((len(known), int(place.max()) + 1, len(FEATURES)), dtype=np.float32)
    mask = np.zeros(x.shape[:2], dtype=bool)
    x[codes, place] = features[list(FEATURES)].to_numpy(np.float32)
    mask[codes, place] = True
    sigmas = sigmas_of(resolution, len(known))
    return EventSets(torch.from_numpy(x), torch.from_numpy(mask), sigmas), known.tolist()


def draw_table(draws: Tensor, names: Sequence[Any]) -> pd.DataFrame:
    """Return draws as a table.

    Args:
        draws: From posteriors, shape ``(n_sets, k, 2)``.
        names: Names of the sets.

    Returns:
        Columns ``set``, ``log10_mass`` and ``log10_lifetime``, ``k`` rows per set.
    """
    flat = draws.flatten(0, 1).cpu().numpy()
    table = pd.DataFrame(flat, columns=list(PARAMETERS))
    table.insert(0, "set", np.repeat(np.asarray(names), draws.shape[1]))
    return table


def summarise_draws(
    draws: Tensor, sets: EventSets, names: Sequence[Any], reasons: Sequence[Sequence[str]]
) -> pd.DataFrame:
    """Return posteriors of sets in numbers.

    Args:
        draws: From posteriors, shape ``(n_sets, k, 2)``.
        sets: The sets.
        names: Their names.
        reasons: Why they are outside of the training, if they are.

    Returns:
        One row per set: ``set``, ``n_events``; for each of the parameters, such as
        ``log10_mass``, ``_mean``, ``_std``, ``_median`` and the ends of the central intervals,
        ``_low68`` to ``_high95``; ``correlation`` of both; ``outside``, reasons or empty.
    """
    draws = draws.double().cpu()
    columns: dict[str, Any] = {"set": list(names), "n_events": sets.n_events.tolist()}
    tails = torch.tensor([(1 + sign * level) / 2 for level in LEVELS for sign in (-1, 1)]).double()
    for index, name in enumerate(PARAMETERS):
        of_one = draws[..., index]
        columns[f"{name}_mean"], columns[f"{name}_std"] = of_one.mean(1), of_one.std(1)
        columns[f"{name}_median"] = of_one.quantile(0.5, dim=1)
        ends = iter(torch.quantile(of_one, tails, dim=1))
        for level in LEVELS:
            for side in ("low", "high"):
                columns[f"{name}_{side}{100 * level:.0f}"] = next(ends)
    off = draws - draws.mean(1, keepdim=True)
    columns["correlation"] = off.prod(-1).mean(1) / off.square().mean(1).prod(-1).sqrt()
    columns["outside"] = ["; ".join(one) for one in reasons]
    return pd.DataFrame(columns)


def reconstruct(
    posterior: SetPosterior,
    sets: EventSets,
    names: Sequence[Any],
    *,
    n_draws: int,
    generator: Generator,
    wrap: bool | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return draws from the posteriors of observed sets, and what they say in numbers.

    Args:
        posterior: Trained posteriors.
        sets: Observed sets.
        names: Their names.
        n_draws: Draws of each set.
        generator: Random numbers, on the posterior's device.
        wrap: How azimuths were measured; unknown by default.

    Returns:
        Tables of :func:`draw_table` and of :func:`summarise_draws`.
    """
    draws = posterior.sample(posterior.look(sets), n_draws, generator=generator)
    reasons = reasons_outside(sets, posterior.drawing, posterior.network.limits, wrap=wrap)
    return draw_table(draws, names), summarise_draws(draws, sets, names, reasons)
