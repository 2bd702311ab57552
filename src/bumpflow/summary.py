"""The scorecard: every measured number of a study beside the published one.

Each analysis writes ``results/<analysis>/summary.json``, a JSON list of :class:`Quantity` as
maps. This module converts between the three forms in use: quantities, records and a table.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import pandas as pd

NAME = re.compile(r"[a-z][a-z0-9]*(\.[a-z0-9][a-z0-9_]*){1,5}")
DTYPES = {
    "quantity": "string",
    "value": "Float64",
    "uncertainty": "Float64",
    "reference": "Float64",
    "reference_source": "string",
    "n": "Int64",
    "unit": "string",
}


@dataclass(frozen=True)
class Quantity:
    """A measured number.

    Attributes:
        quantity: ``<analysis>.<subject>.<measure>``, or ``<analysis>.<measure>`` where there is
            only one subject; up to three ``.<variant>`` may follow.
        value: What was measured.
        uncertainty: Its standard deviation.
        reference: The number to compare with.
        reference_source: Where that comes from, or why there is none.
        n: Size of the sample behind the value.
        unit: Unit of value, uncertainty and reference; empty for a pure number.

    Raises:
        ValueError: If the name is malformed or a number is not finite.
    """

    quantity: str
    value: float
    uncertainty: float | None = None
    reference: float | None = None
    reference_source: str | None = None
    n: int | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        """Refuse what the scorecard could not show."""
        if not NAME.fullmatch(self.quantity):
            msg = (
                f"quantity {self.quantity!r} is no name of the scorecard: write"
                " <analysis>.<subject>.<measure> or <analysis>.<measure>, if need be with"
                " up to three .<variant> behind, in lower case"
            )
            raise ValueError(msg)
        for name in ("value", "uncertainty", "reference"):
            number = getattr(self, name)
            if not (number is None and name != "value") and not _is_finite(number):
                msg = f"{self.quantity}: {name} is {number!r}, but must be a finite number"
                raise ValueError(msg)
        if self.uncertainty is not None and self.uncertainty < 0:
            msg = f"{self.quantity}: uncertainty is {self.uncertainty}, but cannot be negative"
            raise ValueError(msg)


def as_records(quantities: Iterable[Quantity]) -> list[dict[str, Any]]:
    """Return quantities as maps of plain values, for JSON.

    Raises:
        ValueError: If a name occurs twice.
    """
    quantities = list(quantities)
    _refuse_duplicates(quantities)
    return [asdict(quantity) for quantity in quantities]


def from_records(records: Iterable[Mapping[str, Any]]) -> list[Quantity]:
    """Return quantities from the maps of a ``summary.json``.

    Raises:
        ValueError: If a map has other keys than :class:`Quantity`, or a name occurs twice.
    """
    known = [field.name for field in fields(Quantity)]
    quantities = []
    for record in records:
        if set(record) != set(known):
            differing = sorted(set(record) ^ set(known))
            msg = (
                f"{record.get('quantity', record)!r}: keys {differing} are missing or unknown;"
                f" each quantity has {', '.join(known)}"
            )
            raise ValueError(msg)
        quantities.append(Quantity(**record))
    _refuse_duplicates(quantities)
    return quantities


def merge(summaries: Iterable[Iterable[Quantity]]) -> list[Quantity]:
    """Return the quantities of several summaries as one list.

    Raises:
        ValueError: If a name occurs twice.
    """
    quantities = [quantity for summary in summaries for quantity in summary]
    _refuse_duplicates(quantities)
    return quantities


def as_table(quantities: Iterable[Quantity]) -> pd.DataFrame:
    """Return the scorecard: one row per quantity, typed columns, missing values nullable."""
    return pd.DataFrame(as_records(quantities), columns=list(DTYPES)).astype(DTYPES)


def from_table(table: pd.DataFrame) -> list[Quantity]:
    """Return quantities from the table of :func:`as_table`, as it is or read back from a file."""
    typed = table.astype(DTYPES).astype(object)
    rows = typed.where(typed.notna(), None).to_dict("records")
    return from_records([{str(key): value for key, value in row.items()} for row in rows])


def _is_finite(number: Any) -> bool:  # noqa: ANN401
    return isinstance(number, int | float) and math.isfinite(number)


def _refuse_duplicates(quantities: Iterable[Quantity]) -> None:
    counts = Counter(quantity.quantity for quantity in quantities)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        msg = (
            f"{', '.join(twice)} occur more than once in the scorecard: each quantity is measured"
            " by one analysis, under one name"
        )
        raise ValueError(msg)
