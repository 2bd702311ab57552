"""Measures of tests with a known truth."""

import numpy as np
import pandas as pd
import pytest
import torch

from bumpflow.hunts import scorecard
from bumpflow.hunts.calibration import Calibration
from bumpflow.hunts.judging import (
    QUANTILE_NAMES,
    by_cell,
    calibrate_hunter,
    half_width,
    judge_hunter,
    lengths_of,
    paper_measures,
    thesis_measures,
)
from bumpflow.hunts.store import predict, restore_hunter, store_hunter
from tests import hunt_tables as made
from tests.unit.hunts.drawn import SETTINGS, seeded, settings
from tests.unit.hunts.networks import SIZES, WIDTHS, small_hunter


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_lengths_share_the_histograms():
    assert lengths_of(10, [30, 60, 100]) == {30: 4, 60: 3, 100: 3}


def test_half_width_of_a_normal_is_its_deviation(rng):
    assert half_width(rng.normal(0, 2, 100_000)) == pytest.approx(1.989, abs=0.02)


def test_judged_table_holds_truth_and_prediction():
    table = judge_hunter(
        small_hunter(),
        settings(),
        lengths={30: 5, 50: 7},
        calibration=Calibration.none(),
        generator=seeded(1),
    )
    assert table["n_bins"].value_counts().to_dict() == {50: 7, 30: 5}
    assert set(table["family"]) <= set(SETTINGS.families)
    assert (table["counts_first"] >= table["counts_last"]).all()
    assert ((table["width"] > 0) == (table["significance"] > 0)).all()
    assert (table["z_predicted"] == table["z_q50"]).all()
    strong = table[table["significance"] > 6]
    assert (strong["z_true"] > 3).all()
    assert ((strong["bin_true"] - strong["position"]).abs() < 4 * strong["width"]).all()


def calibrated(correction, *, n=250):
    return calibrate_hunter(
        small_hunter(), settings(), lengths={40: n}, correction=correction, generator=seeded(1)
    )


def test_calibration_comes_from_the_same_kind():
    found = calibrated("none")
    assert found.n_toys.sum() == 250
    assert not np.allclose(found.factors, 1)
    assert np.all(found.z_shifts == 0)


def test_corrections_do_what_they_are_called_and_leave_intervals():
    errors, quantiles = {}, {}
    for name in ("none", "mean", "unbiased"):
        table = judge_hunter(
            small_hunter(),
            settings(),
            lengths={40: 1000},
            calibration=calibrated(name, n=2000),
            generator=seeded(2),
        )
        errors[name] = table["z_predicted"] - table["z_true"]
        quantiles[name] = table[list(QUANTILE_NAMES)]
    square = {name: (error**2).mean() for name, error in errors.items()}
    assert square["mean"] < 0.7 * min(square["none"], square["unbiased"])
    strong = {name: abs(error[table["significance"] > 6].mean()) for name, error in errors.items()}
    assert strong["unbiased"] < 0.5
    assert min(strong["none"], strong["mean"]) > 1
    assert quantiles["none"].equals(quantiles["mean"])
    assert quantiles["none"].equals(quantiles["unbiased"])


def exact(n, *, off=0.0):
    """Return histograms of which everything but a constant is predicted."""
    z = np.tile(np.linspace(0.5, 9.5, n // 2), 2)
    signal = np.arange(n) < n // 2
    table = pd.DataFrame(
        {
            "n_bins": np.where(np.arange(n) % 2, 30, 60),
            "width": np.where(signal, 2.0, 0.0),
            "significance": np.where(signal, 3.0, 0.0),
            "counts_first": 1000.0,
            "counts_last": 10.0,
            "z_true": np.where(signal, z, z / 5),
            "bin_true": 10,
            "bin_predicted": np.where(np.arange(n) % 4, 10, 11),
        }
    )
    table["z_predicted"] = table["z_true"] + off
    table["evidence"] = signal - 0.5
    for name, step in zip(QUANTILE_NAMES, (-2, -1, 0, 1, 2), strict=True):
        table[name] = table["z_predicted"] + step
    return table


def test_measures_of_an_exact_prediction():
    table = exact(400, off=0.25)
    found = paper_measures(table)
    assert found["bias"] == pytest.approx(0.25)
    assert found["spread"] == pytest.approx(0, abs=1e-9)
    assert found["exact_bin"] == pytest.approx(0.75)
    assert found["within_1_bin"] == 1
    assert found["auc"] == found["auc_true"]
    assert found["auc_evidence"] == pytest.approx(1)
    assert found["tpr"] == 1
    assert 0 < found["fpr"] < 0.1
    assert found["n"] == 200
    whole = thesis_measures(table[table["width"] > 0])
    assert whole["bias"] == whole["worst_cell_bias"] == pytest.approx(0.25)
    assert whole["within_1_at_5"] == whole["coverage68"] == 1
    far = thesis_measures(exact(400, off=1.5).query("width > 0"))
    assert (far["within_1_at_5"], far["within_2_at_5"]) == (0, 1)
    assert (far["coverage68"], far["coverage95"]) == (0, 1)


def test_cells_are_by_bins_width_and_range():
    cells = by_cell(exact(400))
    assert cells[["n_bins", "width", "decades"]].to_numpy().tolist() == [
        [30, 0, 2],
        [30, 2, 2],
        [60, 0, 2],
        [60, 2, 2],
    ]
    assert cells["n"].tolist() == [100, 100, 100, 100]


def test_scorecard_names_what_the_tests_found(rng):
    tests = {"task2022": made.make_tests(rng, 300, z=3.0), "thesis": made.make_tests(rng, 300)}
    for name in QUANTILE_NAMES:
        assert name in tests["thesis"]
    found = {row.quantity: row for row in scorecard.test_quantities(tests, rng)}
    wanted = ["bias", "spread", "exact_bin", "auc", "tpr", "fpr"]
    assert {f"ddp.task2022.{measure}" for measure in wanted} <= set(found)
    assert {"ddp.thesis.worst_cell_bias", "ddp.interval.coverage68"} <= set(found)
    spread = found["ddp.thesis.spread"]
    assert spread.value == pytest.approx(made.SPREAD, rel=0.15)
    assert spread.uncertainty == pytest.approx(made.SPREAD / np.sqrt(600), rel=0.5)


def test_stored_network_predicts_the_same():
    hunter = small_hunter()
    block = {"architecture": "library", "widths": list(WIDTHS), "sizes": SIZES}
    kind = {"n_bins": [30, 100], "counts": [10, 1e4]}
    stored = store_hunter(hunter.network, block, kind)
    back = restore_hunter(*stored, device=torch.device("cpu"))
    assert back[1:] == hunter[1:]
    observed = torch.full((3, 40), 200.0)
    for one, other in zip(predict(hunter, observed), predict(back, observed), strict=True):
        assert torch.equal(one, other)
