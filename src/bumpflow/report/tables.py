"""Tables of the report, from the scorecard and from run times."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pandas as pd

from bumpflow.report.labels import Measure, analysis_of, measure_of, subject_of
from bumpflow.report.numbers import DASH, format_measured, format_plain, format_seconds
from bumpflow.summary import Quantity

CONTROL = "control"


class Cell(NamedTuple):
    """A number as it is shown, with the value to sort by and whether to stress it."""

    text: str
    value: float | None
    best: bool


class Headline(NamedTuple):
    """A table of subjects by measures."""

    title: str
    columns: list[str]
    rows: list[tuple[str, list[Cell]]]


class ScoreRow(NamedTuple):
    """A line of the scorecard, with the values to sort by."""

    quantity: str
    ours: Cell
    published: Cell
    source: str
    n: Cell
    unit: str


class RunTime(NamedTuple):
    """What a rule's jobs took."""

    rule: str
    n_jobs: int
    total: Cell
    cpu: Cell
    longest: Cell
    memory: Cell
    share: float


def headline_tables(analysis: str, quantities: Iterable[Quantity]) -> list[Headline]:
    """Return the tables that open an analysis: its measures, subject by subject.

    Args:
        analysis: First part of the quantities' names.
        quantities: The scorecard; others' quantities are left out.
    """
    found: dict[str, dict[str, Quantity]] = {}
    for quantity in quantities:
        name, *parts = quantity.quantity.split(".")
        if name == analysis and len(parts) > 1:
            subject, measure, *variant = parts
            found.setdefault(".".join([subject, *variant]), {})[measure] = quantity
    everything = tuple(dict.fromkeys(measure for one in found.values() for measure in one))
    wanted = analysis_of(analysis).tables or {"Results": everything}
    tables = [_headline(title, measures, found) for title, measures in wanted.items()]
    return [table for table in tables if table.rows]


def _headline(
    title: str, measures: Sequence[str], found: dict[str, dict[str, Quantity]]
) -> Headline:
    """Return one table, without the rows and columns that would be empty."""
    shown = [name for name in measures if any(name in one for one in found.values())]
    subjects = [name for name, one in found.items() if any(measure in one for measure in shown)]
    subjects.sort(key=lambda name: name == CONTROL)
    best = {name: _best(measure_of(name), name, found) for name in shown}
    rows = []
    for subject in subjects:
        cells = [
            _cell(found[subject].get(name), best=best[name] == subject, digits=3) for name in shown
        ]
        rows.append((subject_of(subject), cells))
    columns = [_head(name, found) for name in shown]
    return Headline(title, columns, rows)


def _head(name: str, found: dict[str, dict[str, Quantity]]) -> str:
    """Return the head of a column, with the unit of its values."""
    unit = next((one[name].unit for one in found.values() if name in one), "")
    return f"{measure_of(name).label} [{unit}]" if unit else measure_of(name).label


def _best(measure: Measure, name: str, found: dict[str, dict[str, Quantity]]) -> str | None:
    """Return the subject with the best value, the control apart."""
    values = {s: one[name].value for s, one in found.items() if name in one and s != CONTROL}
    if not measure.better or len(values) < 2:
        return None
    return (min if measure.better == "low" else max)(values, key=values.__getitem__)


def _cell(quantity: Quantity | None, *, best: bool, digits: int = 4) -> Cell:
    if quantity is None:
        return Cell(DASH, None, best=False)
    text = format_measured(quantity.value, quantity.uncertainty, digits=digits)
    return Cell(text, quantity.value, best)


def score_rows(quantities: Iterable[Quantity]) -> list[ScoreRow]:
    """Return the scorecard's lines, in its order.

    Args:
        quantities: The scorecard.
    """
    return [
        ScoreRow(
            quantity=q.quantity,
            ours=_cell(q, best=False),
            published=Cell(format_measured(q.reference), q.reference, best=False),
            source=q.reference_source or "",
            n=Cell("" if q.n is None else format_plain(q.n), q.n, best=False),
            unit=q.unit,
        )
        for q in quantities
    ]


def run_times(resources: pd.DataFrame) -> list[RunTime]:
    """Return time and memory by rule, in their order.

    Args:
        resources: As :func:`bumpflow.report.resources.use_by_rule` returns it.
    """
    total = max(float(resources["seconds"].sum()), 1e-9)
    return [
        RunTime(
            rule=row["rule"],
            n_jobs=row["jobs"],
            total=_time(row["seconds"]),
            cpu=_time(row["cpu_seconds"]),
            longest=_time(row["longest_seconds"]),
            memory=_memory(row["peak_memory_mib"]),
            share=row["seconds"] / total,
        )
        for row in resources.to_dict("records")
    ]


def _time(seconds: float) -> Cell:
    return Cell(format_seconds(seconds), float(seconds), best=False)


def _memory(mib: float) -> Cell:
    if pd.isna(mib):
        return Cell(DASH, None, best=False)
    return Cell(f"{format_plain(float(mib), digits=3)}\u00a0MiB", float(mib), best=False)
