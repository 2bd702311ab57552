"""Reconstructed objects as Parquet lists, and the categories of events that they fall into."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MULTIPLICITIES = {
    "n_e": "electron_pt",
    "n_mu": "muon_pt",
    "n_gamma": "photon_pt",
    "n_jets": "jet_pt",
}
"""Numbers of objects by which events are categorised, and a list that has one entry each."""


def list_columns(
    event: NDArray, n_events: int, columns: Mapping[str, NDArray]
) -> dict[str, pa.ListArray]:
    """Return one list per event of each property of its objects.

    Args:
        event: Which event each object belongs to, ascending, shape ``(n,)``.
        n_events: Number of events; those without objects get empty lists.
        columns: Properties of the objects by name, shape ``(n,)`` each. Floating-point numbers
            are stored in 32 bits, integers in 8.

    Raises:
        ValueError: If objects are not in the order of their events, or events or lengths do not
            fit.
    """
    if len(event) and (np.any(np.diff(event) < 0) or event[0] < 0 or event[-1] >= n_events):
        msg = (
            f"objects belong to events {event.min()} to {event.max()}, but must be sorted by"
            f" their event, 0 to {n_events - 1}: sort them, or pass all events"
        )
        raise ValueError(msg)
    offsets = pa.array(np.searchsorted(event, np.arange(n_events + 1)).astype(np.int32))
    lists = {}
    for name, values in columns.items():
        if np.shape(values) != np.shape(event):
            msg = f"{name} has shape {np.shape(values)}, but there are {len(event)} objects"
            raise ValueError(msg)
        kind = pa.float32() if np.issubdtype(values.dtype, np.floating) else pa.int8()
        lists[name] = pa.ListArray.from_arrays(offsets, pa.array(values).cast(kind))
    return lists


def category_counts(table: pa.Table, *, weight: str = "weight") -> pd.DataFrame:
    """Count events by their numbers of electrons, muons, photons, jets and tagged jets.

    Args:
        table: Events with columns ``electron_pt``, ``muon_pt``, ``photon_pt``, ``jet_pt`` and
            ``jet_btag``, lists, of which tags are above 0 where a jet is tagged.
        weight: Name of the column of weights.

    Returns:
        One row per category that has events, most frequent first, with columns ``n_e``, ``n_mu``,
        ``n_gamma``, ``n_jets``, ``n_b``, ``n_events``, ``weight`` (their sum) and
        ``weight_error`` (root of the sum of squares).

    Raises:
        ValueError: If a column is missing.
    """
    needed = [*MULTIPLICITIES.values(), "jet_btag", weight]
    if missing := [name for name in needed if name not in table.column_names]:
        there = ", ".join(table.column_names)
        msg = f"events have no columns {missing}, by which to categorise: there are {there}"
        raise ValueError(msg)
    counts = {
        name: pc.list_value_length(table[column]).to_numpy().astype(np.int64)
        for name, column in MULTIPLICITIES.items()
    }
    counts["n_b"] = _count_tags(table["jet_btag"])
    weights = table[weight].to_numpy().astype(float)
    events = pd.DataFrame(counts | {"n_events": 1, "weight": weights, "square": weights**2})
    keys = list(counts)
    categories = events.groupby(keys, as_index=False).sum()
    categories["weight_error"] = np.sqrt(categories.pop("square"))
    order = ["n_events", *keys]
    ascending = [False] + [True] * len(keys)
    return categories.sort_values(order, ascending=ascending, ignore_index=True)


def _count_tags(tags: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return the number of tagged jets of each event, from lists of tags."""
    values = pc.list_flatten(tags).to_numpy()
    lengths = pc.list_value_length(tags).to_numpy()
    event = np.repeat(np.arange(len(lengths)), lengths)
    return np.bincount(event[values > 0], minlength=len(lengths))
