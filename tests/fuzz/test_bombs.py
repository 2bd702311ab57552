"""Small files that become large when they are read are refused before they do."""

import gzip
import io
import zipfile

import h5py
import numpy as np
import pytest
import uproot

from bumpflow.damage import DamagedFile
from bumpflow.hunts.histogram import InvalidHistogram
from bumpflow.ingest import lhe, text
from bumpflow.ingest.histograms import read_histogram
from bumpflow.ingest.layout import InvalidEvents
from bumpflow.io import read_json, read_yaml
from tests.fuzz.damage import MEMORY_MB, peak_memory_mb
from tests.fuzz.event_files import CASES
from tests.unit.ingest.test_lhe_events import PAIR, event_text, file_text

MB = 1 << 20


@pytest.fixture(autouse=True)
def bounded():
    """Check that no test takes much memory."""
    before = peak_memory_mb()
    yield
    assert peak_memory_mb() - before < MEMORY_MB


def refuse(name, content, tmp_path, message):
    """Check that a file of events is refused."""
    path = tmp_path / CASES[name].file
    path.write_bytes(content)
    with pytest.raises(InvalidEvents, match=message):
        CASES[name].read(path)


def npy(shape, data=b"", descr="<f4"):
    """Return an ``.npy`` file that claims a shape."""
    stream = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + data


def npz(content, size=0):
    """Return an archive of one file, continued by zeros."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("X.npy", "w", force_zip64=True) as member,
    ):
        member.write(content)
        for _ in range(size // MB):
            member.write(bytes(MB))
    return stream.getvalue()


@pytest.mark.parametrize("shape", [(10**9, 29), (10**18, 29), (2**62, 2**62), (-1, 29), (29,)])
def test_arrays_that_claim_to_be_huge(shape, tmp_path):
    refuse("npy", npy(shape, bytes(400)), tmp_path, r"^x\.npy: ")
    refuse("npz", npz(npy(shape, bytes(400))), tmp_path, r"^x\.npz: ")


def test_arrays_without_columns(tmp_path):
    for shape in ((5, 0), ()):
        refuse("npy", npy(shape, bytes(4)), tmp_path, "a matrix of numbers is needed")
        refuse("npz", npz(npy(shape, bytes(4))), tmp_path, "a matrix of numbers is needed")


def test_archives_of_zeros(tmp_path):
    content = npz(npy((10**7, 29)), 300 * MB)
    assert len(content) < MB
    refuse("npz", content, tmp_path, r"X\.npy would take 300 MB, over 100 times the size")


def test_lines_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "LONGEST_LINE", 8 * MB)
    content = gzip.compress(b"1" * (64 * MB), compresslevel=6)
    assert len(content) < MB / 8
    refuse("gzipped text", content, tmp_path, "no end within 8388608 bytes")
    refuse("gzipped Dark Machines", content, tmp_path, "no end within")


@pytest.mark.parametrize("part", ["header", "event"])
def test_lhe_parts_without_end(part, tmp_path, monkeypatch):
    monkeypatch.setattr(lhe, "LONGEST_HEADER", 2 * MB)
    head = file_text(event_text(PAIR)).partition("<init>" if part == "header" else "</event>")[0]
    content = gzip.compress(head.encode() + b"<header>" + b" " * (100 * MB))
    refuse("LHE", content, tmp_path, "does not end")


def test_lhe_entities_that_expand(tmp_path):
    entities = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    head = f'<!DOCTYPE a [<!ENTITY l0 "lol">{entities}]>'
    refuse("LHE", (head + file_text(event_text(PAIR)).replace("91.2", "&l11;")).encode(),
           tmp_path, "not a whole LHE file")  # fmt: skip


def test_root_baskets_that_claim_to_be_huge(tmp_path):
    content = bytearray(CASES["Delphes"].contents[0])
    with uproot.open(io.BytesIO(content)) as file:
        start = int(file["Delphes"]["Electron.Phi"].member("fBasketSeek")[0])
    # A key has the size of its object after those of all (4 bytes) and its version (2).
    content[start + 6 : start + 10] = (2**31 - 2**20).to_bytes(4, "big")
    refuse("Delphes", bytes(content), tmp_path, r"a piece of .* has 21\d+ bytes, made of \d+\)")


def test_hdf5_that_holds_less_than_it_says(tmp_path):
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for key, width in {"feats": 11, "bjets": 8, "photons": 6}.items():
            file.create_dataset(key, (10**9, width), "f4", chunks=(1000, width), fillvalue=1)
    refuse("HDF5", stream.getvalue(), tmp_path, "holds 0 of the .* bytes|is impossible|mean")


YAML_BOMB = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]\n" for i in range(1, 12)
)
TABLE = """{independent_variables: [{header: {name: %s}, values: [{low: 1, high: 2}]}],
dependent_variables: [{header: {name: %s}, values: [{value: %s}]}]}"""


@pytest.mark.parametrize(
    "holes",
    [("*a11", "n", "1"), ("m", "*a11", "1"), ("m", "n", "*a11"), ("m", "n", "0x" + "f" * 9000)],
)
def test_hepdata_that_expands(holes, tmp_path):
    path = tmp_path / "h.yaml"
    table = TABLE % holes
    path.write_text(YAML_BOMB + table[1:-1].replace(",\ndependent", "\ndependent"))
    with pytest.raises(InvalidHistogram) as caught:
        read_histogram(path, "mine", {})
    assert len(str(caught.value)) < 1000


def test_histograms_that_expand(tmp_path):
    path = tmp_path / "h.csv.gz"
    path.write_bytes(gzip.compress(b"1,2,3\n" * (20 * MB // 6 + 1)))
    with pytest.raises(InvalidHistogram, match="more than 16 MB"):
        read_histogram(path, "mine", {})


@pytest.mark.parametrize(("read", "kind"), [(read_json, "json"), (read_yaml, "yaml")])
def test_records_that_nest_deeply(read, kind, tmp_path):
    path = tmp_path / f"r.{kind}"
    path.write_text("[" * 20_000)
    with pytest.raises(DamagedFile, match=rf"r\.{kind}: not a whole"):
        read(path)


def test_nothing_is_run(tmp_path):
    path, sign = tmp_path / "r.yaml", tmp_path / "sign"
    path.write_text(f"!!python/object/apply:os.mkdir ['{sign}']")
    with pytest.raises(DamagedFile, match="could not determine a constructor"):
        read_yaml(path)

    class Trap:
        def __reduce__(self):
            return sign.mkdir, ()

    stream = io.BytesIO()
    np.savez(stream, X=np.array([Trap()], dtype=object))
    refuse("npz", stream.getvalue(), tmp_path, "not a whole .npz file")
    np.save(tmp_path / "x.npy", np.array([Trap()], dtype=object))
    refuse("npy", (tmp_path / "x.npy").read_bytes(), tmp_path, "not a whole .npy file")
    assert not sign.exists()
