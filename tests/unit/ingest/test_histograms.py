"""Histograms from files of all formats, and files that hold none."""

import gzip
import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import uproot
import yaml

from bumpflow import io
from bumpflow.hunts.histogram import InvalidHistogram
from bumpflow.ingest import histogram_events, histograms
from bumpflow.ingest.histograms import (
    check_file,
    options_for_many,
    read_histogram,
    read_histograms,
)

ROOT = Path(__file__).parents[3]
N_BINS = 24
EDGES = 100 + np.cumsum(np.r_[0, np.linspace(1.0, 3.0, N_BINS)].round(2)).round(2)
COUNTS = np.linspace(900.25, 20.5, N_BINS).round(2)
LOW, HIGH, CENTERS = EDGES[:-1], EDGES[1:], (EDGES[1:] + EDGES[:-1]) / 2
ROWS = [f"{low} {high} {count}" for low, high, count in zip(LOW, HIGH, COUNTS, strict=True)]


@pytest.fixture
def read(tmp_path):
    """Return a function that writes a text and reads it as a histogram."""

    def run(content, *, name="mine.csv", **options):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content)
        elif isinstance(content, pd.DataFrame):
            content.to_parquet(path)
        elif path.suffix == ".root":
            with uproot.recreate(path) as file:
                for key, value in content.items():
                    if isinstance(value, dict):
                        file.mktree(key, {branch: value[branch].dtype for branch in value})
                        file[key].extend(value)
                    else:
                        file[key] = value
        else:
            path.write_text(yaml.safe_dump(content))
        return read_histogram(path, "mine", options)

    return run


def text(rows, separator=",", header=""):
    """Return lines of text of fields separated by blanks."""
    lines = [header, *rows] if header else rows
    return "\n".join(separator.join(row.split()) for row in lines) + "\n"


def table(**columns):
    """Return a table of the bins."""
    return pd.DataFrame({"low": LOW, "high": HIGH, "n": COUNTS} | columns)


def hepdata(counts=COUNTS, axis=None, name="Yield"):
    """Return a HEPData table."""
    bins = [{"low": float(a), "high": float(b)} for a, b in zip(LOW, HIGH, strict=True)]
    values = [{"value": c if isinstance(c, str) else float(c)} for c in counts]
    other = {"header": {"name": "Ratio"}, "values": [{"value": 1.0}] * N_BINS}
    return {
        "independent_variables": [
            {"header": {"name": "mass", "units": "GeV"}, "values": axis or bins}
        ],
        "dependent_variables": [other, {"header": {"name": name}, "values": values}],
    }


def check(histogram):
    """Compare a histogram with the one that all files hold."""
    assert histogram.edges == pytest.approx(EDGES, rel=1e-12)
    assert histogram.values == pytest.approx(COUNTS, rel=1e-12)


@pytest.mark.parametrize(
    ("content", "name", "options"),
    [
        (text(ROWS), "m.csv", {}),
        (text(ROWS, "\t", "low_gev high_gev count"), "m.tsv", {}),
        (text(ROWS, ";", "a b c"), "m.csv", {"columns": {"low": "a", "high": 1, "count": "c"}}),
        (text(ROWS, "  "), "m.txt", {}),
        ("# a\n\n" + text(ROWS, ", ", "xlow,xhigh,yield") + "# b\n", "m.dat", {}),
        ("\ufeff" + text(ROWS, ",", "a b c").replace("\n", "\r\n"), "m.csv", {}),
        (gzip.compress(text(ROWS).encode(), mtime=0), "m.csv.gz", {}),
        (text([f"{c} {row}" for c, row in zip(CENTERS, ROWS, strict=True)]), "m.csv", {}),
        (text([f"{r.split()[0]} {r.split()[2]}" for r in ROWS] + [str(HIGH[-1])], header="edge n"),
         "m.csv", {}),
        (text([f"{c} {w} {n}" for c, w, n in zip(CENTERS, HIGH - LOW, COUNTS, strict=True)]),
         "m.csv", {"columns": {"center": 0, "width": 1, "count": 2}}),
        (table(), "m.parquet", {}),
        (table(density=COUNTS / (HIGH - LOW) / 7.0), "m.parquet",
         {"columns": {"low": "low", "high": "high", "count": "density"},
          "quantity": "density", "scale": 7.0}),
        ({"h": (COUNTS, EDGES)}, "m.root", {}),
        ({"a/h": (COUNTS, EDGES), "g": (COUNTS, EDGES + 1)}, "m.root", {"object": "a/h"}),
        (hepdata(), "m.yaml", {"object": "Yield"}),
        (hepdata([f"{c:e}" for c in COUNTS]), "m.yml", {"object": "Yield"}),
    ],
)  # fmt: skip
def test_every_format_gives_the_same_histogram(read, content, name, options):
    check(read(content, name=name, **options))


