"""Names and ranges in the configuration of bump hunts."""

import copy

import pytest

from bumpflow import io
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
    config["scan"] = ["x/a.csv", "y/a.csv"]
    assert any("both are called 'a'" in fault for fault in settings.check_hunts(config))
