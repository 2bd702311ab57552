"""Files of events in every format that can be read, and their readers."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import awkward as ak
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import uproot

from bumpflow.compatibility.photon_pairs import COLUMNS as PHOTONS
from bumpflow.compatibility.photon_pairs import read_photon_pairs
from bumpflow.hunts.objects import read_event_files, read_objects, refine
from bumpflow.ingest.convert import ingest_events
from bumpflow.ingest.darkmachines import read_darkmachines_batches
from bumpflow.ingest.delphes import COLLECTIONS, read_delphes_batches
from bumpflow.ingest.hdf5 import FEATURES, read_feature_blocks
from bumpflow.ingest.layout import HIGGS_FEATURES, build_layout
from bumpflow.ingest.lhe import read_crosssection_pb, read_lhe_batches
from bumpflow.reconstruction.event_tables import read_set_names
from bumpflow.simulate.alps.settings import BeamDump, Resolution
from bumpflow.simulate.kinematics import from_pt_eta_phi_mass
from bumpflow.simulate.select.diphoton import pair_features
from tests.fuzz.cases import Case
from tests.unit.compatibility.test_photon_pairs import PAIRS
from tests.unit.ingest.test_darkmachines import LINES
from tests.unit.ingest.test_lhe_events import LEPTONIC, PAIR, event_text, file_text
from tests.unit.simulate.alps.setups import SHIP

RNG = np.random.default_rng(5)
N = 8
SETUP = BeamDump.from_settings(SHIP)
POOR = Resolution(hit_m=0.001, energy=0.05, theta=0.01, phi=0.01)


def written(write: Callable[[io.BytesIO], object]) -> bytes:
    """Return what a function writes to a file."""
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def parquet(table: pd.DataFrame | pa.Table) -> tuple[bytes, ...]:
    """Return a table as Parquet: plain, compressed, and with the checksums that ours has."""
    table = pa.Table.from_pandas(table) if isinstance(table, pd.DataFrame) else table
    options: tuple[dict, ...] = (
        {"compression": "none", "use_dictionary": False},
        {"compression": "snappy", "data_page_version": "2.0"},
        {"compression": "zstd", "write_page_checksum": True},
    )
    return tuple(
        written(lambda stream, own=own: pq.write_table(table, stream, **own)) for own in options
    )


def ingest(kind: str, **options: object) -> Callable[[Path], object]:
    """Return a function that ingests a file of events."""

    def read(path: Path) -> object:
        table = path.parent / "out.parquet"
        layout = build_layout(kind, options)
        return ingest_events(path, table, layout=layout, source="fuzz", duplicates="drop")

    return read


def delphes() -> bytes:
    """Return a Delphes file."""
    counts = {"MissingET": [1] * N, "Event": [1] * N}
    arrays = {}
    for collection, parts in COLLECTIONS.items():
        found = counts.get(collection, [0, 1, 2, 0, 3, 1, 0, 2])
        for part in parts:
            values = RNG.uniform(1, 50, sum(found)).astype("float32")
            values = values.astype("uint32") % 2 if part == "BTag" else values
            values = np.sign(values - 25).astype("int32") if part == "Charge" else values
            values = values % 2 if part in ("Eta", "Phi") else values
            arrays[f"{collection}.{part}"] = ak.unflatten(values, found)
    stream = io.BytesIO()
    with uproot.recreate(stream) as file:
        file.mktree("Delphes", {name: values.type.content for name, values in arrays.items()})
        file["Delphes"].extend(arrays)
        return stream.getvalue()


def feature_file(**options: object) -> bytes:
    """Return a file of features and objects."""
    eta, phi = RNG.uniform(-2, 2, (N, 2)), RNG.uniform(-3, 3, (N, 2))
    pt, mass = RNG.uniform(30, 200, (N, 2)), RNG.uniform(5, 20, (N, 2))
    bjets = np.stack([pt, eta, phi, mass], axis=-1)
    photons = np.stack([pt / 2, -eta, phi + 1, 0 * pt], axis=-1)
    momenta = (from_pt_eta_phi_mass(*np.moveaxis(pair, -1, 0)) for pair in (bjets, photons))
    arrays = {
        "feats": pair_features(*momenta)[list(FEATURES)].to_numpy(),
        "bjets": bjets.reshape(N, 8),
        "photons": photons[..., :3].reshape(N, 6),
    }
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for key, values in arrays.items():
            file.create_dataset(key, data=values.astype("float32"), **options)
    return stream.getvalue()


def category_table() -> pa.Table:
    """Return events of ours, with a list of objects of each kind."""
    columns = {}
    for kind in ("electron", "muon", "photon", "jet"):
        further = {"photon": [], "jet": ["mass"]}.get(kind, ["charge"])
        for part in ("pt", "eta", "phi", *further):
            values = [RNG.uniform(1, 2, n).round(3).tolist() for n in (0, 2, 1, 3)]
            columns[f"{kind}_{part}"] = pa.array(values, pa.list_(pa.float32()))
    return pa.table(columns | {"weight_fb": pa.array([1.0, 2.0, 3.0, 4.0])})


def read_categories(path: Path) -> None:
    """Read events of ours as categories have it."""
    for piece in read_event_files([path], darkmachines=None, n_rows=3):
        refine(read_objects(piece))


X = RNG.gamma(2.0, 0.5, (N, len(HIGGS_FEATURES))).astype("float32")
Y = np.arange(N) % 2
HIGGS = "".join(
    ",".join([str(y), *(f"{v:.3f}" for v in x)]) + "\n" for x, y in zip(X, Y, strict=True)
)
TABLE = pd.DataFrame({"m": X[:, 0], "pt": X[:, 2], "eta": X[:, 1] - 1, "label": Y})
OWN = ingest("table", columns=["m", "pt", "eta"], nonnegative=["m", "pt"])
CSV, TSV = (TABLE.round(3).to_csv(index=False, sep=separator) for separator in (",", "\t"))
MATRIX = np.column_stack([Y, X])
PAIR_TABLE = pd.DataFrame(PAIRS)
SETS = PAIR_TABLE.assign(set=["a", "b", "a"])
PAIR_CSV, SET_CSV = PAIR_TABLE.to_csv(index=False), SETS.to_csv(index=False)
LHE = file_text(event_text(PAIR, 2.0), event_text(LEPTONIC, -1.0)).encode()
DARK = "".join(f"{line}\n" for line in LINES)


def read_pairs(path: Path) -> object:
    """Read photon pairs."""
    return read_photon_pairs(path, SETUP, POOR)


CASES = {
    "higgs text": Case(
        "h.csv", ingest("higgs"), (HIGGS.encode(),), ",", ("label", *HIGGS_FEATURES)
    ),
    "text": Case("t.csv", OWN, (CSV.encode(),), ",", tuple(TABLE)),
    "text with tabs": Case("t.tsv", OWN, (TSV.encode(),), "\t", tuple(TABLE)),
    "gzipped text": Case("t.csv.gz", OWN, (gzip.compress(CSV.encode(), mtime=0),)),
    "npy": Case("x.npy", ingest("higgs"), (written(lambda s: np.save(s, MATRIX)),)),
    "npz": Case(
        "x.npz",
        ingest("higgs"),
        (
            written(lambda s: np.savez(s, X=X, y=Y)),
            written(lambda s: np.savez_compressed(s, X=MATRIX)),
        ),
    ),
    "Parquet": Case("t.parquet", OWN, parquet(TABLE)),
    "Delphes": Case(
        "d.root", lambda path: list(read_delphes_batches(path, batch_size=5)), (delphes(),), n=100
    ),
    "HDF5": Case(
        "p.h5",
        lambda path: list(read_feature_blocks(path)),
        (feature_file(), feature_file(chunks=(4, 2), compression="gzip")),
    ),
    "LHE": Case(
        "e.lhe",
        lambda path: (list(read_lhe_batches(path)), read_crosssection_pb(path)),
        (LHE, gzip.compress(LHE, mtime=0)),
        " ",
    ),
    "Dark Machines": Case(
        "d.csv", lambda path: list(read_darkmachines_batches(path)), (DARK.encode(),), ";"
    ),
    "gzipped Dark Machines": Case(
        "d.csv.gz",
        lambda path: list(read_darkmachines_batches(path)),
        (gzip.compress(DARK.encode(), mtime=0),),
        n=100,
    ),
    "photon pairs": Case("p.csv", read_pairs, (PAIR_CSV.encode(),), ",", PHOTONS),
    "photon pairs in Parquet": Case("p.parquet", read_pairs, parquet(PAIR_TABLE), n=150),
    "names of sets": Case("s.csv", read_set_names, (SET_CSV.encode(),), ",", tuple(SETS)),
    "gzipped names of sets": Case(
        "s.csv.gz", read_set_names, (gzip.compress(SET_CSV.encode(), mtime=0),), n=100
    ),
    "names of sets in Parquet": Case("s.parquet", read_set_names, parquet(SETS), n=100),
    "categories": Case("c.parquet", read_categories, parquet(category_table())),
}