def test_centres_give_edges_half_way(read):
    rows = [f"{101 + 2 * i}.0 {c} {np.sqrt(c)}" for i, c in enumerate(COUNTS)]
    histogram = read("# mass | count | error\n" + text(rows, " "), name="m.dat")
    assert histogram.edges.tolist() == np.arange(100.0, 149.0, 2.0).tolist()
    assert histogram.values.tolist() == COUNTS.tolist()


def test_axis_is_named_by_the_file_or_by_options(read):
    histogram = read(hepdata(), name="m.yaml", object="Yield")
    assert (histogram.variable, histogram.unit) == ("mass", "GeV")
    histogram = read(hepdata(), name="m.yaml", object="Yield", variable="m", unit="TeV")
    assert (histogram.variable, histogram.unit) == ("m", "TeV")


def test_first_dependent_variable_is_the_default(read):
    assert read(hepdata(), name="m.yaml").values.tolist() == [1.0] * N_BINS


def test_range_keeps_the_bins_inside(read):
    histogram = read(text(ROWS), range=[EDGES[1] - 0.1, EDGES[22] + 0.1])
    assert histogram.edges == pytest.approx(EDGES[1:23])
    assert histogram.values == pytest.approx(COUNTS[1:22])


def swap(row, line):
    """Return the rows with one replaced."""
    return [*ROWS[:row], line, *ROWS[row + 1 :]]


PLACE = r"mine\.csv, line 4, bin 4 from"


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (swap(3, f"{LOW[3]} {HIGH[3]} -2"), {}, PLACE + ".* -2, which is negative"),
        (swap(3, f"{LOW[3]} {HIGH[3]} nan"), {}, PLACE + ".* nan, which is not finite"),
        (swap(3, f"{LOW[3]} inf 2"), {}, PLACE + ".* an edge that is not finite"),
        (swap(3, f"{LOW[3] - 0.5} {HIGH[3]} 2"), {}, PLACE + ".* overlaps"),
        (swap(3, f"{LOW[3] + 0.5} {HIGH[3]} 2"), {}, PLACE + ".* gap"),
        (swap(3, f"{LOW[3]} {HIGH[3]} 2x"), {}, r"line 4, column 2: '2x' is not a number"),
        (swap(3, f"{LOW[3]} {HIGH[3]} 2_0"), {}, r"line 4, column 2: '2_0' is not a number"),
        (swap(3, f"{LOW[3]} {HIGH[3]}"), {}, r"line 4: 2 columns instead of 3"),
        (ROWS[:3] + ROWS[4:], {}, PLACE + ".* gap"),
        (ROWS[::-1], {"columns": {"low": 0, "high": 1, "count": 2}}, "line 2, bin 2 .* sort"),
        (ROWS[:19], {}, "has 19 bins"),
        ([" ".join([*r.split()[:2], "0"]) for r in ROWS], {}, "all 24 counts"),
        (["low high count"], {}, "no bins, only a header"),
        (["# nothing"], {}, "no line but comments"),
        (ROWS, {"range": [200, 300]}, "no bin lies inside the range 200 to 300; the bins are"),
        (ROWS, {"columns": {"low": 0, "high": 5, "count": 2}}, "no column at position 5"),
        (ROWS, {"columns": {"low": "a", "high": 1, "count": 2}}, "no names: give positions"),
        (["a high c", *ROWS], {"columns": {"low": "hihg", "high": 1, "count": 2}},
         "no column 'hihg': did you mean 'high'"),
        (ROWS, {"columns": {"low": 0, "count": 2}}, "gives count, low, but must give"),
        ([f"{r.split()[0]} 1 2 3 4" for r in ROWS], {}, "cannot tell which of its 5 columns"),
        ([f"{c} {n}" for c, n in zip(CENTERS, COUNTS, strict=True)], {}, "only bins of equal"),
        ([f"{r.split()[0]} {r.split()[2]}" for r in ROWS], {"columns": {"edges": 0, "count": 1}},
         "line 24: the last of the edges has the count"),
        (ROWS, {"columnz": {}}, "no option 'columnz'"),
        (ROWS, {"quantity": "rate"}, "quantity is 'rate'"),
        (ROWS, {"scale": 0}, "scale is 0"),
    ],
)  # fmt: skip
def test_bad_text_is_refused_at_its_place(read, rows, options, message):
    with pytest.raises(InvalidHistogram, match=f"histogram mine.*{message}"):
        read(text(rows), **options)


