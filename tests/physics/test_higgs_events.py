"""The embedded events are the physics that they claim to be."""

from pathlib import Path

import numpy as np
import pytest

from bumpflow import io
from bumpflow.ingest.convert import ingest_events
from bumpflow.ingest.layout import HIGGS_FEATURES, HIGGS_NONNEGATIVE, build_layout

pytestmark = pytest.mark.physics
RESOURCES = Path(__file__).parents[2] / "resources"
ANGLES = [name for name in HIGGS_FEATURES if name.endswith("phi")]


@pytest.fixture(scope="module")
def events():
    return io.read_table(RESOURCES / "higgs_uci.parquet")


def test_file_is_the_one_that_is_credited(events):
    readme = (RESOURCES / "README.md").read_text()
    assert io.sha256_of(RESOURCES / "higgs_uci.parquet") in readme
    metadata = io.read_table_metadata(RESOURCES / "higgs_uci.parquet")
    assert "10.24432/C5V312" in metadata["source"]
    assert metadata["licence"].startswith("CC BY 4.0")
    assert len(events) == 31652


def test_no_two_rows_are_one_event_printed_twice(events):
    rounded = np.round(events[[*HIGGS_FEATURES]].to_numpy(), 3)
    assert len(np.unique(rounded, axis=0)) == len(events)


def test_features_are_scaled_as_uci_says(events):
    """UCI divided momenta and masses by their means over all events."""
    for name in HIGGS_NONNEGATIVE:
        values = events[name]
        assert values.min() > 0
        error = values.std() / np.sqrt(len(values))
        assert values.mean() == pytest.approx(1, abs=5 * error + 0.05), name


def test_azimuths_are_uniform(events):
    """Angles are in units that make their standard deviation 1: up to pi / (pi / sqrt 3)."""
    for name in ANGLES:
        x = np.sort(events[name]) / np.sqrt(3)
        uniform = np.linspace(-1, 1, len(x))
        assert np.abs(x - uniform).max() < 2 * 2.2 / np.sqrt(len(x)), name


def test_rapidities_are_symmetric(events):
    for name in HIGGS_FEATURES:
        if name.endswith("eta"):
            values = events[name]
            assert abs(values.mean()) < 4 * values.std() / np.sqrt(len(values)), name


def test_w_boson_and_higgs_boson_show_as_narrow_peaks_in_the_right_label(events):
    """The lepton and the missing energy make a W in nearly every event; m_bb peaks for signal."""
    near = (events["m_lv"] - 0.99).abs() < 0.02
    assert near.mean() > 0.6
    signal, background = (events.loc[events["label"] == label, "m_bb"] for label in (1, 0))
    width = [np.subtract(*values.quantile([0.75, 0.25])) for values in (signal, background)]
    assert width[0] < width[1]


def test_events_round_trip_through_text_to_the_last_bit(events, tmp_path):
    """Nine digits are enough for single precision."""
    some = events.iloc[:2000]
    some.to_csv(tmp_path / "e.csv.gz", index=False, float_format="%.9g")
    found = ingest_events(
        tmp_path / "e.csv.gz",
        tmp_path / "e.parquet",
        layout=build_layout("higgs", {}),
        source="UCI",
        duplicates="error",
    )
    assert found.n_read == 2000
    np.testing.assert_array_equal(io.read_table(tmp_path / "e.parquet"), some)


def test_three_digits_come_within_their_rounding(events, tmp_path):
    some = events.iloc[:2000][["label", *HIGGS_FEATURES]]
    text = some.to_csv(header=False, index=False, sep="\t", float_format="%.3e")
    (tmp_path / "e.tsv").write_text(text.rstrip("\n"))
    ingest_events(
        tmp_path / "e.tsv",
        tmp_path / "e.parquet",
        layout=build_layout("higgs", {}),
        source="UCI",
        duplicates="error",
    )
    table = io.read_table(tmp_path / "e.parquet")[[*HIGGS_FEATURES]]
    np.testing.assert_allclose(table, some[[*HIGGS_FEATURES]], rtol=5.1e-4)
