import gzip
import re

import numpy as np
import pandas as pd
import pytest

from bumpflow.ingest.layout import HIGGS_FEATURES, InvalidEvents, build_layout
from tests.unit.ingest.conftest import as_text

NAMES = ["label", *HIGGS_FEATURES]


def edited(rows, row, column, value):
    return as_text(
        [
            [*line[:column], value, *line[column + 1 :]] if i == row else line
            for i, line in enumerate(rows)
        ]
    )


def shortened(rows):
    return as_text([*rows[:3], rows[3][:-1], *rows[4:]])


LINE = ": correct the line or remove it"
EVENT = ": correct the event or remove it"
TEXT_FAULTS = {
    "missing column": (
        shortened,
        f"higgs.csv, line 4: 28 columns instead of 29 columns{LINE}",
    ),
    "one column too many": (
        lambda rows: edited(rows, 1, 5, "1,2"),
        f"higgs.csv, line 2: 30 columns instead of 29 columns{LINE}",
    ),
    "empty line": (
        lambda rows: as_text(rows[:2]) + "\n" + as_text(rows[2:]),
        f"higgs.csv, line 3: an empty line instead of 29 columns{LINE}",
    ),
    "text": (
        lambda rows: edited(rows, 4, 2, "1.3x"),
        f"higgs.csv, line 5, column 'lepton_eta': '1.3x' is not a number{LINE}",
    ),
    "text in the first line": (
        lambda rows: edited(rows, 0, 1, "abc"),
        f"higgs.csv, line 1, column 'lepton_pT': 'abc' is not a number{LINE}",
    ),
    "no value": (
        lambda rows: edited(rows, 4, 2, ""),
        f"higgs.csv, line 5, column 'lepton_eta': '' is not a number{LINE}",
    ),
    "underscore": (
        lambda rows: edited(rows, 4, 2, "1_0"),
        f"higgs.csv, line 5, column 'lepton_eta': '1_0' is not a number{LINE}",
    ),
    "text in the label": (
        lambda rows: edited(rows, 4, 0, "signal"),
        f"higgs.csv, line 5, column 'label': 'signal' is not a number{LINE}",
    ),
    "NaN": (
        lambda rows: edited(rows, 6, 5, "nan"),
        f"higgs.csv, line 7, column 'missing_energy_phi': nan is not finite{EVENT}",
    ),
    "infinity": (
        lambda rows: edited(rows, 11, 28, "-inf"),
        f"higgs.csv, line 12, column 'm_wwbb': -inf is not finite{EVENT}",
    ),
    "too large": (
        lambda rows: edited(rows, 0, 28, "1e39"),
        f"higgs.csv, line 1, column 'm_wwbb': 1e39 is not finite{EVENT}",
    ),
    "label 2": (
        lambda rows: edited(rows, 2, 0, "2"),
        (
            "higgs.csv, line 3, column 'label': 2 is not a label: only 0 (background) and 1 (signal)"
            " are"
        ),
    ),
    "label 0.5": (
        lambda rows: edited(rows, 2, 0, "0.5"),
        (
            "higgs.csv, line 3, column 'label': 0.5 is not a label: only 0 (background) and 1 (signal)"
            " are"
        ),
    ),
    "negative pT": (
        lambda rows: edited(rows, 9, 18, "-0.25"),
        "higgs.csv, line 10, column 'jet_4_pt': -0.25 is negative, which is physically impossible"
        + EVENT,
    ),
    "negative energy": (
        lambda rows: edited(rows, 9, 4, "-1e-9"),
        (
            "higgs.csv, line 10, column 'missing_energy_magnitude': -1e-9 is negative, which is"
            f" physically impossible{EVENT}"
        ),
    ),
    "negative mass": (
        lambda rows: edited(rows, 9, 22, "-3"),
        f"higgs.csv, line 10, column 'm_jj': -3 is negative, which is physically impossible{EVENT}",
    ),
    "wrong separator": (
        lambda rows: as_text(rows, separator=";"),
        (
            "higgs.csv, line 1: 1 column instead of 29 (label and 28 features): check the separator"
            " and the layout"
        ),
    ),
    "no label": (
        lambda rows: as_text([row[1:] for row in rows]),
        (
            "higgs.csv, line 1: 28 columns instead of 29 (label and 28 features): check the separator"
            " and the layout"
        ),
    ),
    "nothing": (lambda _: "", "higgs.csv: the file is empty: it holds no events"),
    "only a header": (
        lambda _: as_text([NAMES]),
        "higgs.csv: the file is empty: it holds no events",
    ),
    "misspelt header": (
        lambda rows: as_text([["label", "lepton_pX", *NAMES[2:]], *rows]),
        "higgs.csv: column 'lepton_pX' is unknown: did you mean 'lepton_pT'?",
    ),
    "missing in the header": (
        lambda rows: as_text([row[:-1] for row in [NAMES, *rows]]),
        "higgs.csv: column 'm_wwbb' is missing: did you mean 'm_wbb'?",
    ),
    "twice in the header": (
        lambda rows: as_text([[*NAMES[:-1], "m_wbb"], *rows]),
        "higgs.csv: column 'm_wbb' occurs 2 times: keep one",
    ),
    "no labels to be found": (
        lambda rows: as_text([["0.3", *row[1:]] for row in rows]),
        (
            "higgs.csv, line 1: no outer column holds labels 0 and 1: set `label: first` or `label:"
            " last`"
        ),
    ),
    "labels on both sides": (
        lambda rows: as_text([[*row[:-1], "0"] for row in rows]),
        (
            "higgs.csv, line 1: both the first and the last column hold labels 0 and 1: set `label:"
            " first` or `label: last`"
        ),
    ),
}