def test_place_survives_a_cut(read):
    with pytest.raises(InvalidHistogram, match=r"mine.csv, line 10, bin 8 from"):
        read(text(swap(9, f"{LOW[9]} {HIGH[9]} -2")), range=[EDGES[2], 1000])


@pytest.mark.parametrize(
    ("content", "name", "options", "message"),
    [
        (b"\xff\xfe\x00", "m.csv", {}, "not a whole text file"),
        (gzip.compress(text(ROWS).encode(), mtime=0)[:40], "m.csv.gz", {}, "not a whole text file"),
        (b"PAR1 cut", "m.parquet", {}, "not a whole Parquet file"),
        (b"root", "m.root", {}, "not a whole ROOT file"),
        (b"root" + bytes(range(200)), "m.root", {}, "not a whole ROOT file"),
        (b"a: [1, 2", "m.yaml", {}, "not a whole YAML file .*line 1"),
        (b"!!python/object/apply:os.getcwd []", "m.yaml", {}, "not a whole YAML file"),
        (b"a: 1", "m.yaml", {}, "no list `independent_variables`"),
        (b"x", "m.xls", {}, r"suffix '\.xls' is none of"),
        (table(n=COUNTS.astype(str)), "m.parquet", {}, "column 'n': it holds .*string"),
        (table(n=np.where(EDGES[5] < LOW, np.nan, COUNTS)), "m.parquet", {}, "row 7, bin 7"),
        ({"h": (COUNTS, EDGES), "g": (COUNTS, EDGES)}, "m.root", {}, "2 TH1s: name one of 'h', 'g'"),
        ({"hist": (COUNTS, EDGES)}, "m.root", {"object": "hits"}, "TH1 'hits': did you mean 'hist'"),
        ({"t": {"x": CENTERS}}, "m.root", {"object": "t"}, "no TH1, but a TTree, 't'"),
        (hepdata(["-", *COUNTS[1:]]), "m.yaml", {"object": "Yield"}, "bin 1: .*'Yield' is '-'"),
        (hepdata(COUNTS[1:]), "m.yaml", {"object": "Yield"}, "24 bins, but 23 values"),
        (hepdata(), "m.yaml", {"object": "Yielt"}, "did you mean 'Yield'"),
        (hepdata(axis=[{"value": 1.0}] * 3 + [{}]), "m.yaml", {}, "bin 4: .*'mass' is nothing"),
        (hepdata([*COUNTS[:-1], np.inf]), "m.yaml", {"object": "Yield"}, "bin 24 .* inf, which"),
    ],
)  # fmt: skip
def test_bad_file_is_refused(read, content, name, options, message):
    with pytest.raises(InvalidHistogram, match=f"histogram mine.*{message}"):
        read(content, name=name, **options)


