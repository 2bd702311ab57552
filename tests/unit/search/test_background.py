"""Events of a search drawn and scored by several jobs are those of one job."""

import numpy as np
import pandas as pd
import pytest
import torch

from bumpflow import io
from bumpflow.chunks import join_chunks
from bumpflow.classifiers import NetworkClassifier, ResMLP
from bumpflow.evaluate.reweighting import Reweighter
from bumpflow.flows.density import DensitySettings, EventDensity
from bumpflow.search.background import Judges, draw_background, score_search

CPU = torch.device("cpu")
FEATURES = ["a", "b"]
SPLITS = ["train", "test"]
N_EVENTS = {"selection": 130, "reweighting": 60, "template": 900}


@pytest.fixture(scope="module")
def density():
    sizes = {"hidden_features": 8, "layers": 1, "transforms": 1}
    density = EventDensity(DensitySettings(("a", "b"), "realnvp", sizes, "gaussrank"))
    density.fit_scalers(torch.randn(500, 2, generator=torch.Generator().manual_seed(1)))
    return density.eval()


@pytest.fixture(scope="module")
def judges():
    torch.manual_seed(0)
    one, two = (
        NetworkClassifier(ResMLP(2, hidden_features=8, layers=1).eval(), CPU) for _ in "ab"
    )
    return Judges(one, Reweighter([two], slope=0.5, offset=0.1, clip=10.0))


@pytest.fixture
def events(tmp_path, monkeypatch):
    """Background and signal in one file, in many row groups."""
    monkeypatch.setattr(io, "ROW_GROUP", 64)
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(999, 2)).astype("f4"), columns=FEATURES)
    table["label"] = (np.arange(999) > 700).astype("i1")
    table["split"] = pd.Categorical(rng.choice(SPLITS, 999), categories=SPLITS)
    io.write_table(tmp_path / "events.parquet", table)
    return tmp_path / "events.parquet"


def draw(density, events, path, chunk=(0, 1)):
    sizes = {"n_events": N_EVENTS, "block_size": 50, "chunk": chunk}
    draw_background(density, events, path, label=0, seed=3, **sizes)


def score(judges, events, generated, targets, chunk=(0, 1)):
    chosen = {"inputs": FEATURES, "labels": [0, 1], "splits": SPLITS, "chunk": chunk}
    score_search(events, events, generated, targets=targets, judges=judges, **chosen)


def assert_same(chunks, whole):
    joined = whole.with_name("joined.parquet")
    join_chunks(chunks, joined)
    assert io.read_bytes(joined) == io.read_bytes(whole)


@pytest.mark.parametrize("n_chunks", [1, 3, 7, 40])
def test_background_is_drawn_alike_in_chunks(density, events, tmp_path, n_chunks):
    whole = tmp_path / "whole.parquet"
    draw(density, events, whole)
    chunks = [tmp_path / f"{k}.parquet" for k in range(n_chunks)]
    for k, path in enumerate(chunks):
        draw(density, events, path, [k, n_chunks])
    assert_same(chunks, whole)
    assert io.read_table(whole)["split"].value_counts().to_dict() == N_EVENTS


@pytest.mark.parametrize("n_chunks", [1, 3, 7, 40])
def test_events_are_scored_alike_in_chunks(density, judges, events, tmp_path, n_chunks):
    generated = tmp_path / "generated.parquet"
    draw(density, events, generated)
    whole = tmp_path / "mc.parquet", tmp_path / "surrogate.parquet"
    score(judges, events, generated, whole)
    chunks = [[tmp_path / f"{name}{k}.parquet" for name in "ms"] for k in range(n_chunks)]
    for k, targets in enumerate(chunks):
        score(judges, events, generated, targets, [k, n_chunks])
    for parts, target in zip(zip(*chunks, strict=True), whole, strict=True):
        assert_same(parts, target)


def test_scores_are_the_networks_own_and_every_event_is_there_once(
    density, judges, events, tmp_path
):
    generated = tmp_path / "generated.parquet"
    draw(density, events, generated)
    mc, surrogate = tmp_path / "mc.parquet", tmp_path / "surrogate.parquet"
    score(judges, events, generated, (mc, surrogate))
    given, scored = io.read_table(events), io.read_table(mc)
    pd.testing.assert_frame_equal(scored[[*FEATURES, "label", "split"]], given)
    expected = judges.classifier.score(given[FEATURES].to_numpy())
    np.testing.assert_allclose(scored["score"], expected, rtol=1e-5)
    weighted = io.read_table(surrogate)
    drawn = io.read_table(generated, where=[("split", "in", ["template"])])[FEATURES]
    np.testing.assert_array_equal(weighted[FEATURES], drawn)
    weights = judges.reweighter.weight(drawn.to_numpy())
    np.testing.assert_allclose(weighted["weight"], weights, rtol=1e-5)
