"""Names and ranges in the configuration of bump hunts."""

import copy

import numpy as np
import pandas as pd
import pytest
from snakemake.utils import update_config

from bumpflow import io
from bumpflow.config import check_config
from bumpflow.hunts import settings

CONFIG = io.read_yaml("config/config.yaml")


@pytest.fixture
def config():
    return copy.deepcopy(CONFIG)


def test_default_configuration_has_no_fault(config):
    assert list(settings.check_hunts(config)) == []


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (("ddp", "hunter"), "generalx", "ddp.hunter: 'generalx' is not defined in hunters"),
        (("ddp", "hunter"), "znet", "ddp.hunter: 'znet' has no weights: add it to ddp.trained"),
        (("ddp", "trained"), ["smallx"], "ddp.trained[0]: 'smallx' is not defined in hunters"),
        (("ddp", "histograms"), ["hgg"], "ddp.histograms: 'hgg' is not defined in histograms"),
        (
            ("ddp", "tests", "thesis", "spectra"),
            "function",
            "ddp.tests.thesis.spectra: 'function'",
        ),
        (("ddp", "global_p", "groups", "held_out"), "dijets", "ddp.global_p.held_out: 'dijets'"),
        (("ddp", "categories", "mixture"), "sm1", "ddp.categories.mixture: 'sm1' is not defined"),
        (("ddp", "darkmachines"), {"sm13": {}}, "ddp.darkmachines.sm13: a mixture has this name"),
        (("hunters", "small", "spectra"), "nothing", "hunters.small.spectra: 'nothing'"),
        (("spectra", "dijet", "counts"), [100, 10], "spectra.dijet.counts: 100 to 10 is empty"),
    ],
)
def test_faults_are_named(config, path, value, fault):
    place = config
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert any(found.startswith(fault) for found in settings.check_hunts(config))


def test_missing_tests_are_named(config):
    del config["ddp"]["tests"]["thesis"]
    assert "ddp.tests: 'thesis' is missing: the report's figures show it" in list(
        settings.check_hunts(config)
    )


def test_weights_come_with_a_network_or_from_its_training(config):
    assert settings.hunter_file(config, "general") == "resources/hunters/general.safetensors"
    assert settings.hunter_file(config, "small") == "<results>/ddp/small/network.safetensors"


def test_files_are_scanned_besides_named_histograms(config):
    assert list(settings.scanned_histograms(config)) == config["ddp"]["histograms"]
    config["scan"] = "data/My Peak.v2.csv"
    chosen = settings.scanned_histograms(config)
    assert chosen["mypeak"] == {"path": "data/My Peak.v2.csv", "source": "My Peak.v2.csv"}
    config["scan"] = ["a.csv", "b.root"]
    assert {"a", "b"} < set(settings.scanned_histograms(config))
    assert settings.shown_histograms(config) == list(settings.scanned_histograms(config))
    config["scan"] = ["x/a.csv", "y/a.csv"]
    assert any("both are called 'a'" in fault for fault in settings.check_hunts(config))


def write(path, values, **columns):
    edges = np.arange(len(values) + 1.0)
    bins = {"low": edges[:-1], "high": edges[1:], "count": values} | columns
    pd.DataFrame(bins).to_csv(path, index=False)


def test_folders_patterns_and_tables_of_many_have_no_figure_of_each(config, tmp_path):
    for name in ("a.csv", "b.csv", "c.txt", "notes.md"):
        write(tmp_path / name, np.full(20, 5))
    write(tmp_path / "many.csv", np.full(40, 5), low=[*range(20)] * 2, histogram=["x", "y"] * 20)
    named = config["ddp"]["histograms"]
    for given, found in (
        (f"{tmp_path}/?.csv", ["a", "b"]),
        ([str(tmp_path)], ["a", "b", "c", "many"]),
        (f"{tmp_path}/many.csv", ["many"]),
    ):
        config["scan"] = given
        chosen = settings.scanned_histograms(config)
        assert [name for name in chosen if name not in named] == found
        assert settings.shown_histograms(config) == named
    assert chosen["many"]["by"] == "histogram"
    config["scan"] = f"{tmp_path}/*.root"
    assert any("has no files of histograms" in fault for fault in settings.check_hunts(config))


def test_bad_histograms_are_faults_of_the_configuration(config, tmp_path):
    write(tmp_path / "bad.csv", [5.0] * 7 + [-3.0] * 13)
    write(tmp_path / "short.csv", [5.0] * 7)
    config["scan"] = [f"{tmp_path}/bad.csv", f"{tmp_path}/short.csv", f"{tmp_path}/none.csv"]
    bad, short = settings.check_hunts(config)
    assert "bad.csv, line 9, bin 8" in bad
    assert "count -3" in bad
    assert "short has 7 bins" in short


def test_categories_are_of_a_mixture_or_of_files_of_dark_machines(config):
    assert settings.category_files(config, "sm13") == ["<results>/mixtures/sm13.parquet"]
    assert settings.darkmachines_format(config, "sm13") is None
    config["ddp"]["darkmachines"]["chan1"] = {
        "files": ["a.csv"],
        "unit": "MeV",
        "luminosity_fb": 10,
    }
    config["ddp"]["categories"]["mixture"] = "chan1"
    assert list(settings.check_hunts(config)) == []
    assert settings.category_files(config, "chan1") == ["a.csv"]
    assert settings.darkmachines_format(config, "chan1") == {"unit": "MeV", "luminosity_fb": 10}


def test_study_of_the_published_networks_can_be_run(config):
    update_config(config, io.read_yaml("resources/hunters/published.yaml"))
    check_config(config, schema="config/config.schema.yaml")
    for hunter in ("znet", "fmw", "dmfmw"):
        assert hunter in config["ddp"]["trained"]
        assert "weights" not in config["hunters"][hunter]
