"""No event that judges a surrogate had a part in making it: on the embedded events themselves."""

from pathlib import Path

import numpy as np
import pytest

from bumpflow import io
from scripts import draw_control, measure_divergences, run_c2st, split_events, train_surrogate

pytestmark = pytest.mark.physics

ROOT = Path(__file__).parents[2]
CONFIG = io.read_yaml(ROOT / "config/config.yaml")
FEATURES = CONFIG["features"]


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    """The embedded events with the default study's splits."""
    path = tmp_path_factory.mktemp("events") / "events.parquet"
    split_events.main(
        table=ROOT / "resources/higgs_uci.parquet",
        events=path,
        fractions=CONFIG["splits"],
        salt=CONFIG["split_salt"],
    )
    return path


def rows(x):
    """Return events as a set of their exact values."""
    return {row.tobytes() for row in np.asarray(x, dtype="float32")}


def spy_on_events(monkeypatch):
    """Record every event that jobs read, by split."""
    seen = {}
    read = io.read_events

    def recording(path, *, features, label, splits):
        x = read(path, features=features, label=label, splits=splits)
        for split in splits:
            part = read(path, features=features, label=label, splits=[split])
            seen.setdefault(split, set()).update(rows(part[:, : len(FEATURES)]))
        return x

    monkeypatch.setattr(io, "read_events", recording)
    return seen


def test_splits_share_no_event(events):
    table = io.read_table(events)
    parts = {name: rows(part[FEATURES].to_numpy()) for name, part in table.groupby("split")}
    assert set(parts) == set(CONFIG["splits"])
    names = sorted(parts)
    for index, name in enumerate(names):
        for other in names[index + 1 :]:
            assert not parts[name] & parts[other], (name, other)
    assert sum(map(len, parts.values())) == len(table)


def test_judges_use_no_event_that_training_or_its_stopping_saw(events, tmp_path, monkeypatch):
    """Run training and each judge, and compare what they read."""
    seen = spy_on_events(monkeypatch)
    density = {"family": "maf", "scaler": "gaussrank"}
    train_surrogate.main(
        events=events,
        model=tmp_path / "model.safetensors",
        history=tmp_path / "history.parquet",
        training=tmp_path / "training.json",
        label=0,
        features=FEATURES,
        context=[],
        mirror=[],
        density=density | {"sizes": {"hidden_features": 18, "transforms": 1}},
        settings=CONFIG["training"] | {"max_epochs": 1, "max_events": 500},
        checkpoints=str(tmp_path / "checkpoints" / "code"),
        device="cpu",
        seed=0,
    )
    # The test split only measures the likelihood of the finished model.
    made = seen.pop("train") | seen.pop("validation")
    seen.clear()
    generated = tmp_path / "generated.parquet"
    draw_control.main(events=events, generated=generated, features=FEATURES, label=0)
    seen.clear()  # the control is Monte Carlo of the training split on purpose: no model made it
    settings = CONFIG["surrogates"]["c2st"]
    quick = {"max_epochs": 1}
    resmlp = settings["resmlp"] | {"training": settings["resmlp"]["training"] | quick}
    run_c2st.main(
        events=events,
        generated=generated,
        record=tmp_path / "c2st.json",
        ratios=tmp_path / "c2st.parquet",
        history=tmp_path / "c2st_history.parquet",
        features=FEATURES,
        label=0,
        settings=settings
        | {
            "resmlp": resmlp | {"hidden_features": 8},
            "n_permutations": 10,
            "trees": settings["trees"] | {"max_iter": 3},
        },
        device="cpu",
        seed=0,
    )
    assert set(seen) == {"holdouta", "holdoutb"}
    assert not made & (seen["holdouta"] | seen["holdoutb"])
    measured = io.read_table(tmp_path / "c2st.parquet").query("label == 0")
    assert rows(measured[FEATURES].to_numpy()) == seen["holdoutb"]  # tested, never trained on


def test_divergences_compare_with_unseen_events():
    assert set(measure_divergences.UNSEEN) == set(CONFIG["splits"]) - {"train", "validation"}
