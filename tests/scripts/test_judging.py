"""Scripts that judge generated events, one after the other on tiny files."""

import numpy as np
import pandas as pd
import pytest

from bumpflow import io
from bumpflow.evaluate import witnesses
from bumpflow.evaluate.divergences import MEASURES
from bumpflow.summary import from_records
from scripts import draw_control, measure_divergences, run_c2st, summarise_surrogates

FEATURES = ["a", "b", "c"]
N_EVENTS = {"train": 900, "test": 100, "holdouta": 400, "holdoutb": 400}
C2ST = {
    "train_ratio": 1,
    "test_ratio": 1,
    "confidence": 0.95,
    "n_permutations": 99,
    "resmlp": {
        "hidden_features": 16,
        "layers": 1,
        "repeats": 1,
        "validation_fraction": 0.2,
        "training": {"learning_rate": 0.01, "batch_size": 64, "max_epochs": 5, "patience": 5},
    },
    "trees": {
        "learning_rate": 0.1,
        "max_iter": 20,
        "max_leaf_nodes": 8,
        "l2_regularization": 1.0,
        "patience": 5,
        "validation_fraction": 0.2,
    },
}
DIVERGENCES = {"n_bins": 10, "n_bootstrap": 20, "n_baseline": 20, "max_events": 800}


@pytest.fixture
def events(tmp_path):
    """Gaussian background in four splits, and signal that must never be used."""
    rng = np.random.default_rng(0)
    splits = np.repeat(list(N_EVENTS), list(N_EVENTS.values()))
    background = pd.DataFrame(rng.normal(size=(len(splits), 3)).astype("f4"), columns=FEATURES)
    table = pd.concat([background.assign(label=0), (background + 100).assign(label=1)])
    table["split"] = pd.Categorical(np.tile(splits, 2))
    return _write(tmp_path / "events.parquet", table.astype({"label": "int8"}))


@pytest.fixture
def generated(tmp_path):
    """Events of a surrogate that is off by one standard deviation in one feature."""
    x = np.random.default_rng(1).normal(loc=[1, 0, 0], size=(2000, 3))
    return _write(tmp_path / "generated.parquet", pd.DataFrame(x.astype("f4"), columns=FEATURES))


def _write(path, table):
    io.write_table(path, table)
    return path


def _run_c2st(events, generated, folder, seed=1):
    run_c2st.main(
        events=events,
        generated=generated,
        record=folder / "c2st.json",
        ratios=folder / "c2st.parquet",
        history=folder / "c2st_history.parquet",
        features=FEATURES,
        label=0,
        settings=C2ST,
        device="cpu",
        seed=seed,
    )
    return io.read_json(folder / "c2st.json")


def _measure_divergences(events, generated, folder):
    measure_divergences.main(
        events=events,
        generated=generated,
        table=folder / "divergences.parquet",
        record=folder / "divergences.json",
        features=FEATURES,
        label=0,
        settings=DIVERGENCES,
        baseline_seed=1,
        seed=2,
    )
    return io.read_json(folder / "divergences.json")


def test_control_holds_training_events_of_the_label(events, tmp_path):
    target = tmp_path / "control.parquet"
    draw_control.main(events=events, generated=target, features=FEATURES, label=0)
    source = io.read_table(events).query("label == 0 and split == 'train'")
    assert io.read_table(target).equals(source[FEATURES].reset_index(drop=True))


def test_c2st_finds_a_shift_and_tells_which_events(events, generated, tmp_path):
    record = _run_c2st(events, generated, tmp_path)
    assert record["n_train"] == [400, 400]
    assert record["n_test"] == [400, 400]
    table = io.read_table(tmp_path / "c2st.parquet")
    assert list(table) == ["label", "log_ratio_resmlp", "log_ratio_trees", *FEATURES]
    real = io.read_table(events).query("label == 0 and split == 'holdoutb'")
    assert np.array_equal(table.query("label == 0")[FEATURES], real[FEATURES])
    for witness in ("resmlp", "trees"):
        # the best classifier reaches 0.76
        assert 0.68 < record[witness]["auc_low"] < record[witness]["auc"] < 0.80
        assert record[witness]["p_value"] == 0.01
        assert table["a"].corr(table[f"log_ratio_{witness}"]) > 0.7
    assert "validation_loss" in io.read_table(tmp_path / "c2st_history.parquet")


