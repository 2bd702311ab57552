"""Files of histograms in every format that can be read, and their readers."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import uproot
import yaml

from bumpflow.ingest.histograms import (
    check_file,
    options_for_many,
    read_histogram,
    read_histograms,
)
from tests.fuzz.cases import Case
from tests.fuzz.event_files import parquet

N_BINS = 22
EDGES = 100.0 + np.arange(N_BINS + 1)
COUNTS = np.linspace(900.25, 20.5, N_BINS).round(2)
LOW, HIGH = EDGES[:-1], EDGES[1:]
HEADER = ("low", "high", "n")
BINS = pd.DataFrame({"low": LOW, "high": HIGH, "n": COUNTS})
MANY = pd.concat([BINS.assign(histogram=name) for name in ("a", "b")], ignore_index=True)
EVENTS = pd.DataFrame({"m": np.linspace(99, 125, 60).round(3), "w": np.ones(60)})
FILLED = {"events": {"column": "m", "n_bins": N_BINS, "low": 100, "high": 122}}
HEPDATA = {
    "independent_variables": [
        {
            "header": {"name": "mass", "units": "GeV"},
            "values": [
                {"low": float(a), "high": float(b)} for a, b in zip(LOW, HIGH, strict=True)
            ],
        }
    ],
    "dependent_variables": [
        {"header": {"name": "Yield"}, "values": [{"value": float(n)} for n in COUNTS]}
    ],
}


def one(**options: object) -> Callable[[Path], object]:
    """Return a reader of one histogram."""
    return lambda path: read_histogram(path, "mine", options)


def all_of_it(path: Path) -> None:
    """Read as many histograms as a file says that it has."""
    found = options_for_many(path)
    check_file(path, "mine", found)
    read_histograms(path, "mine", found)


def root(**objects: object) -> bytes:
    """Return a ROOT file of histograms or trees."""
    stream = io.BytesIO()
    with uproot.recreate(stream) as file:
        for name, value in objects.items():
            if isinstance(value, pd.DataFrame):
                file.mktree(name, {column: value[column].dtype for column in value})
                file[name].extend({column: value[column].to_numpy() for column in value})
            else:
                file[name] = value
        return stream.getvalue()


CSV, MANY_CSV, EVENT_CSV = (table.to_csv(index=False) for table in (BINS, MANY, EVENTS))
BLANKS = BINS.to_csv(index=False, header=False, sep=" ")
YAML = yaml.safe_dump(HEPDATA)
CASES = {
    "text": Case("h.csv", one(), (CSV.encode(),), ",", HEADER),
    "text with blanks": Case("h.dat", one(), (BLANKS.encode(),), " "),
    "gzipped text": Case("h.txt.gz", one(), (gzip.compress(CSV.encode(), mtime=0),), n=150),
    "many in text": Case("m.csv", all_of_it, (MANY_CSV.encode(),), ",", tuple(MANY)),
    "Parquet": Case("h.parquet", one(), parquet(BINS)),
    "many in Parquet": Case("m.parquet", all_of_it, parquet(MANY), n=150),
    "HEPData": Case("h.yaml", one(), (YAML.encode(),), ": ", n=100),
    "ROOT": Case("h.root", one(), (root(h=(COUNTS, EDGES)),), n=150),
    "many in ROOT": Case(
        "m.root", all_of_it, (root(h=(COUNTS, EDGES), g=(COUNTS, EDGES)),), n=100
    ),
    "events in text": Case("e.csv", one(**FILLED), (EVENT_CSV.encode(),), ",", tuple(EVENTS)),
    "events in gzipped text": Case(
        "e.csv.gz", one(**FILLED), (gzip.compress(EVENT_CSV.encode(), mtime=0),), n=100
    ),
    "events in Parquet": Case("e.parquet", one(**FILLED), parquet(EVENTS), n=150),
    "events in ROOT": Case("e.root", one(**FILLED), (root(t=EVENTS),), n=100),
}
