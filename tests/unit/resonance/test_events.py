import h5py
import numpy as np
import pandas as pd
import pytest

from bumpflow.ingest.hdf5 import read_feature_blocks
from bumpflow.ingest.layout import InvalidEvents
from bumpflow.resonance.events import (
    assign_roles,
    check_events,
    find_regions,
    mock_data,
    training_events,
    vary,
)
from bumpflow.resonance.shapes import Window

FEATURES = ["pt_bb", "pt_gg_over_m", "dr_bb", "dr_gg"]
CHOICE = {
    "mass": "m_gg",
    "features": FEATURES,
    "window": Window(90, 180),
    "signal_region": Window(115, 135),
    "name": "data.parquet",
}
AUTHORS = (
    *("tot_mass", "Hbb_mass", "Hgg_mass", "Hbb_pt", "Hgg_pt", "dR_b1g1", "dR_b1g2"),
    *("dR_b2g1", "dR_b2g2", "dR_bb", "dR_gg"),
)
"""Order of the columns of ``feats`` in the authors' files."""


def events(n, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"m_gg": rng.uniform(80, 190, n).astype("float32")})
    for name in FEATURES:
        table[name] = rng.exponential(size=n).astype("float32")
    return table.assign(row=np.arange(n))


@pytest.fixture
def table():
    return events(1000)


def test_events_outside_the_window_are_dropped_and_counted(table):
    table.loc[:3, "m_gg"] = [90, 115, 135, 180]
    found, record = check_events(table, **CHOICE)
    m = table["m_gg"]
    assert record == {
        "n_read": 1000,
        "n_outside": int((m < 90).sum() + (m >= 180).sum()),
        "n_lower": int(((m >= 90) & (m < 115)).sum()),
        "n_signal_region": int(((m >= 115) & (m < 135)).sum()),
        "n_upper": int(((m >= 135) & (m < 180)).sum()),
    }
    assert found["row"].tolist() == table["row"][(m >= 90) & (m < 180)].tolist()
    assert found.index.tolist() == list(range(len(found)))


def test_regions_own_their_lower_ends():
    mass = np.array([89, 90, 114, 115, 134, 135, 179, 180])
    at = find_regions(mass, window=Window(90, 180), signal_region=Window(115, 135))
    assert mass[at.lower].tolist() == [90, 114]
    assert mass[at.signal].tolist() == [115, 134]
    assert mass[at.upper].tolist() == [135, 179]
    assert mass[at.sideband].tolist() == [90, 114, 135, 179]