def test_damaged_files_are_refused_or_not_harmed(read, tmp_path):
    for name, content in {"m.parquet": table(), "m.root": {"h": (COUNTS, EDGES)}}.items():
        read(content, name=name)
        whole = (tmp_path / name).read_bytes()
        faults = []
        for size in range(10, 2000, 100):  # what follows in a ROOT file may be empty
            try:
                check(read(whole[:size], name=name))
            except InvalidHistogram as error:
                faults.append(str(error))
        assert len(faults) > 10
        assert all(re.search("not a whole|there is no TH1", fault) for fault in faults)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidHistogram, match=r"mine: there is no file .*none\.csv"):
        read_histogram(tmp_path / "none.csv", "mine", {})


EVENTS = np.random.default_rng(4).uniform(0, 12, 2000).round(3)
BINNING = {"column": "x", "n_bins": 20, "low": 1.0, "high": 11.0}


def event_text(separator=",", **replaced):
    """Return events as text; ``at`` replaces the value of a line."""
    fields = [[str(i), str(x), "g"] for i, x in enumerate(EVENTS)]
    if replaced:
        fields[replaced["at"]][1] = replaced["by"]
    return "\n".join(separator.join(f) for f in [["i", "x", "k"], *fields]) + "\n"


@pytest.mark.parametrize(
    ("content", "name", "options"),
    [
        (event_text(), "m.csv", {}),
        ("# a\n" + event_text("\t"), "m.tsv", {}),
        (event_text(" "), "m.txt", {}),
        (gzip.compress(event_text(";").encode(), mtime=0), "m.csv.gz", {}),
        (event_text().partition("\n")[2], "m.csv", {"events": BINNING | {"column": 1}}),
        (pd.DataFrame({"i": 1, "x": EVENTS}), "m.parquet", {}),
        ({"t": {"x": EVENTS, "y": EVENTS}}, "m.root", {}),
        ({"t": {"x": EVENTS}, "s": {"x": -EVENTS}}, "m.root", {"object": "t"}),
        (event_text(), "m.csv",
         {"events": {"column": "x", "edges": np.linspace(1, 11, 21).tolist()}}),
    ],
)  # fmt: skip
def test_events_fill_the_same_bins(read, content, name, options, monkeypatch, caplog):
    monkeypatch.setattr(histogram_events, "ROWS", 300)
    monkeypatch.setattr(histogram_events, "BLOCK", 1 << 12)
    with caplog.at_level(logging.INFO):
        histogram = read(content, name=name, **({"events": BINNING} | options))
    expected, edges = np.histogram(EVENTS, 20, (1, 11))
    assert histogram.values.tolist() == expected.tolist()
    assert histogram.edges == pytest.approx(edges)
    n_dropped = np.sum((EVENTS < 1) | (EVENTS > 11))
    assert f"2000 events, {n_dropped} of them" in caplog.text


