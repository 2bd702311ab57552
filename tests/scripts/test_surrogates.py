import numpy as np
import pandas as pd
import pytest

from bumpflow import io
from scripts import sample_surrogate, train_surrogate

FEATURES = ["pt", "eta"]
SETTINGS = {"learning_rate": 5e-3, "batch_size": 64, "max_epochs": 2, "patience": 2}
SETTINGS |= {"ensemble": 1, "max_events": None}


@pytest.fixture
def events(tmp_path):
    rng = np.random.default_rng(0)
    n = 900
    table = pd.DataFrame(
        {
            "label": rng.integers(0, 2, n).astype("int8"),
            "pt": (0.3 + rng.exponential(1, n)).astype("float32"),
            "eta": rng.normal(size=n).astype("float32"),
            "mass": rng.uniform(90, 180, n).astype("float32"),
            "split": pd.Categorical(rng.choice(["train", "validation", "test"], n)),
        }
    )
    path = tmp_path / "events.parquet"
    io.write_table(path, table)
    return path


def run(tmp_path, events, *, context=(), n_events=250, **settings):
    files = {
        name: tmp_path / f"{name}.{suffix}"
        for name, suffix in {"history": "parquet", "training": "json"}.items()
    }
    model = tmp_path / "model.safetensors"
    train_surrogate.main(
        events=events,
        model=model,
        **files,
        label=0,
        features=FEATURES,
        context=list(context),
        mirror=["eta"],
        density={
            "family": "maf",
            "scaler": "gaussrank",
            "sizes": {"hidden_features": 8, "transforms": 1},
        },
        settings=SETTINGS | settings,
        checkpoints=str(tmp_path / "checkpoints" / "code"),
        device="cpu",
        seed=1,
    )
    sample_surrogate.main(
        events=events,
        model=model,
        chunks=[],
        records=[],
        generated=tmp_path / "generated.parquet",
        sampling=tmp_path / "sampling.json",
        label=0,
        n_events=n_events,
        block_size=100,
        device="cpu",
        seed=2,
    )
    return files | {"generated": tmp_path / "generated.parquet"}


def test_trains_and_samples(tmp_path, events):
    files = run(tmp_path, events)
    record = io.read_json(files["training"])
    table = io.read_table(events)
    n_train = ((table["label"] == 0) & (table["split"] == "train")).sum()
    assert record["n_train"] == n_train
    assert record["n_parameters"] > 0
    assert {"train_nll", "validation_nll", "test_nll"} <= set(record)
    assert list(io.read_table(files["history"])["epoch"]) == [0, 1]
    generated = io.read_table(files["generated"])
    assert list(generated.columns) == FEATURES
    assert generated.dtypes.eq("float32").all()
    assert len(generated) == 250
    assert np.isfinite(generated.to_numpy()).all()
    sampling = io.read_json(tmp_path / "sampling.json")
    assert sampling["n"] == 250
    assert sampling["events_per_second"] > 0
    assert not (tmp_path / "checkpoints").exists()


def test_same_seed_same_events(tmp_path, events):
    tables = [
        io.read_table(run(tmp_path / name, events)["generated"]) for name in ("first", "second")
    ]
    pd.testing.assert_frame_equal(*tables)


def test_context_is_taken_from_the_training_events(tmp_path, events):
    files = run(tmp_path, events, context=["mass"], ensemble=2)
    generated = io.read_table(files["generated"])
    observed = io.read_table(events)
    observed = observed[(observed["label"] == 0) & (observed["split"] == "train")]
    assert list(generated.columns) == [*FEATURES, "mass"]
    assert set(generated["mass"]) <= set(observed["mass"])
    assert io.read_json(files["training"])["members"] == 2


def test_training_events_can_be_limited(tmp_path, events):
    files = run(tmp_path, events, max_events=100)
    assert io.read_json(files["training"])["n_train"] == 100


def test_missing_events_are_reported(tmp_path, events):
    table = io.read_table(events)
    io.write_table(events, table[table["split"] != "validation"])
    with pytest.raises(ValueError, match="no events of label 0 in validation"):
        run(tmp_path, events)