def test_c2st_trains_and_tests_on_different_events(events, tmp_path, monkeypatch):
    x = np.arange(6000, dtype="f4").reshape(2000, 3)
    path = _write(tmp_path / "numbered.parquet", pd.DataFrame(x, columns=FEATURES))
    seen = []
    original = witnesses.train_classifier

    def spy(x0, x1, **settings):
        seen.extend([x0, x1])
        return original(x0, x1, **settings)

    monkeypatch.setattr(witnesses, "train_classifier", spy)
    _run_c2st(events, path, tmp_path)
    tested = io.read_table(tmp_path / "c2st.parquet")[FEATURES].to_numpy()
    known = {tuple(row) for part in seen for row in part}
    assert len(known) == 800
    assert not known & {tuple(row) for row in tested}


def test_same_seed_gives_same_files(events, generated, tmp_path):
    first, second = (_run_c2st(events, generated, tmp_path / name) for name in "ab")
    assert first == second
    tables = [io.read_table(tmp_path / name / "c2st.parquet") for name in "ab"]
    assert tables[0].equals(tables[1])


def test_divergences_find_the_shifted_feature(events, generated, tmp_path):
    record = _measure_divergences(events, generated, tmp_path)
    assert record["n"] == 800
    table = io.read_table(tmp_path / "divergences.parquet")
    assert list(table) == [
        "feature",
        "measure",
        "value",
        "uncertainty",
        "baseline",
        "baseline_uncertainty",
    ]
    assert len(table) == len(MEASURES) * len(FEATURES)
    pull = (table["value"] - table["baseline"]) / table["baseline_uncertainty"]
    assert (pull[table["feature"] == "a"] > 8).all()
    assert (pull[table["feature"] != "a"].abs() < 5).all()
    by_w1 = table.query("measure == 'wasserstein' and feature == 'a'").iloc[0]
    assert by_w1["value"] == pytest.approx(1, abs=5 * by_w1["uncertainty"])


def test_summary_has_the_names_of_the_scorecard(events, generated, tmp_path):
    folders = {"mademog": tmp_path / "mademog", "control": tmp_path / "control"}
    control = tmp_path / "control.parquet"
    draw_control.main(events=events, generated=control, features=FEATURES, label=0)
    for name, source in {"mademog": generated, "control": control}.items():
        _run_c2st(events, source, folders[name])
        _measure_divergences(events, source, folders[name])
    training = {"test_nll": 3.5, "seconds": 2.0, "n_train": 900, "n_parameters": 50}
    io.write_json(tmp_path / "training.json", training)
    io.write_json(tmp_path / "sampling.json", {"n": 2000, "events_per_second": 1e5})
    summarise_surrogates.main(
        c2st=[folder / "c2st.json" for folder in folders.values()],
        divergences=[folder / "divergences.json" for folder in folders.values()],
        training=[tmp_path / "training.json"],
        sampling=[tmp_path / "sampling.json"],
        summary=tmp_path / "summary.json",
        models=["mademog"],
    )
    card = {q.quantity: q for q in from_records(io.read_json(tmp_path / "summary.json"))}
    judged = {"c2st_auc", "c2st_p", "c2st_auc_trees", "c2st_p_trees", *MEASURES}
    for subject in folders:
        assert {f"surrogates.{subject}.{measure}" for measure in judged} <= set(card)
    assert card["surrogates.mademog.sampling_rate"].value == 1e5
    assert card["surrogates.mademog.c2st_auc"].reference is None
    auc, kl = card["surrogates.control.c2st_auc"], card["surrogates.control.kl"]
    assert (auc.reference, kl.reference) == (0.5, 1.0)
    assert auc.value == pytest.approx(0.5, abs=4 * auc.uncertainty)
    assert kl.value == pytest.approx(1, abs=5 * kl.uncertainty)
