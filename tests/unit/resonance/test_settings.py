"""Names and ranges in the configuration of resonance measurements."""

import copy

import pandas as pd
import pytest

from bumpflow import io
from bumpflow.resonance import settings

CONFIG = io.read_yaml("config/config.yaml")
MINE = {
    "data": {"path": "mine.parquet"},
    "signal": {"sample": "hh"},
    "others": {"zh": {"path": "zh.parquet", "expected": 12, "uncertainty": 3}},
    "mass": "m",
    "window_gev": [90, 180],
    "signal_region_gev": [115, 135],
    "features": ["pt", "dr"],
    "systematics": {
        "scale": {"scale": {"pt": 0.1}, "components": ["signal", "background"], "trained": True},
        "tilt": {"scale": {"dr": -0.2}, "components": ["signal"], "trained": True},
        "exact": {"scale": {"dr": 0.1}, "components": ["signal"], "trained": False},
    },
}
PLACE = "measurements.mine"


@pytest.fixture
def config():
    config = copy.deepcopy(CONFIG)
    config["measurements"]["mine"] = copy.deepcopy(MINE)
    config["hisigma"]["measurement"] = "mine"
    return config


def change(config, path, value):
    *parents, last = path
    place = config
    for key in parents:
        place = place[key]
    place[last] = value


def faults(config):
    return list(settings.check_resonance(config))


def test_default_configuration_has_no_fault(config):
    assert list(settings.check_resonance(CONFIG)) == []
    assert faults(config) == []


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (
            ("hisigma", "measurement"),
            "bbg",
            "hisigma.measurement: 'bbg' is not defined in measurements; did you mean 'bbgg'?",
        ),
        (("hisigma", "select"), ["boxx"], "hisigma.select: 'boxx' is not defined in hisigma.dens"),
        (
            ("hisigma", "densities", "box", "model"),
            "rqz",
            "hisigma.densities.box.model: 'rqz' is not defined in models; did you mean",
        ),
        (
            ("measurements", "mine", "signal_region_gev"),
            [90, 135],
            f"{PLACE}.signal_region_gev: [90, 135] must lie inside window_gev [90, 180]",
        ),
        (
            ("measurements", "mine", "signal_region_gev"),
            [135, 115],
            f"{PLACE}.signal_region_gev: [135, 115] must lie inside",
        ),
        (
            ("measurements", "mine", "window_gev"),
            [90, 130],
            f"{PLACE}.signal_region_gev: [115, 135] must lie inside window_gev [90, 130]",
        ),
        (
            ("measurements", "mine", "features"),
            ["pt", "dr", "m"],
            f"{PLACE}.features: 'm' is the resonance variable: remove it",
        ),
        (
            ("measurements", "mine", "signal"),
            {"sample": "hhh"},
            f"{PLACE}.signal.sample: 'hhh' is not defined in samples",
        ),
        (
            ("measurements", "mine", "data"),
            {"sample": "hh", "path": "mine.parquet"},
            f"{PLACE}.data: give either a path or a sample",
        ),
        (("measurements", "mine", "data"), {}, f"{PLACE}.data: give either a path or a sample"),
        (
            ("measurements", "mine", "others", "zh"),
            {"expected": 1, "uncertainty": 1},
            f"{PLACE}.others.zh: give either a path or a sample",
        ),
        (
            ("measurements", "mine", "others", "truthsignal"),
            MINE["others"]["zh"],
            f"{PLACE}.others.truthsignal: the name is taken: choose another",
        ),
        (
            ("measurements", "mine", "others", "data"),
            MINE["others"]["zh"],
            f"{PLACE}.others.data: the name is taken: choose another",
        ),
        (
            ("measurements", "mine", "systematics", "scale", "scale"),
            {"ptt": 0.1},
            f"{PLACE}.systematics.scale.scale: 'ptt' is not in features; did you mean 'pt'?",
        ),
        (
            ("measurements", "mine", "mock"),
            {"n_events": 100, "n_signal": 101, "n_datasets": 1},
            f"{PLACE}.mock: n_signal 101 exceeds n_events 100",
        ),
    ],
)
def test_faults_are_named(config, path, value, fault):
    change(config, path, value)
    found = faults(config)
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_every_fault_is_found_at_once(config):
    change(config, ("hisigma", "select"), ["boxx", "publishedd"])
    change(config, ("measurements", "mine", "features"), ["m"])
    assert len(faults(config)) == 2 + 1 + 3  # the systematics' features are gone


def test_columns_that_a_file_lacks_are_named(config, tmp_path):
    path = tmp_path / "mine.parquet"
    pd.DataFrame({"m": [1.0], "pt": [2.0]}).to_parquet(path)
    config["measurements"]["mine"]["data"] = {"path": str(path)}
    (fault,) = faults(config)
    assert fault.startswith(f"{PLACE}.data.path: ")
    assert "dr" in fault
    pd.DataFrame({"m": [1.0], "pt": [2.0], "dr": [1.0]}).to_parquet(path)
    assert faults(config) == []


def test_events_come_from_files_or_samples(config):
    assert settings.measurement_files(config, "mine") == {
        "data": "mine.parquet",
        "signal": "<results>/samples/hh/events.parquet",
        "zh": "zh.parquet",
    }


PARTS = [
    *("background", "signal", "zh"),
    *("signalscaleup", "signalscaledown", "backgroundscaleup", "backgroundscaledown"),
    *("signaltiltup", "signaltiltdown"),
]


def test_trained_systematics_have_densities_of_their_own(config):
    assert settings.density_parts(config, "mine") == PARTS


@pytest.mark.parametrize(
    ("part", "component", "scale"),
    [
        ("background", "background", {}),
        ("zh", "zh", {}),
        ("signalscaledown", "signal", {"pt": -0.1}),
        ("backgroundscaleup", "background", {"pt": 0.1}),
        ("signaltiltdown", "signal", {"dr": 0.2}),
    ],
)
def test_parts_say_what_they_are_trained_on(config, part, component, scale):
    assert settings.part_settings(config, "mine", part) == {
        "component": component,
        "scale": scale,
        "everywhere": False,
        "gap_gev": [115, 135],
    }


def test_truths_are_trained_everywhere_and_edges_on_less(config):
    for part, component in (("truthbackground", "background"), ("truthsignal", "signal")):
        found = settings.part_settings(config, "mine", part)
        assert (found["component"], found["everywhere"]) == (component, True)
    config["hisigma"]["closure"]["edge_gev"] = 4
    found = settings.part_settings(config, "mine", "edges")
    assert (found["component"], found["gap_gev"]) == ("background", [111, 139])
    assert not found["everywhere"]


def test_background_alone_is_bootstrapped(config):
    config["hisigma"]["densities"]["box"]["bootstraps"] = 7
    found = [settings.n_bootstraps(config, "box", part) for part in PARTS]
    assert found[0] == 7
    assert set(found[1:]) == {0}
    sizes = settings.experiment_settings(config, "box")
    assert sizes["bootstraps"] == 7
    assert "replicas" not in sizes
    assert config["hisigma"]["experiments"]["replicas"] is not None


def test_data_have_no_known_signal_and_no_experiments(config):
    config["hisigma"]["experiments"]["replicas"] = 3
    assert not settings.has_truth(config)
    assert settings.injected_signal(config) is None
    assert list(settings.replicas(config)) == []
    config["measurements"]["mine"]["mock"] = {"n_events": 100, "n_signal": 0, "n_datasets": 1}
    assert settings.has_truth(config)
    assert settings.injected_signal(config) == 0
    assert list(settings.replicas(config)) == [0, 1, 2]
