"""Events in the Dark Machines format."""

import gzip
import re

import numpy as np
import pyarrow as pa
import pytest

from bumpflow.ingest.darkmachines import read_darkmachines_batches
from bumpflow.ingest.layout import InvalidEvents
from bumpflow.plotting.mixture import measure_observables, unpack_objects
from bumpflow.simulate.select.mixture import category_counts

LINES = [
    "7;ttbar;1;94346.4;-2.65;j,331927,147558,-1.44969,-1.76399;b,250000,200000,0.5,1;"
    + ("e-,60000,50000,0.25,0.125;m+,41000,40000,-0.5,3;m-,30000,20000,0.5,-3;"),
    "8;njets;0.5;12000;0.5",
    "9;gam_jets;2;0;0;g,90000,80000,0.25,2;g,150000,100000,-0.75,-2;j,90000,30000,1.5,0;",
]


@pytest.fixture
def read(tmp_path):
    """Return a function that writes lines and reads their events."""

    def run(lines, *, name="events.csv", end="\n", **options):
        path = tmp_path / name
        content = (end.join(lines) + end).encode()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        return pa.concat_tables(read_darkmachines_batches(path, **options))

    return run


def test_objects_become_lists_in_gev(read):
    events = read(LINES)
    assert events["jet_pt"].to_pylist() == [[200.0, pytest.approx(147.558)], [], [30.0]]
    assert events["jet_btag"].to_pylist() == [[2, 0], [], [0]]
    assert events["electron_pt"].to_pylist() == [[50.0], [], []]
    assert events["electron_charge"].to_pylist() == [[-1], [], []]
    assert events["muon_pt"].to_pylist() == [[40.0, 20.0], [], []]
    assert events["muon_charge"].to_pylist() == [[1, -1], [], []]
    assert events["photon_pt"].to_pylist() == [[], [], [100.0, 80.0]]
    assert events["photon_eta"].to_pylist() == [[], [], [-0.75, 0.25]]
    assert events["photon_phi"].to_pylist() == [[], [], [-2.0, 2.0]]
    assert events["met"].to_pylist() == pytest.approx([94.3464, 12.0, 0.0])
    assert events["met_phi"].to_pylist() == pytest.approx([-2.65, 0.5, 0.0])
    assert events["weight_fb"].to_pylist() == [1.0, 0.5, 2.0]
    assert read(LINES, luminosity_fb=10)["weight_fb"].to_pylist() == [0.1, 0.05, 0.2]
    assert events["sample"].to_pylist() == ["ttbar", "njets", "gam_jets"]


def test_mass_of_jets_follows_from_energy(read):
    mass = read(["1;a;1;0;0;j,5,3,0,0;j,1.99,2,0,0"], unit="GeV")["jet_mass"].to_pylist()
    assert mass == [[4.0, 0.0]]


def test_columns_are_those_of_generated_events(read):
    events = read(LINES)
    counts = category_counts(events, weight="weight_fb")
    assert counts.query("n_mu == 2")[["n_e", "n_jets", "n_b"]].to_numpy().tolist() == [[1, 2, 1]]
    masses = measure_observables(unpack_objects(events))
    expected = np.sqrt(2 * 80 * 100 * (np.cosh(1.0) - np.cos(4.0)))
    assert masses["m_gg"][2] == pytest.approx(expected, rel=1e-6)
    assert np.isnan(masses["m_gg"][:2]).all()


@pytest.mark.parametrize("end", ["\n", "\r\n", ";\n"])
@pytest.mark.parametrize("name", ["events.csv", "events.csv.gz"])
def test_pieces_and_compression_do_not_matter(read, end, name):
    lines = [line.rstrip(";").replace(";", "; ") for line in LINES] * 50
    pieces = read(lines, name=name, end=end, chunk_bytes=700)
    assert pieces["jet_pt"].num_chunks > 5
    assert pieces.to_pylist() == read(lines).to_pylist()


def test_last_line_needs_no_end(read):
    assert read(["\n".join(LINES)], end="").num_rows == 3


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("", "an empty line"),
        ("1;a;1;0", "4 fields instead of at least 5"),
        ("1;a;x;0;0", "event weight is 'x', which is not a number"),
        ("1;a;1;nan;0", "MET is nan, which is not a finite number"),
        ("1;a;1;-5;0", "MET is -5, but must not be negative"),
        ("1;a;1;0;0;j,1,1,0,0;j,1,1,0", "object 2 is 'j,1,1,0', but must be object,E,pt,eta,phi"),
        ("1;a;1;0;0;j,1,1,0,0;j,1,1,0,0,0", "object 2 is 'j,1,1,0,0,0', but must be"),
        ("1;a;1;0;0;t,1,1,0,0", "object 1 is 't', but objects are j, b,"),
        ("1;a;1;0;0;j,1,,0,0", "object 1 (j): pt is '', which is not a number"),
        ("1;a;1;0;0;j,1,1,inf,0", "object 1 (j): eta is inf, which is not a finite number"),
        ("1;a;1;0;0;j,1,1,-400,0", "object 1 (j): eta is -400, which is impossible"),
        ("1;a;1;0;0;j,1e31,1,0,0", "object 1 (j): E is 1e31, which is impossible"),
        ("1;a;1;0;0;j,0,1,0,0", "object 1 (j): E is 0, but must be positive"),
        ("1;a;1;0;0;m-,1,-1,0,0", "object 1 (m-): pt is -1, but must be positive"),
        ("1;a;1;0,0;j,1,1,0,0", "MET is '0,0', which is not a number"),
        ("1;a,b;1;0;0;j,1,1,0,0", "process ID is 'a,b', which holds a comma"),
        ("1,a,1,0,0", "1 fields instead of at least 5"),
    ],
)
def test_malformed_line_is_named(read, line, fault):
    lines = LINES * 40
    lines[90] = line
    with pytest.raises(InvalidEvents, match=r"events\.csv, line 91: .*" + re.escape(fault)):
        read(lines, chunk_bytes=2000)


def test_damaged_and_empty_files_are_refused(tmp_path):
    path = tmp_path / "events.csv.gz"
    path.write_bytes(gzip.compress("\n".join(LINES * 99).encode())[:-20])
    with pytest.raises(InvalidEvents, match="damaged or cut short after line"):
        list(read_darkmachines_batches(path))
    path = tmp_path / "events.csv"
    path.write_bytes(b"")
    with pytest.raises(InvalidEvents, match="no events"):
        list(read_darkmachines_batches(path))
    path.write_bytes(b"1;" * (1 << 20))
    with pytest.raises(InvalidEvents, match="line 1: no end within"):
        list(read_darkmachines_batches(path, chunk_bytes=1 << 16))
