"""What each event of a measurement is for."""

import numpy as np
import pandas as pd
import pytest

from bumpflow.ingest.layout import InvalidEvents
from bumpflow.resonance.prepare import prepare_measurement

BLOCK = {
    "mass": "m",
    "features": ["x", "y"],
    "window_gev": [90, 180],
    "signal_region_gev": [115, 135],
    "mock": {"n_events": 300, "n_signal": 20, "n_datasets": 2},
}
DATA = {key: value for key, value in BLOCK.items() if key != "mock"}


def table(n, seed, centre=None):
    rng = np.random.default_rng(seed)
    mass = rng.uniform(80, 185, n) if centre is None else rng.normal(centre, 8, n)
    return pd.DataFrame({"unused": 1, "y": rng.normal(seed, 1, n), "m": mass, "x": rng.random(n)})


TABLES = {"data": table(4000, 1), "signal": table(900, 2, 125), "zh": table(500, 3, 120)}


def prepare(block, *, smearing=0.0, seed=5, tables=TABLES):
    return prepare_measurement(tables, block, smearing=smearing, train_fraction=0.6, seed=seed)


@pytest.fixture(scope="module")
def mock():
    return prepare(BLOCK)


def rows(events, **chosen):
    for key, value in chosen.items():
        events = events[events[key] == value]
    return events


def keys(events):
    return [tuple(row) for row in events[["x", "y", "m"]].to_numpy()]


def test_no_event_has_two_roles(mock):
    found = keys(mock.events)
    assert len(set(found)) == len(found)


def test_every_event_of_the_window_has_a_role(mock):
    inside = sum(((t["m"] >= 90) & (t["m"] < 180)).sum() for t in TABLES.values())
    assert len(mock.events) == inside
    assert sum(mock.record["events"].values()) == inside
    assert list(mock.events)[:3] == ["x", "y", "m"]
    assert "unused" not in mock.events


def test_mock_data_are_of_the_sizes_asked_for(mock):
    fitted = rows(mock.events, component="data", role="fit")
    assert fitted.groupby(["dataset", "label"]).size().to_dict() == {
        (0, 0): 280,
        (0, 1): 20,
        (1, 0): 280,
        (1, 1): 20,
    }
    assert (mock.events.loc[mock.events["role"] != "fit", "dataset"] == -1).all()


def test_background_is_contaminated_as_data_are(mock):
    learnt = rows(mock.events, component="data", role="train")
    assert learnt["label"].mean() == pytest.approx(20 / 300, abs=1 / len(learnt))
    originals = set(keys(TABLES["signal"]))
    assert all(key in originals for key in keys(rows(learnt, label=1)))
    assert not any(key in originals for key in keys(rows(learnt, label=0)))
    unused = rows(mock.events, component="data", role="test")
    assert len(unused)
    assert (unused["label"] == 0).all()


def test_simulation_is_split_by_its_fraction(mock):
    for name, taken in (("signal", 40 + 110), ("zh", 0)):
        counts = rows(mock.events, component=name)["role"].value_counts()
        assert set(counts.index) == {"train", "test"}
        whole = counts.sum() + taken
        assert counts["train"] / whole == pytest.approx(0.6, abs=0.2 if taken else 0.1)
    assert (rows(mock.events, component="signal")["label"] == -1).all()


def test_real_data_are_one_data_set_without_labels():
    found = prepare(DATA)
    data = rows(found.events, component="data")
    inside = TABLES["data"]["m"].between(90, 180, inclusive="left")
    assert sorted(keys(data)) == sorted(keys(TABLES["data"][inside]))
    assert (data["role"] == "fit").all()
    assert (data["dataset"] == 0).all()
    assert (data["label"] == -1).all()
    assert len(rows(found.events, component="signal")) == (
        TABLES["signal"]["m"].between(90, 180, inclusive="left").sum()
    )
    assert set(found.record["events"]) == {
        *("data_fit", "signal_train", "signal_test", "zh_train", "zh_test"),
    }
    assert found.record["data"]["n_read"] == 4000


def test_smearing_adds_noise_of_one_width_and_changes_no_role(mock):
    smeared = prepare(BLOCK, smearing=0.3).events
    rest = ["m", "component", "role", "label", "dataset"]
    pd.testing.assert_frame_equal(smeared[rest], mock.events[rest])
    data = mock.events["component"] == "data"
    for feature in ("x", "y"):
        width = 0.3 * mock.events.loc[data, feature].std()
        noise = smeared[feature] - mock.events[feature]
        for part in (noise[data], noise[~data]):
            assert part.std() == pytest.approx(width, rel=4 / np.sqrt(2 * len(part)))


def test_seeds_decide():
    again, other = prepare(BLOCK), prepare(BLOCK, seed=6)
    pd.testing.assert_frame_equal(again.events, prepare(BLOCK).events)
    assert not again.events.equals(other.events)


def test_faulty_tables_are_named():
    tables = TABLES | {"zh": TABLES["zh"].drop(columns="y")}
    with pytest.raises(InvalidEvents, match="zh: there is no column 'y'"):
        prepare(BLOCK, tables=tables)


def test_signal_may_be_missing_beside_the_signal_region_but_data_may_not():
    def inside(name):
        return {name: TABLES[name][TABLES[name]["m"].between(115, 134.9)]}

    found = prepare(BLOCK, tables=TABLES | inside("signal")).record["signal"]
    assert found["n_lower"] == found["n_upper"] == 0
    with pytest.raises(InvalidEvents, match=r"data: none of .* the lower sideband"):
        prepare(BLOCK, tables=TABLES | inside("data"))


def test_too_many_mock_data_are_refused():
    block = BLOCK | {"mock": {"n_events": 3000, "n_signal": 20, "n_datasets": 2}}
    with pytest.raises(InvalidEvents, match="background events are needed"):
        prepare(block)


def test_too_much_mock_signal_is_refused():
    with pytest.raises(InvalidEvents, match="signal events are to contaminate"):
        prepare(BLOCK, tables=TABLES | {"signal": table(200, 2, 125)})
