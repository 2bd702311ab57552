"""Scripts that draw figures, on tiny files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bumpflow import io
from bumpflow.report.page import png_size
from scripts import (
    plot_c2st,
    plot_corner,
    plot_divergences,
    plot_overlays,
    plot_scan,
    plot_training,
)

STYLE = Path(__file__).parents[2] / "config" / "matplotlibrc"
FEATURES = ["lepton_pT", "lepton_eta", "not_in_the_table"]
MODELS = ["maf", "mademog"]
JUDGED = [*MODELS, "control"]
UNSEEN = ["test", "holdoutb"]
MEASURES = ["chi2", "kl"]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def files(tmp_path):
    """Return the PNG and PDF of a figure, for one name."""
    return lambda name: [tmp_path / f"{name}.png", tmp_path / f"{name}.pdf"]


@pytest.fixture
def events(tmp_path, rng):
    table = events_like(rng, 600).assign(label=np.int8(0), split="train")
    table.loc[300:, "split"] = "test"
    io.write_table(tmp_path / "events.parquet", table)
    return tmp_path / "events.parquet"


@pytest.fixture
def generated(tmp_path, rng):
    for name in MODELS:
        io.write_table(tmp_path / name / "events.parquet", events_like(rng, 900))
    return [tmp_path / name / "events.parquet" for name in MODELS]


def events_like(rng, n):
    return pd.DataFrame(np.abs(rng.normal(1, 0.4, (n, 3))).astype("f4"), columns=FEATURES)


def assert_drawn(paths):
    png, pdf = paths
    assert min(png_size(png.read_bytes())) > 200
    assert pdf.read_bytes().startswith(b"%PDF")


def test_overlays_are_drawn(events, generated, files):
    pages = {name: files(name) for name in ("every", "every_log", "one", "one_log")}
    plot_overlays.main(
        events=events,
        generated=generated,
        style=STYLE,
        **pages,
        features=FEATURES,
        label=0,
        splits=UNSEEN,
        models=MODELS,
        model="mademog",
        n_bins=10,
    )
    for paths in pages.values():
        assert_drawn(paths)
    contents = {paths[0].read_bytes() for paths in pages.values()}
    assert len(contents) == len(pages)


def test_corner_is_drawn(events, generated, files):
    pages = {"few": files("few"), "every": files("every")}
    plot_corner.main(
        events=events,
        generated=generated[0],
        style=STYLE,
        **pages,
        features=FEATURES,
        corner_features=FEATURES[:2],
        label=0,
        splits=UNSEEN,
        model="maf",
    )
    for paths in pages.values():
        assert_drawn(paths)


def test_training_is_drawn(tmp_path, files):
    history = pd.DataFrame(
        {
            "member": 0,
            "epoch": [1, 2, 3],
            "train_loss": [3.0, 2, 1],
            "validation_loss": [3.0, 2, 2.5],
        }
    )
    io.write_table(tmp_path / "history.parquet", history)
    io.write_json(tmp_path / "sampling.json", {"events_per_second": 1000.0})
    pages = {name: files(name) for name in ("surrogates", "classifiers", "rates")}
    plot_training.main(
        histories=[tmp_path / "history.parquet"] * len(MODELS),
        judges=[tmp_path / "history.parquet"] * len(JUDGED),
        sampling=[tmp_path / "sampling.json"] * len(MODELS),
        style=STYLE,
        **pages,
        models=MODELS,
        judged=JUDGED,
        simulation_minutes=5,
    )
    for paths in pages.values():
        assert_drawn(paths)


def test_divergences_are_drawn(tmp_path, files):
    columns = ("value", "uncertainty", "baseline", "baseline_uncertainty")
    table = pd.DataFrame(
        {
            "feature": FEATURES * 2,
            "measure": np.repeat(MEASURES, 3),
            **dict(zip(columns, (2.0, 0.2, 1.0, 0.1), strict=True)),
        }
    )
    found = {"value": 2.0, "uncertainty": 0.2, "baseline_spread": 0.1}
    io.write_table(tmp_path / "table.parquet", table)
    io.write_json(tmp_path / "record.json", {"n": 9, "relative": dict.fromkeys(MEASURES, found)})
    pages = {"means": files("means"), "by_feature": files("by_feature")}
    plot_divergences.main(
        tables=[tmp_path / "table.parquet"] * 2,
        records=[tmp_path / "record.json"] * 2,
        style=STYLE,
        **pages,
        features=FEATURES,
        models=MODELS,
    )
    for paths in pages.values():
        assert_drawn(paths)


def test_classifier_tests_are_drawn(tmp_path, files, rng):
    table = events_like(rng, 400).assign(label=np.repeat(np.array([0, 1], dtype="i1"), 200))
    for witness in ("resmlp", "trees"):
        table[f"log_ratio_{witness}"] = rng.normal(0, 0.3, 400)
    said = {"auc": 0.51, "auc_uncertainty": 0.03}
    io.write_table(tmp_path / "c2st.parquet", table)
    io.write_json(tmp_path / "c2st.json", {"resmlp": said, "trees": said})
    pages = {name: files(name) for name in ("roc", "ratio", "tails")}
    plot_c2st.main(
        tables=[tmp_path / "c2st.parquet"] * len(JUDGED),
        records=[tmp_path / "c2st.json"] * len(JUDGED),
        style=STYLE,
        **pages,
        features=FEATURES,
        classifiers=["resmlp", "trees"],
        judged=JUDGED,
        model="maf",
        tail_fraction=0.1,
        n_bins=8,
    )
    for paths in pages.values():
        assert_drawn(paths)


def test_scan_is_drawn(tmp_path, files):
    for point in range(3):
        io.write_json(
            tmp_path / f"{point}.json", {"member_validation_nll": [5.0 - point, 4.9 - point]}
        )
    plot_scan.main(
        records=[tmp_path / f"{point}.json" for point in range(3)],
        style=STYLE,
        scan=files("scan"),
        values=[4, 8, 16],
        model="rqs",
        parameter="bins",
    )
    assert_drawn(files("scan"))