@pytest.mark.parametrize(("spoil", "message"), TEXT_FAULTS.values(), ids=TEXT_FAULTS)
def test_fault_is_named_and_leaves_nothing_behind(spoil, message, rows, ingest):
    with pytest.raises(InvalidEvents, match=f"^{re.escape(message)}$"):
        ingest(spoil(rows))
    assert not [*ingest.table.parent.glob("*")]
    assert not [*ingest.table.parent.glob(".*")]


def test_line_counts_the_header(rows, ingest):
    with pytest.raises(InvalidEvents, match=r"line 6, column 'lepton_eta': 'x' is not a number"):
        ingest(as_text([NAMES]) + edited(rows, 4, 2, "x"))


def test_ends_of_lines_are_no_part_of_a_value(rows, ingest):
    rows[3][28] = "x"
    with pytest.raises(InvalidEvents, match="line 4, column 'm_wwbb': 'x' is not a number"):
        ingest(as_text(rows, end="\r\n"))


def test_first_of_several_faults_is_named(rows, ingest):
    rows[8][3], rows[2][20], rows[5][0] = "nan", "-1", "7"
    rows[2][18] = "-1"
    with pytest.raises(InvalidEvents, match="line 3, column 'jet_4_pt'"):
        ingest(as_text(rows))


def test_stated_label_position_settles_what_looks_like_labels(rows, ingest):
    rows = [[*row[:-1], "0"] for row in rows]
    assert ingest(as_text(rows), label="first").n_signal == 6


def test_header_can_be_ruled_out(rows, ingest):
    with pytest.raises(InvalidEvents, match="line 1, column 'label': 'label' is not a number"):
        ingest(as_text([NAMES, *rows]), header="absent")


def test_duplicates_can_be_a_mistake(rows, ingest):
    message = (
        "higgs.csv, line 13: the event repeats an earlier one: set `duplicates: drop` or"
        " `duplicates: keep`"
    )
    with pytest.raises(InvalidEvents, match=f"^{re.escape(message)}$"):
        ingest(as_text([*rows, rows[4]]), duplicates="error")
    assert not [*ingest.table.parent.glob("*")]


def test_no_duplicates_are_no_mistake(rows, ingest):
    assert ingest(as_text(rows), duplicates="error").n_duplicates == 0


def test_wrong_checksum(rows, ingest, tmp_path):
    path = tmp_path / "higgs.csv"
    path.write_text(as_text(rows))
    with pytest.raises(
        InvalidEvents, match=f"higgs.csv: the sha256 is [0-9a-f]{{64}}, not {'0' * 64}: fetch"
    ):
        ingest(path, sha256="0" * 64)
    assert not [*ingest.table.parent.glob("*")]


@pytest.mark.parametrize("cut", [0.5, 0.999])
def test_truncated_gzip(cut, rows, ingest):
    whole = gzip.compress(as_text(rows).encode())
    message = (
        r"^higgs.csv.gz: the gzip stream is damaged or cut short after line \d+ \(.*\): fetch"
    )
    with pytest.raises(InvalidEvents, match=message):
        ingest(whole[: int(cut * len(whole))], name="higgs.csv.gz")
    assert not [*ingest.table.parent.glob("*")]


def test_text_that_is_not_gzip(rows, ingest):
    with pytest.raises(InvalidEvents, match="gzip stream is damaged"):
        ingest(as_text(rows), name="higgs.csv.gz")


def test_unknown_format(ingest):
    with pytest.raises(InvalidEvents, match=r"e\.root: unknown format '\.root': known are \.csv,"):
        ingest("", name="e.root")


