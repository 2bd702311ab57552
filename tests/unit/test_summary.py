import numpy as np
import pytest

from bumpflow import io, summary
from bumpflow.summary import Quantity

FULL = Quantity("surrogates.mademog.c2st_auc", 0.52, 0.01, 0.5, "exact", 3560, "")
BARE = Quantity("ingest.rate_ratio", 2.5)


@pytest.mark.parametrize(
    "name", ["bench", "A.b.c", "a.b.c.d.e.f.g", "a..b", "a.b c", "a.b.c ", "a.-b"]
)
def test_malformed_name_is_refused(name):
    with pytest.raises(ValueError, match="is no name of the scorecard"):
        Quantity(name, 1.0)


@pytest.mark.parametrize(
    ("field", "value"),
    [("value", float("nan")), ("value", None), ("uncertainty", float("inf")), ("value", "1")],
)
def test_number_that_is_none_is_refused(field, value):
    with pytest.raises(ValueError, match=rf"ingest\.rate_ratio: {field} is"):
        Quantity(**{"quantity": "ingest.rate_ratio", "value": 1.0, field: value})


def test_negative_uncertainty_is_refused():
    with pytest.raises(ValueError, match=r"uncertainty is -0\.1"):
        Quantity("ingest.rate_ratio", 1.0, -0.1)


def test_records_survive_json(tmp_path):
    io.write_json(tmp_path / "summary.json", summary.as_records([FULL, BARE]))
    assert summary.from_records(io.read_json(tmp_path / "summary.json")) == [FULL, BARE]


def test_numpy_numbers_are_fine(tmp_path):
    io.write_json(tmp_path / "a.json", summary.as_records([Quantity("a.b", np.float64(0.5))]))
    assert summary.from_records(io.read_json(tmp_path / "a.json")) == [Quantity("a.b", 0.5)]


def test_table_is_typed_and_survives_parquet(tmp_path):
    table = summary.as_table([FULL, BARE])
    assert {name: str(kind) for name, kind in table.dtypes.items()} == summary.DTYPES
    assert table["n"].tolist()[0] == 3560
    io.write_table(tmp_path / "scorecard.parquet", table)
    again = summary.from_table(io.read_table(tmp_path / "scorecard.parquet"))
    assert again == [FULL, BARE]


def test_empty_table_keeps_its_columns():
    assert {
        name: str(kind) for name, kind in summary.as_table([]).dtypes.items()
    } == summary.DTYPES


def test_duplicates_are_named():
    with pytest.raises(ValueError, match=r"^ingest\.rate_ratio occur more than once"):
        summary.merge([[FULL, BARE], [BARE]])


def test_wrong_keys_are_named():
    record = summary.as_records([BARE])[0]
    record["ref"] = record.pop("reference")
    with pytest.raises(ValueError, match=r"'ingest.rate_ratio': keys \['ref', 'reference'\]"):
        summary.from_records([record])