@pytest.mark.parametrize(
    ("content", "name", "events", "message"),
    [
        (event_text(at=1500, by="nan"), "m.csv", {}, "line 1502, column 'x': nan is not finite"),
        (event_text(at=1500, by=""), "m.csv", {}, "line 1502, column 'x': '' is not a number"),
        (event_text(at=0, by="x"), "m.csv", {}, "line 2, column 'x': 'x' is not a number"),
        (event_text(at=1500, by="1,1"), "m.csv", {}, "line 1502: 4 columns instead of 3"),
        (
            gzip.compress(event_text().encode(), mtime=0)[:-900],
            "m.csv.gz",
            {},
            "not a whole text file",
        ),
        (event_text(), "m.csv", {"column": "X"}, "no column 'X'"),
        (event_text(), "m.csv", {"column": 3}, "no column at position 3"),
        (event_text(), "m.csv", {"edges": [1, 2]}, "gives column, edges, high, low, n_bins, but"),
        (event_text(), "m.csv", {"low": 20}, "edges must be finite and ascend"),
        (event_text(), "m.csv", {"low": 20, "high": 30}, "all 20 counts"),
        (pd.DataFrame({"x": np.r_[EVENTS, np.inf]}), "m.parquet", {}, "row 2001, column 'x': inf"),
        (pd.DataFrame({"x": np.r_[EVENTS, np.nan]}), "m.parquet", {}, "row 2001, column 'x': nan"),
        (pd.DataFrame({"y": EVENTS}), "m.parquet", {}, "no column 'x'"),
        (pd.DataFrame({"x": ["a"]}), "m.parquet", {}, "holds .*string, not numbers"),
        ({"t": {"x": np.r_[EVENTS, np.nan]}}, "m.root", {}, "event 2001, column 'x': nan"),
        ({"t": {"y": EVENTS}}, "m.root", {}, "no branch 'x'"),
        ({"h": (COUNTS, EDGES)}, "m.root", {}, "no TTree"),
        (b"", "m.yaml", {}, "events are read from"),
    ],
)
def test_bad_events_are_refused_at_their_place(read, content, name, events, message, monkeypatch):
    monkeypatch.setattr(histogram_events, "BLOCK", 1 << 12)
    with pytest.raises(InvalidHistogram, match=f"histogram mine.*{message}"):
        read(content, name=name, events=BINNING | events)


def test_events_need_no_columns(read):
    with pytest.raises(InvalidHistogram, match="`columns` tells how a histogram is stored"):
        read(event_text(), events=BINNING, columns={"center": 0, "count": 1})


@pytest.mark.parametrize(
    ("name", "n_bins", "n_events"),
    [
        ("hyy", 30, 57_723),
        ("dijet", 42, 6_557_829),
        ("paireddijet", 33, 323_601),
        ("upsilon", 75, 16_600),
        ("z", 60, 10_851),
    ],
)
def test_shipped_spectra_are_read(name, n_bins, n_events):
    options = io.read_yaml(ROOT / "config/config.yaml")["histograms"][name]
    histogram = read_histogram(ROOT / options["path"], name, options)
    assert (histogram.n_bins, histogram.values.sum()) == (n_bins, n_events)
    assert histogram.unit == "GeV"


def test_upsilon_peaks_are_resolved():
    options = io.read_yaml(ROOT / "config/config.yaml")["histograms"]["upsilon"]
    histogram = read_histogram(ROOT / options["path"], "upsilon", options)
    for mass in (9.460, 10.023, 10.355):  # PDG masses [GeV]
        near = np.abs(histogram.centers - mass) < 0.12
        beside = np.abs(np.abs(histogram.centers - mass) - 0.2) < 0.04
        peak, valley = histogram.values[near], histogram.values[beside]
        error = np.sqrt(peak.mean() / near.sum() + valley.mean() / beside.sum())
        assert peak.mean() - valley.mean() > 3 * error


def many(n=3):
    """Return a table of histograms of different lengths, bin by bin in turn."""
    parts = [
        pd.DataFrame({"name": f"h{k}", "low": LOW, "high": HIGH, "count": COUNTS + k})[
            : N_BINS - k
        ]
        for k in range(n)
    ]
    return pd.concat(parts).sort_values("low", kind="stable", ignore_index=True)


@pytest.mark.parametrize("name", ["m.csv", "m.parquet"])
def test_a_column_tells_many_histograms_apart(tmp_path, name):
    path = tmp_path / name
    many().to_csv(path, index=False) if path.suffix == ".csv" else many().to_parquet(path)
    found = read_histograms(path, "mine", {"by": "name", "scale": 2, "unit": "GeV"})
    assert [one.name for one in found] == ["mine h0", "mine h1", "mine h2"]
    for k, one in enumerate(found):
        assert one.values == pytest.approx(2 * (COUNTS + k)[: N_BINS - k], rel=1e-12)
        assert one.edges == pytest.approx(EDGES[: N_BINS + 1 - k], rel=1e-12)
        assert one.unit == "GeV"