@pytest.mark.parametrize("column", ["m_gg", "dr_bb"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_counted_and_placed(table, column, value):
    table.loc[[7, 30], column] = value
    message = rf"data\.parquet: column '{column}' is not finite in 2 of 1000 .* {value} in row 7 "
    with pytest.raises(InvalidEvents, match=message):
        check_events(table, **CHOICE)


def test_a_missing_column_is_named_with_its_neighbour(table):
    with pytest.raises(InvalidEvents, match=r"no column 'dr_gg'; did you mean 'dr_g'\?"):
        check_events(table.rename(columns={"dr_gg": "dr_g"}), **CHOICE)


def test_a_column_of_texts_is_named(table):
    with pytest.raises(InvalidEvents, match=r"column 'pt_bb' holds .*, but must hold numbers"):
        check_events(table.assign(pt_bb="1.5"), **CHOICE)


def test_a_feature_that_is_constant_in_the_window_is_named(table):
    inside = table["m_gg"].between(90, 180)
    table.loc[inside, "dr_bb"] = 0.5
    with pytest.raises(InvalidEvents, match=r"feature 'dr_bb' is 0\.5 in all \d+ events"):
        check_events(table, **CHOICE)


@pytest.mark.parametrize(
    ("low", "high", "region"),
    [
        (90, 115, r"\[90, 115\) GeV, the lower sideband"),
        (115, 135, r"\[115, 135\) GeV, the signal region"),
        (135, 180, r"\[135, 180\) GeV, the upper sideband"),
    ],
)
def test_an_empty_region_is_named(table, low, high, region):
    left = table[(table["m_gg"] < low) | (table["m_gg"] >= high)]
    message = rf"none of {len(left)} events has m_gg within {region}: .* change `window`"
    with pytest.raises(InvalidEvents, match=message):
        check_events(left, **CHOICE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": []}, "no feature"),
        ({"features": ["dr_bb", "m_gg"]}, "'m_gg' is the resonance variable"),
        ({"features": ["dr_bb", "pt_bb", "dr_bb"]}, "lists 'dr_bb' more than once"),
        ({"signal_region": Window(90, 135)}, r"\[90, 135\) GeV must lie inside the window \[90, "),
        ({"signal_region": Window(115, 190)}, "must lie inside the window"),
        ({"signal_region": Window(135, 115)}, "must lie inside the window"),
    ],
)
def test_impossible_choices_are_named(table, change, message):
    with pytest.raises(ValueError, match=message):
        check_events(table, **CHOICE | change)


FRACTIONS = {"train": 0.7, "holdout": 0.3}


def test_roles_go_by_the_event_not_by_its_place():
    table = events(20_000)
    columns = ["m_gg", *FEATURES]
    roles = assign_roles(table, columns=columns, fractions=FRACTIONS)
    order = np.random.default_rng(1).permutation(len(table))
    again = assign_roles(table.iloc[order], columns=columns, fractions=FRACTIONS)
    assert np.array_equal(again, roles[order])
    assert np.mean(roles == "train") == pytest.approx(0.7, abs=4 * np.sqrt(0.21 / 20_000))
    assert set(roles) == set(FRACTIONS)


def test_equal_events_share_a_role_whatever_their_other_columns(table):
    twice = pd.concat([table, table.assign(row=-1)])
    roles = assign_roles(twice, columns=["m_gg", *FEATURES], fractions=FRACTIONS)
    assert np.array_equal(roles[:1000], roles[1000:])


def test_another_salt_gives_other_roles(table):
    a, b = (
        assign_roles(table, columns=FEATURES, fractions=FRACTIONS, salt=salt) for salt in (0, 1)
    )
    assert np.mean(a == b) == pytest.approx(0.58, abs=4 * np.sqrt(0.58 * 0.42 / 1000))


def test_a_role_without_events_is_named(table):
    with pytest.raises(InvalidEvents, match="none of 2 events is for 'holdout'"):
        assign_roles(table[:2], columns=FEATURES, fractions={"train": 1 - 1e-9, "holdout": 1e-9})


def test_negative_fractions_are_refused(table):
    with pytest.raises(ValueError, match=r"fraction of 'holdout' is -0\.1"):
        assign_roles(table, columns=FEATURES, fractions={"holdout": -0.1, "train": 1.1})


def test_mock_data_are_disjoint_and_of_the_right_size():
    background, signal = events(1000), events(100, seed=1)
    found = mock_data(
        background,
        signal,
        n_events=200,
        n_signal=20,
        n_datasets=5,
        rng=np.random.default_rng(3),
    )
    counts = found.groupby(["dataset", "label"]).size()
    assert counts.to_dict() == {
        (k, label): n for k in range(5) for label, n in ((0, 180), (1, 20))
    }
    for label, source in enumerate((background, signal)):
        drawn = found[found["label"] == label]
        assert drawn["row"].is_unique
        assert np.array_equal(drawn["m_gg"], source["m_gg"][drawn["row"]])
    first = found.loc[found["dataset"] == 0, "label"].to_numpy()
    assert found["dataset"].is_monotonic_increasing
    places = np.flatnonzero(first)
    assert places.mean() == pytest.approx(99.5, abs=4 * 200 / np.sqrt(12 * 20))  # in any place


def test_mock_data_follow_the_seed():
    pools = events(1000), events(100, seed=1)
    sizes = {"n_events": 50, "n_signal": 5}
    a, b, c = (mock_data(*pools, rng=np.random.default_rng(seed), **sizes) for seed in (3, 3, 4))
    assert a.equals(b)
    assert not a.equals(c)


def test_numbers_of_mock_events_fluctuate_as_in_an_experiment():
    found = mock_data(
        events(30_000),
        events(8000),
        n_events=100,
        n_signal=25,
        n_datasets=250,
        rng=np.random.default_rng(3),
        fluctuate=True,
    )
    counts = found.groupby(["label", "dataset"]).size().unstack("label")
    for label, mean in enumerate((75, 25)):
        assert counts[label].mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / 250))
        assert counts[label].var() == pytest.approx(mean, rel=4 * np.sqrt(2 / 250))
    assert found.loc[found["label"] == 0, "row"].is_unique


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (
            {"n_events": 600, "n_signal": 10},
            "1180 background events are needed, but there are 1000",
        ),
        ({"n_events": 100, "n_signal": 60}, "120 signal events are needed, but there are 100"),
        ({"n_events": 100, "n_signal": 101}, "of 100 events of which 101 are"),
        ({"n_events": 100, "n_signal": -1}, "of which -1 are signal"),
        ({"n_events": 0, "n_signal": 0}, "above 0"),
        ({"n_events": 100, "n_signal": 1, "n_datasets": 0}, "cannot draw 0 data sets"),
    ],
)
def test_impossible_mock_data_are_refused(sizes, message):
    rng = np.random.default_rng(3)
    with pytest.raises(ValueError, match=message):
        mock_data(events(1000), events(100), rng=rng, **{"n_datasets": 2} | sizes)