def test_text_without_lines(ingest, monkeypatch):
    monkeypatch.setattr("bumpflow.ingest.text.LONGEST_LINE", 100)
    monkeypatch.setattr("bumpflow.ingest.text.CHUNK", 50)
    with pytest.raises(InvalidEvents, match="line 1: no end within 100 bytes"):
        ingest("1" * 200)


def test_array_fault_names_row_column_and_value(events, ingest, tmp_path):
    x = events[0].astype("float64")
    x[7, 21] = -1.5
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", events[1])
    with pytest.raises(InvalidEvents, match=r"x.npy, row 8, column 'm_jj': -1.5 is negative"):
        ingest(tmp_path / "x.npy", labels=tmp_path / "y.npy")


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones((3, 28)), np.ones(2), r"labels are float64 of shape \(2,\): 3 numbers are"),
        (np.ones((3, 28)), np.array(["a"] * 3), "labels are <U1 of shape"),
        (np.ones((3, 27)), np.ones(3), "27 columns instead of 28: check the layout"),
        (np.ones(28), np.ones(28), r"float64 of shape \(28,\): a matrix of numbers is needed"),
        (np.ones((0, 28)), np.ones(0), "the file is empty: it holds no events"),
        (np.full((3, 28), np.inf), np.ones(3), "row 1, column 'lepton_pT': inf is not finite"),
        (np.full((3, 28), 1e300), np.ones(3), "row 1, column 'lepton_pT': 1e[+]300 is not finite"),
    ],
)
def test_arrays_that_do_not_fit(x, y, message, ingest, tmp_path):
    np.savez(tmp_path / "e.npz", X=x, y=y)
    with pytest.raises(InvalidEvents, match=message):
        ingest(tmp_path / "e.npz")
    assert not [*ingest.table.parent.glob("*")]


def test_npz_without_features(ingest, tmp_path):
    np.savez(tmp_path / "e.npz", data=np.ones(3))
    with pytest.raises(InvalidEvents, match=r"no array 'X' among \['data'\]"):
        ingest(tmp_path / "e.npz")


@pytest.mark.parametrize("name", ["e.npy", "e.npz", "e.parquet"])
def test_damaged_binary_files(name, ingest):
    with pytest.raises(InvalidEvents, match=rf"^{name}: not a whole"):
        ingest(b"PK\x03\x04 something else", name=name)


def test_pickled_arrays_are_refused(ingest, tmp_path):
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidEvents, match=r"not a whole .npy file of numbers"):
        ingest(tmp_path / "x.npy")


def test_parquet_faults_name_row_and_column(events, ingest, tmp_path):
    table = pd.DataFrame(events[0], columns=[*HIGGS_FEATURES]).assign(label=events[1])
    table.loc[5, "m_bb"] = np.nan
    table.to_parquet(tmp_path / "e.parquet")
    with pytest.raises(InvalidEvents, match=r"e.parquet, row 6, column 'm_bb': (nan|None) is not"):
        ingest(tmp_path / "e.parquet")


def test_parquet_columns_of_text_are_refused(ingest, tmp_path):
    pd.DataFrame({"a": ["1", "2"], "label": [0, 1]}).to_parquet(tmp_path / "e.parquet")
    with pytest.raises(
        InvalidEvents, match=r"e.parquet, column 'a': it holds .*string, not numbers"
    ):
        ingest(tmp_path / "e.parquet", kind="table")


def test_own_table_checks_its_own_range(ingest):
    with pytest.raises(InvalidEvents, match=r"line 3, column 'm': -2 is negative"):
        ingest("m\n1\n-2\n", kind="table", label=0, nonnegative=["m"])


def test_own_table_without_its_label(ingest):
    with pytest.raises(
        InvalidEvents, match=r"column 'lable' is missing: did you mean 'label'\?"
    ):  # codespell:ignore
        ingest("m,label\n1,0\n", kind="table", label="lable", columns=["m"])  # codespell:ignore


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("higgs", {"columns": ["m"]}, "layout 'higgs' has no option 'columns'"),
        ("table", {"header": "absent"}, "layout 'table' has no option 'header'"),
        ("higgs", {"label": "class"}, "label is 'class', but in layout 'higgs' it is auto, first"),
        ("table", {"label": 2}, "label is 2, but it must be a column's name, 0 or 1"),
        (
            "table",
            {"columns": ["m"], "nonnegative": ["pt"]},
            r"nonnegative names 'pt', which is not in columns: \['m'\]",
        ),
    ],
)
def test_options_that_contradict_the_layout(kind, options, message):
    with pytest.raises(ValueError, match=message):
        build_layout(kind, options)