@pytest.mark.parametrize("name", ["m.csv", "m.parquet"])
def test_one_of_many_is_refused_with_its_place(tmp_path, name):
    path, table = tmp_path / name, many()
    row = int(table.index[(table["name"] == "h1") & (table["low"] == LOW[4])][0])

    def fault(**changed):
        wrong = table.copy()
        wrong.loc[row, list(changed)] = list(changed.values())
        wrong.to_csv(path, index=False) if path.suffix == ".csv" else wrong.to_parquet(path)
        with pytest.raises(InvalidHistogram) as error:
            check_file(path, "mine", {"by": "name"})
        return str(error.value)

    where = f"{name}, line {row + 2}" if path.suffix == ".csv" else f"{name}, row {row + 1}"
    said = fault(count=-1.5)
    assert said.startswith(f"histogram mine h1, {where}, bin 5")
    assert "-1.5" in said
    assert f"{where}, column 'name': a bin of no histogram" in fault(name=None)
    with pytest.raises(InvalidHistogram, match="no column 'naame': did you mean 'name'"):
        read_histograms(path, "mine", {"by": "naame"})


def test_tables_of_many_are_recognised(tmp_path):
    paths = [tmp_path / name for name in ("m.csv", "m.parquet", "one.csv", "m.root", "none.csv")]
    table = many().rename(columns={"name": "histogram"})
    table.to_csv(paths[0], index=False)
    table.to_parquet(paths[1])
    paths[2].write_text(text(ROWS))
    paths[3].write_text("histogram,low")
    found = [options_for_many(path) for path in paths]
    assert found == [{"by": "histogram"}, {"by": "histogram"}, {}, {}, {}]
    with pytest.raises(InvalidHistogram, match="which `by` is for"):
        read_histograms(paths[3], "mine", {"by": "histogram"})


def test_large_files_of_events_are_checked_by_their_first_piece(tmp_path, monkeypatch):
    path = tmp_path / "m.csv"
    path.write_text("m\n" + "1.5\n" * 40 + "nan\n")
    events = {"column": "m", "n_bins": 20, "low": 1, "high": 2}
    with pytest.raises(InvalidHistogram, match="line 42"):
        check_file(path, "mine", {"events": events})
    monkeypatch.setattr(histograms, "AT_ONCE", 10)
    monkeypatch.setattr(histogram_events, "BLOCK", 32)
    check_file(path, "mine", {"events": events})
    with pytest.raises(InvalidHistogram, match="no column 'mass'"):
        check_file(path, "mine", {"events": events | {"column": "mass"}})


def test_root_files_may_hold_many(tmp_path):
    path, one = tmp_path / "m.root", tmp_path / "one.root"
    with uproot.recreate(path) as file:
        for k, name in enumerate(("ee/low", "ee/high", "mm/low")):
            file[name] = COUNTS + k, EDGES
    with uproot.recreate(one) as file:
        file["h"] = COUNTS, EDGES
    assert options_for_many(path) == {"object": "*"}
    assert options_for_many(one) == {}
    found = read_histograms(path, "mine", {"object": "*"})
    assert {h.name: h.values[0] - COUNTS[0] for h in found} == {
        "mine ee/low": 0, "mine ee/high": 1, "mine mm/low": 2
    }  # fmt: skip
    found = read_histograms(path, "mine", {"object": "*/low"})
    assert [histogram.name for histogram in found] == ["mine ee/low", "mine mm/low"]
    with pytest.raises(
        InvalidHistogram, match=r"no TH1 like 'tt/\*'.*There are 'ee/low', 'ee/high'"
    ):
        read_histograms(path, "mine", {"object": "tt/*"})
