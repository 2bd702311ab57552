from copy import deepcopy
from pathlib import Path

import pytest

from bumpflow import io
from bumpflow.config import InvalidConfig, check_config, download_of, reading_options

CONFIG = Path(__file__).parents[2] / "config"
DEFAULTS = io.read_yaml(CONFIG / "config.yaml")


def check(**dataset):
    """Check the default study with one more dataset."""
    config = deepcopy(DEFAULTS)
    table = {"path": "mine.csv", "layout": "table", "source": "me", "duplicates": "keep"}
    config["datasets"]["mine"] = table | dataset
    check_config(config, schema=CONFIG / "config.schema.yaml")


@pytest.mark.parametrize(
    "dataset",
    [
        {},
        {"label": 0, "columns": ["pt", "mass"], "nonnegative": ["pt"]},
        {"label": "is_signal", "columns": {"pt": "p_T", "mass": "M"}},
        {"layout": "higgs", "label": "last", "header": "absent"},
        {"layout": "higgs", "path": "x.npy", "labels": "y.npy"},
        {"layout": "higgs", "path": "results/downloads/x.csv", "url": "https://a.org/x.csv"},
    ],
)
def test_own_datasets_are_accepted(dataset):
    check(**dataset)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (
            {"colums": ["pt"]},  # codespell:ignore
            r"datasets\.mine: unknown key 'colums'; did you mean 'columns'",  # codespell:ignore
        ),
        (
            {"url": "https://a.org/x"},
            r"datasets\.mine\.path: what is fetched by `url` goes to results/d",
        ),
        ({"header": "absent"}, r"datasets\.mine: layout 'table' has no option 'header'"),
        ({"layout": "higgs", "label": 1}, r"datasets\.mine: label is 1, but in layout 'higgs'"),
        ({"duplicates": "ignore"}, r"datasets\.mine\.duplicates: 'ignore' is not one of"),
    ],
)
def test_datasets_that_cannot_be_read(dataset, message):
    with pytest.raises(InvalidConfig, match=message):
        check(**dataset)


def test_url_and_checksum_of_a_downloaded_file():
    full = DEFAULTS["datasets"]["higgsfull"]
    assert download_of(DEFAULTS, "HIGGS.csv.gz") == {"url": full["url"], "sha256": full["sha256"]}


def test_file_that_nobody_offers():
    with pytest.raises(
        InvalidConfig, match=r"no dataset has `path: results/downloads/x.csv` and a"
    ):
        download_of(DEFAULTS, "x.csv")


def test_reading_options_leave_out_the_rest():
    dataset = {"path": "x", "layout": "table", "label": 0, "columns": ["a"], "source": "me"}
    assert reading_options(dataset) == {"label": 0, "columns": ["a"]}


def test_default_features_are_in_the_embedded_events():
    io.check_columns(CONFIG.parent / "resources" / "higgs_uci.parquet", DEFAULTS["features"])
