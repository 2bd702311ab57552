"""Scripts of bump hunts, on a small network and few histograms."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bumpflow import io
from bumpflow.hunts.histogram import InvalidHistogram
from scripts import (
    calibrate_hunter,
    check_global_p,
    compare_hunters,
    draw_examples,
    judge_hunter,
    scan_histograms,
    summarise_ddp,
    train_hunter,
)

CONFIG = io.read_yaml("config/config.yaml")
SHAPES = Path(CONFIG["ddp"]["shapes"])
KIND = CONFIG["spectra"]["functions"]
COMMON = {"device": "cpu", "seed": 1}
HUNTER = {
    "architecture": "library",
    "sizes": {"components": 6, "directions": 2, "candidates": 1, "features": 8, "blocks": 2},
    "widths": [1, 2],
    "spectra": "general",
    "training": {
        "learning_rate": 3.0e-3,
        "batch_size": 32,
        "weight_decay": 0,
        "restart_epochs": 2,
        "max_epochs": 2,
        "epoch_size": 128,
        "validation_size": 64,
        "library_size": 400,
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a trained and calibrated network."""
    folder = tmp_path_factory.mktemp("hunter")
    train_hunter.main(
        shapes=SHAPES,
        network=folder / "network.safetensors",
        history=folder / "history.parquet",
        record=folder / "training.json",
        hunter=HUNTER,
        spectra=CONFIG["spectra"]["general"],
        checkpoints=str(folder / "checkpoints" / "code"),
        **COMMON,
    )
    calibrate_hunter.main(
        network=folder / "network.safetensors",
        shapes=SHAPES,
        calibration=folder / "calibration.parquet",
        settings={"n_histograms": 60, "n_bins": [30, 500]},
        correction="unbiased",
        **COMMON,
    )
    return folder


def trained(folder):
    return {
        "network": folder / "network.safetensors",
        "calibration": folder / "calibration.parquet",
    }


def test_training_is_recorded(folder):
    record = io.read_json(folder / "training.json")
    assert record["histograms"] == 256
    assert record["device"] == "cpu"
    assert len(io.read_table(folder / "history.parquet")) == 2
    _, kept = io.read_tensors(folder / "network.safetensors")
    assert kept["spectra"] == CONFIG["spectra"]["general"]
    assert not any("second" in key for key in kept)  # same training, same bytes


def test_calibration_skips_lengths_that_training_did_not_have(folder):
    table = io.read_table(folder / "calibration.parquet").set_index("name")["value"]
    assert table["n_toys"].sum() == 60


def test_estimates_are_corrected(folder, tested):
    table = io.read_table(folder / "calibration.parquet").set_index("name")["value"]
    assert (table["z_shifts"] != 0).all()
    judged = io.read_table(tested / "thesis.parquet")
    assert not np.allclose(judged["z_predicted"], judged["z_q50"])


@pytest.fixture(scope="module")
def tested(folder):
    """Tests, global p-values, comparison and examples."""
    for name, spectra in (("task2022", "paper2022"), ("thesis", "functions")):
        lengths = [100] if name == "task2022" else [30, 60]
        settings = {"spectra": CONFIG["spectra"][spectra], "n_histograms": 60, "n_bins": lengths}
        judge_hunter.main(
            **trained(folder),
            shapes=SHAPES,
            table=folder / f"{name}.parquet",
            settings=settings,
            **COMMON,
        )
    check_global_p.main(
        **trained(folder),
        shapes=SHAPES,
        table=folder / "global_p.parquet",
        groups={"in_family": KIND, "held_out": CONFIG["spectra"]["dijet"]},
        settings={"n_histograms": 6, "n_toys": 10, "n_bins": [30, 60]},
        **COMMON,
    )
    network = folder / "network.safetensors"
    compare_hunters.main(
        network=network,
        comparison=folder / "comparison.parquet",
        spectra=KIND,
        settings={"n_histograms": 4, "n_bins": 40, "significance": 5},
        **COMMON,
    )
    draw_examples.main(
        network=network,
        shapes=SHAPES,
        examples=folder / "examples.parquet",
        spectra=KIND,
        settings={"n_bins": [30, 50], "degree": 3},
        **COMMON,
    )
    return folder


