"""From a user's table of events to draws from posteriors of its sets, and their summary."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from numpy.typing import NDArray

from bumpflow import io
from bumpflow.damage import readable
from bumpflow.ingest.layout import InvalidEvents
from bumpflow.reconstruction.amortised import SetPosterior
from bumpflow.reconstruction.checks import check_prediction, reasons_outside
from bumpflow.reconstruction.observed import draw_table, summarise_draws
from bumpflow.reconstruction.sets import EventSets
from bumpflow.reconstruction.weights import AcceptanceTable, log_rate, reweight
from bumpflow.workflow import derive_seed

COLUMN = "set"
"""Column that tells which events belong together."""
SPARE = 4
"""Draws, in units of those wanted, that are reweighted by the number of events."""


class Reconstruction(NamedTuple):
    """Posteriors of a table of events.

    Attributes:
        draws: Columns ``set``, ``log10_mass`` and ``log10_lifetime``.
        summary: ``n_events``, ``n_sets``, ``rate``, whether numbers of events count, and ``sets``,
            a record of each, see :func:`bumpflow.reconstruction.observed.summarise_draws`, with
            ``predictive_p``, how well simulated sets agree with it, and ``effective_draws``.
    """

    draws: pd.DataFrame
    summary: dict[str, Any]


def read_set_names(path: Path) -> NDArray | None:
    """Return the set of each event, from the column :data:`COLUMN`, or None if there is none.

    Args:
        path: A table as :func:`bumpflow.compatibility.photon_pairs.read_photon_pairs` takes it.

    Raises:
        InvalidEvents: If the file is damaged, or an event has no set.
    """
    if path.suffix == ".npy":
        return None
    with readable(path, "table of events", error=InvalidEvents, cure="fetch or write it again"):
        if path.suffix == ".parquet":
            found = [name for name in io.read_columns(path) if name == COLUMN]
            table = io.read_table(path, columns=found)
        else:
            separator = "\t" if ".tsv" in path.suffixes else ","
            table = pd.read_csv(path, sep=separator, usecols=lambda name: name == COLUMN)
    if COLUMN not in table:
        return None
    names = table[COLUMN]
    missing = names.isna()
    if missing.any():
        event = int(missing.to_numpy().argmax())
        msg = f"{path.name}: event {event} has no {COLUMN!r}: name the set that it belongs to"
        raise InvalidEvents(msg)
    return names.to_numpy()


def reconstruct_table(
    posterior: SetPosterior,
    sets: EventSets,
    names: Sequence[Any],
    *,
    acceptance: AcceptanceTable | None,
    n_decays: tuple[float, float],
    n_draws: int,
    n_predicted: int,
    wrap: bool,
    seed: int,
) -> Reconstruction:
    """Return draws from the posteriors of observed sets, and what they say.

    Args:
        posterior: Trained posteriors.
        sets: Observed sets.
        names: Their names.
        acceptance: Acceptances over the prior, if numbers of events shall count.
        n_decays: Then the least and largest number of decays of B mesons to the particle.
        n_draws: Draws of each set.
        n_predicted: Simulated sets that each is compared with.
        wrap: How azimuths were measured.
        seed: Seed.
    """
    generator = torch.Generator(posterior.device).manual_seed(derive_seed(seed, "draws"))
    wanted = n_draws if acceptance is None else SPARE * n_draws
    draws = posterior.sample(posterior.look(sets), wanted, generator=generator)
    effective = [float(n_draws)] * len(names)
    if acceptance is not None:
        sizes = sets.n_events.to(draws.device)[:, None]
        weighted = reweight(draws, log_rate(acceptance(draws), sizes, n_decays=n_decays))
        draws = weighted.resample(n_draws, generator=generator)
        effective = weighted.effective.tolist()
    reasons = reasons_outside(sets, posterior.drawing, posterior.network.limits, wrap=wrap)
    rows = summarise_draws(draws, sets, names, reasons).to_dict("records")
    for index, row in enumerate(rows):
        alone = sets.rows(slice(index, index + 1))
        found = check_prediction(
            alone,
            draws[index, :n_predicted],
            posterior.drawing,
            seed=derive_seed(seed, "predicted", str(index)),
        )
        row |= {"predictive_p": found.p, "effective_draws": effective[index]}
    summary = {
        "n_events": int(sets.n_events.sum()),
        "n_sets": len(rows),
        "rate": acceptance is not None,
        "sets": rows,
    }
    return Reconstruction(draw_table(draws, names), summary)
