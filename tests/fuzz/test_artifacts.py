"""Damaged, cut and foreign artifacts are refused by one exception that says what to do."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bumpflow import io
from bumpflow.classifiers import restore_networks
from bumpflow.compatibility.ensembles import restore_pair_networks, store_pair_networks
from bumpflow.compatibility.grids import Axis
from bumpflow.compatibility.networks import build_pair_network
from bumpflow.compatibility.posteriors import load_posterior
from bumpflow.compatibility.ratio import RatioNet
from bumpflow.compatibility.store import PublishedPosterior, load_hunters
from bumpflow.compatibility.store import load_published as load_ratio
from bumpflow.compatibility.store import store_published as store_ratio
from bumpflow.damage import DamagedFile
from bumpflow.evaluate import reweighting
from bumpflow.flows import density
from bumpflow.hunts.networks import build_network
from bumpflow.hunts.store import load_hunter, store_hunter
from bumpflow.reconstruction.published import PublishedNet, PublishedSettings
from bumpflow.reconstruction.store import load_published, load_sets, store_published, store_sets
from bumpflow.resonance.densities import load_densities, store_densities
from tests.fuzz.damage import damaged, inputs, must_read_or_refuse
from tests.unit.reconstruction.small import random_posterior
from tests.unit.simulate.alps.setups import SHORT

CPU = torch.device("cpu")
RNG = np.random.default_rng(3)
TABLE = pd.DataFrame(
    {
        "x": RNG.normal(size=60).astype("float32"),
        "n": RNG.integers(0, 5, 60),
        "label": np.arange(60, dtype="int8") % 2,
        "split": pd.Categorical(["train", "test", "train"] * 20),
    }
)
RECORD = {"n": 3, "z": [0.5, 1.25], "name": "é"}
CURE = "remove it and run Snakemake again, or fetch it again if no rule makes it"
DENSITY = density.DensitySettings(
    ("a", "b"), "maf", {"transforms": 1, "hidden_features": 8}, "logit"
)


def tables(path):
    """Read a table in every way that there is."""
    io.read_columns(path)
    io.read_table_metadata(path)
    io.read_arrow(path)
    io.read_table(path, columns=["x"], where=[("split", "in", ["test"])])
    list(io.read_event_pieces(path, columns=["x"], label=1, splits=["test"]))
    pieces = [piece.to_pandas() for piece in io.read_pieces(path, n_rows=25)]
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), io.read_table(path))
    return io.read_table(path)


READERS = {"parquet": tables, "json": io.read_json, "yaml": io.read_yaml}
READERS |= {"safetensors": io.read_tensors, "tsv": lambda path: io.read_benchmarks(path.parent)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return a whole file of each kind, as bytes by suffix."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(io, "ROW_GROUP", 40)
        io.write_table(folder / "t.parquet", TABLE, metadata={"source": "é"})
    io.write_json(folder / "t.json", RECORD)
    io.write_yaml(folder / "t.yaml", RECORD)
    tensors = {"a": torch.randn(5, 3), "b": torch.tensor(True), "c": torch.ones(0)}
    io.write_tensors(folder / "t.safetensors", tensors, settings={"family": "maf", "n": [1, 2]})
    (folder / "t.tsv").write_text("s\th:m:s\tmax_rss\n1.5\t0:00:01\t-\n")
    return {path.suffix[1:]: path.read_bytes() for path in folder.iterdir()}


def refusal(read, path):
    """Return the message by which a file is refused."""
    with pytest.raises(DamagedFile) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.endswith(f": {CURE}")
    return message


@pytest.mark.parametrize("kind", READERS)
def test_cut_files(whole, kind, tmp_path):
    content, path = whole[kind], tmp_path / f"cut.{kind}"
    path.write_bytes(content)
    READERS[kind](path)
    for size in np.unique(np.linspace(0, len(content) - 2, 80).astype(int)):
        path.write_bytes(content[:size])
        if kind in ("yaml", "tsv"):  # what is left may well be whole
            must_read_or_refuse(READERS[kind], path, (DamagedFile,))
        else:
            refusal(READERS[kind], path)


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("other", ["parquet", "json", "safetensors", "nothing", "text"])
def test_files_of_another_kind(whole, kind, other, tmp_path):
    path = tmp_path / f"other.{kind}"
    path.write_bytes(
        {"nothing": b"", "text": b"no\xff text: ["}.get(other) or whole.get(other, b"")
    )
    if other == kind or (kind, other) in {("yaml", "json"), ("yaml", "nothing")}:
        READERS[kind](path)  # of JSON, too, YAML takes the most
    else:
        refusal(READERS[kind], path)


@pytest.mark.parametrize("kind", READERS)
def test_damaged_files(whole, kind, tmp_path):
    path = tmp_path / f"damaged.{kind}"

    @inputs(200)
    @given(damaged(whole[kind]))
    def run(content):
        path.write_bytes(content)
        must_read_or_refuse(READERS[kind], path, (DamagedFile, ValueError))

    run()


def test_no_bit_of_data_flips_unnoticed(whole, tmp_path):
    """Checksums of pages and tensors notice it, as far as the bit is used at all."""
    path = tmp_path / "flipped.parquet"
    path.write_bytes(whole["parquet"])
    metadata = pq.read_metadata(path)
    last = metadata.row_group(metadata.num_row_groups - 1)
    column = last.column(last.num_columns - 1)
    end = column.data_page_offset + 8  # into the last page; what follows describes the table
    for start in range(4, end, 3):
        flip(whole["parquet"], start, path)
        try:
            found = io.read_table(path)
        except DamagedFile:
            continue
        pd.testing.assert_frame_equal(found, TABLE)
    path = tmp_path / "flipped.safetensors"
    path.write_bytes(whole["safetensors"])
    size = int.from_bytes(whole["safetensors"][:8], "little") + 8
    for start in range(size, len(whole["safetensors"])):
        flip(whole["safetensors"], start, path)
        assert "sha256" in refusal(io.read_tensors, path)


def flip(content, at, path):
    """Write a file with one bit flipped."""
    path.write_bytes(content[:at] + bytes([content[at] ^ (1 << at % 8)]) + content[at + 1 :])


def test_settings_are_part_of_the_checksum(whole, tmp_path):
    path = tmp_path / "t.safetensors"
    path.write_bytes(whole["safetensors"].replace(b"maf", b"nsf"))
    assert "sha256" in refusal(io.read_tensors, path)


def test_files_without_checksum_are_read(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.ones(2)}, tmp_path / "t.safetensors", metadata={"settings": '{"n": 1}'})
    assert io.read_tensors(tmp_path / "t.safetensors")[1] == {"n": 1}
    TABLE.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(io.read_table(tmp_path / "t.parquet"), TABLE)


def test_the_same_content_gives_the_same_bytes(tmp_path):
    found = set()
    for _ in range(5):
        tensors = {"c": torch.ones(0), "a": torch.ones(4), "b": torch.zeros(2)}
        io.write_tensors(tmp_path / "t.safetensors", tensors, settings={"n": 1, "m": 2})
        io.write_table(tmp_path / "t.parquet", TABLE, metadata={"b": "1", "a": "2"})
        found.add(
            tuple((tmp_path / f"t.{kind}").read_bytes() for kind in ("safetensors", "parquet"))
        )
    assert len(found) == 1


def test_tables_of_other_columns(whole, tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(whole["parquet"])
    said = refusal(lambda path: io.read_table(path, columns=["x", "mass"]), path)
    assert "without mass but with x, n, label, split" in said
    refusal(lambda path: io.read_arrow(path, columns=["mass"]), path)
    refusal(lambda path: io.read_table(path, where=[("mass", ">", 1)]), path)


def test_numbers_that_json_has_no_words_for(tmp_path):
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"z": float("nan")}))
    assert "NaN is no number" in refusal(io.read_json, path)


def test_missing_files_are_called_missing(tmp_path):
    for kind, read in READERS.items():
        if kind != "tsv":
            with pytest.raises(FileNotFoundError, match=rf"none\.{kind}"):
                read(tmp_path / f"none.{kind}")


def load_pairs(path):
    """Read networks for pairs alone."""
    return io.read_model(path, lambda *stored: restore_pair_networks(*stored, device=CPU))


LOADERS = {
    "density": density.load,
    "densities": load_densities,
    "hunter": lambda path: load_hunter(path, device=CPU),
    "sets": lambda path: load_sets(path, device=CPU),
    "cinn": lambda path: load_published(path, device=CPU),
    "posterior": lambda path: load_posterior(path, device=CPU),
    "ratio": lambda path: load_ratio(path, on=CPU),
    "pairs": load_pairs,
    "classifiers": lambda path: io.read_model(
        path, lambda *stored: restore_networks(*stored, device=CPU)
    ),
    "reweighting": lambda path: io.read_model(
        path, lambda *stored: reweighting.restore(*stored, device=CPU)
    ),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Return files of trained networks by kind."""
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("models")
    block = {"architecture": "library", "widths": [1.0, 2.0], "sizes": {}}
    block["sizes"] = {
        "components": 6,
        "directions": 2,
        "candidates": 1,
        "features": 8,
        "blocks": 2,
    }
    hunter = build_network("library", widths=(1.0, 2.0), **block["sizes"])
    flow = density.EventDensity(DENSITY)
    pair = build_pair_network("features", features=10, hidden_features=8, layers=1)
    stored = {
        "density": density.store(flow),
        "densities": store_densities([flow, flow]),
        "hunter": store_hunter(hunter, block, {"n_bins": [20, 50], "counts": [1, 100]}),
        "sets": store_sets(random_posterior(), SHORT),
        "cinn": store_published(PublishedNet(PublishedSettings(hidden_features=8, layers=1))),
        "ratio": store_ratio(
            PublishedPosterior(RatioNet(10, hidden_features=8, layers=2), Axis(-1, 0.6, 15))
        ),
        "pairs": store_pair_networks([pair], "features"),
    }
    for name, (tensors, settings) in stored.items():
        io.write_tensors(folder / f"{name}.safetensors", tensors, settings=settings)
    return {name: folder / f"{name}.safetensors" for name in stored}


def test_networks_of_another_kind(models):
    for name, path in models.items():
        LOADERS[name](path)
        for other in LOADERS.keys() - {name}:
            assert "not a whole model of the kind" in refusal(LOADERS[other], path), (name, other)
    with pytest.raises(DamagedFile, match=r"cinn\.safetensors: not a whole model"):
        load_hunters(models["sets"], models["ratio"], [models["cinn"]], on=CPU)


@pytest.mark.parametrize("name", ["density", "cinn"])
def test_damaged_networks(models, name, tmp_path):
    content, path = models[name].read_bytes(), tmp_path / "network.safetensors"

    @inputs(100)
    @given(st.one_of(damaged(content), damaged(content[:2000]).map(lambda b: b + content[2000:])))
    def run(damage):
        path.write_bytes(damage)
        must_read_or_refuse(LOADERS[name], path, (DamagedFile,))

    run()