def test_histograms_of_a_test_are_judged(tested):
    assert len(io.read_table(tested / "thesis.parquet")) == 60


def test_global_p_values_of_both_groups(tested):
    table = io.read_table(tested / "global_p.parquet")
    assert table["group"].value_counts().to_dict() == {"in_family": 6, "held_out": 6}
    assert table["p_global"].between(1 / 11, 1).all()


def test_every_method_hunts_in_every_histogram(tested):
    table = io.read_table(tested / "comparison.parquet")
    methods = table.groupby("method").size()
    assert methods.to_dict() == dict.fromkeys(
        [
            "network",
            "evidence",
            "true_plrt",
            "dijet",
            "exppoly",
            "pybumphunter",
            "pybumphunter_true",
        ],
        4,
    )
    true = table[table["method"] == "true_plrt"]
    assert np.allclose(true["z_max"], true["z_true"], atol=1e-3)


def test_examples_show_both_targets(tested):
    table = io.read_table(tested / "examples.parquet")
    assert table.groupby("example").size().tolist() == [30, 50]
    assert {"z_known", "z_profiled", "z_predicted", "signal"} <= set(table.columns)


def write_histogram(path, values):
    edges = np.linspace(100, 200, len(values) + 1)
    table = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": values})
    table.to_csv(path, index=False)


def scan(folder, paths):
    scan_histograms.main(
        **trained(folder),
        files=list(paths.values()),
        bins=folder / "bins.parquet",
        toys=folder / "toys.parquet",
        summary=folder / "summary.parquet",
        result=folder / "summary.json",
        histograms={name: {"path": str(path), "source": "me"} for name, path in paths.items()},
        settings={"n_toys": 20, "degree": 3},
        **COMMON,
    )


def test_scans_are_ranked_and_summarised(tested, tmp_path):
    falling = np.random.default_rng(0).poisson(1000 * np.exp(-np.arange(40) / 15))
    bump = falling + (150 * np.exp(-0.5 * ((np.arange(40) - 12) / 1.5) ** 2)).astype(int)
    paths = {"plain": tmp_path / "plain.csv", "bump": tmp_path / "bump.csv"}
    write_histogram(paths["plain"], falling)
    write_histogram(paths["bump"], bump)
    scan(tested, paths)
    table = io.read_table(tested / "summary.parquet")
    assert table["histogram"].tolist()[0] == "bump"
    assert abs(table["bin"][0] - 12) <= 2
    assert io.read_table(tested / "toys.parquet").groupby("histogram").size().tolist() == [20, 20]
    assert len(io.read_table(tested / "bins.parquet")) == 80
    result = io.read_json(tested / "summary.json")
    assert [row["rank"] for row in result] == [1, 2]
    assert result[0]["bumps"][0]["bin"] == table["bin"][0]
    summarise_ddp.main(
        tests=[tested / "task2022.parquet", tested / "thesis.parquet"],
        global_p=tested / "global_p.parquet",
        scan=tested / "summary.parquet",
        shapes=SHAPES,
        summary=tested / "scorecard.json",
        seed=1,
    )
    found = {row["quantity"] for row in io.read_json(tested / "scorecard.json")}
    assert {"ddp.bump.z_max", "ddp.plain.global_p", "ddp.global_p.held_out.ks_p"} <= found
    assert "ddp.categories.spectra" in found


def test_bad_histogram_stops_the_job_before_the_first_scan(folder, tmp_path):
    values = np.full(40, 10.0)
    write_histogram(tmp_path / "good.csv", values)
    values[7] = -3
    write_histogram(tmp_path / "bad.csv", values)
    (folder / "bins.parquet").unlink(missing_ok=True)
    with pytest.raises(InvalidHistogram, match="line 9"):
        scan(folder, {"good": tmp_path / "good.csv", "bad": tmp_path / "bad.csv"})
    assert not (folder / "bins.parquet").exists()