def test_training_events_hold_the_fraction_of_signal_in_data():
    background, signal = events(9950), events(500, seed=1)
    rng = np.random.default_rng(3)
    found = training_events(background, signal, signal_fraction=0.005, rng=rng)
    assert found.events["label"].mean() == pytest.approx(0.005, abs=1e-12)
    assert (found.events["label"] == 0).sum() == 9950
    injected = found.events.loc[found.events["label"] == 1, "row"]
    assert sorted([*injected, *found.signal["row"]]) == list(range(500))


def test_clean_training_events_are_the_same_without_signal():
    background, signal = events(1000), events(200, seed=1)
    mixed, clean = (
        training_events(
            background, signal, signal_fraction=0.1, rng=np.random.default_rng(3), clean=clean
        )
        for clean in (False, True)
    )
    assert clean.events.equals(mixed.events[mixed.events["label"] == 0])
    assert clean.signal.equals(mixed.signal)
    assert len(mixed.events) == 1111


@pytest.mark.parametrize(
    ("fraction", "message"),
    [
        (0.5, "1000 signal events are to contaminate 1000 of background, but there are 100 "),
        (1.0, "signal_fraction is 1.0"),
        (-0.1, "signal_fraction is -0.1"),
    ],
)
def test_impossible_contamination_is_refused(fraction, message):
    rng = np.random.default_rng(3)
    with pytest.raises(ValueError, match=message):
        training_events(events(1000), events(100), signal_fraction=fraction, rng=rng)


def test_features_vary_in_their_raw_units(table):
    before = table.copy()
    up, down = (vary(table, {"pt_bb": 0.1, "dr_bb": -0.02}, nu=nu) for nu in (1, -1))
    for varied, factors in ((up, (1.1, 0.98)), (down, (0.9, 1.02))):
        for column, factor in zip(("pt_bb", "dr_bb"), factors, strict=True):
            assert varied[column].to_numpy() == pytest.approx(factor * table[column], rel=1e-6)
        assert varied.drop(columns=["pt_bb", "dr_bb"]).equals(
            table.drop(columns=["pt_bb", "dr_bb"])
        )
    assert table.equals(before)


def test_impossible_variations_are_refused(table):
    with pytest.raises(InvalidEvents, match=r"no column 'pt_b'; did you mean 'pt_bb'\?"):
        vary(table, {"pt_b": 0.1}, nu=1)
    with pytest.raises(ValueError, match=r"uncertainty of 1\.5 would multiply 'pt_bb' by -0\.5"):
        vary(table, {"pt_bb": 1.5}, nu=-1)


def test_files_of_the_authors_have_the_features_under_our_names(tmp_path):
    path = tmp_path / "bkg_bb_aa.h5"
    values = np.random.default_rng(0).uniform(95, 175, (300, 11)).astype("float32")
    with h5py.File(path, "w") as file:
        file.create_dataset("feats", data=values)
    table = pd.DataFrame(next(read_feature_blocks(path, use_objects=False)))
    found, record = check_events(table, **CHOICE)
    assert record["n_outside"] == 0
    theirs = dict(zip(AUTHORS, values.T, strict=True))
    assert np.array_equal(found["m_gg"], theirs["Hgg_mass"])
    assert np.array_equal(found["pt_bb"], theirs["Hbb_pt"])
    assert np.array_equal(found["dr_bb"], theirs["dR_bb"])
    assert np.array_equal(found["dr_gg"], theirs["dR_gg"])
    ratio = theirs["Hgg_pt"] / theirs["Hgg_mass"]
    assert found["pt_gg_over_m"].to_numpy() == pytest.approx(ratio, rel=1e-6)
