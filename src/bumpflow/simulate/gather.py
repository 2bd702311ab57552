"""Put the chunks of a sample together: one cross-section, and weights that add up to it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

FB_PER_PB = 1000.0
CLASSES = {"background": 0, "signal": 1}
"""Labels of the HIGGS benchmark, as UCI has them."""


def merge_records(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    r"""Return what is known of a sample from the records of its chunks.

    Cross-sections are averaged with the numbers of generated events as weights,
    :math:`\sigma = \sum_k n_k \sigma_k / \sum_k n_k`, counts are added up.

    Args:
        records: Records of the chunks, as ``simulate_chunk`` writes them.

    Returns:
        ``n_generated``, ``n_showered``, ``n_selected``; ``weight_generated``, the sum of weights
        that the cross-section belongs to; ``weight_selected``; ``cutflow``, numbers of events
        after each step; ``crosssection_fb``, before any selection, and its uncertainty;
        ``selected_fb``, the cross-section after the selection, and its uncertainty; ``efficiency``
        of the selection; ``blocks``, the first and the one after the last.
    """
    n = np.array([record["n_generated"] for record in records], dtype=float)
    sigma = np.array([record["crosssection_pb"] for record in records]) * FB_PER_PB
    error = np.array([record["crosssection_error_pb"] for record in records]) * FB_PER_PB
    # Chunks of one matrix element share its integral; Pythia's own estimates are independent.
    shared = all(record["crosssection_shared"] for record in records)
    merged_error = error.mean() if shared else np.sqrt(np.square(n * error).sum()) / n.sum()
    crosssection = float((n * sigma).sum() / n.sum())
    total = {
        key: sum(record[key] for record in records)
        for key in (
            "n_generated",
            "n_showered",
            "n_selected",
            "weight_generated",
            "weight_selected",
            "weight_squared_selected",
        )
    }
    efficiency = total["weight_selected"] / total["weight_generated"]
    spread = np.sqrt(total["weight_squared_selected"]) / total["weight_generated"]
    return total | {
        "crosssection_fb": crosssection,
        "crosssection_error_fb": float(merged_error),
        "efficiency": efficiency,
        "efficiency_error": float(spread),
        "selected_fb": crosssection * efficiency,
        "selected_error_fb": float(np.hypot(merged_error * efficiency, crosssection * spread)),
        "cutflow": _add_counts(record["cutflow"] for record in records),
        "blocks": [min(r["blocks"][0] for r in records), max(r["blocks"][1] for r in records)],
        "n_chunks": len(records),
    }


def _add_counts(cutflows: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sums of numbers of events by step, in the order of the steps."""
    total: dict[str, int] = {}
    for cutflow in cutflows:
        for step, count in cutflow.items():
            total[step] = total.get(step, 0) + count
    return total


def weigh_events(events: pa.Table, record: Mapping[str, Any]) -> pa.Table:
    """Return events with their share of the sample's cross-section.

    Args:
        events: Events with a column ``weight``, that of the generator and of weighted tags.
        record: The sample's record of :func:`merge_records`.

    Returns:
        The same with ``weight`` replaced by ``weight_fb``, which adds up to ``selected_fb`` over
        the sample, and with ``crosssection_fb``, that of the process before any selection.
    """
    scale = record["crosssection_fb"] / record["weight_generated"]
    weights = np.asarray(events["weight"]) * scale
    crosssection = np.full(len(weights), record["crosssection_fb"])
    return (
        events.drop_columns(["weight"])
        .append_column("weight_fb", pa.array(weights, pa.float64()))
        .append_column("crosssection_fb", pa.array(crosssection, pa.float64()))
    )


def label_rows(rows: pa.Table, *, names: Sequence[str], place: int, label: int | None) -> pa.Table:
    """Return rows of a mixture with what tells them from those of other samples.

    Args:
        rows: Events of one sample.
        names: All samples of the mixture.
        place: Which of them this is.
        label: 0 background, 1 signal, stored as ``label``; without one, the name of the sample is
            stored as ``sample``.
    """
    if label is not None:
        return rows.append_column("label", pa.array(np.full(len(rows), label, dtype=np.int8)))
    positions = pa.array(np.full(len(rows), place, dtype=np.int8))
    column = pa.DictionaryArray.from_arrays(positions, pa.array(list(names), pa.string()))
    return rows.append_column("sample", column)
