from copy import deepcopy
from pathlib import Path

import pytest

from bumpflow import io
from bumpflow.reconstruction import settings

DEFAULTS = io.read_yaml(Path(__file__).parents[3] / "config" / "config.yaml")
BLOCK = {"hit_m": 0.001, "energy": 0.05, "theta_rad": 0.005, "phi_rad": 0.005}


def changed(path, value):
    """Return the defaults with the value at a dotted path replaced."""
    config = deepcopy(DEFAULTS)
    *parents, last = path.split(".")
    node = config
    for key in parents:
        node = node[key]
    node[last] = value
    return config


def observed(resolution):
    return changed("cinn.observed", {"own": {"path": "own.csv", "resolution": resolution}})


def test_defaults_have_no_faults():
    assert list(settings.check_cinn(DEFAULTS)) == []


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "cinn.dataset",
            "shortt",
            "cinn.dataset: 'shortt' is not defined in beamdumps; did you mean 'short'?",
        ),
        ("cinn.displaced", "short", "cinn.displaced: 'short' is cinn.dataset too: choose another"),
        (
            "cinn.mesons",
            "bmesn",
            "cinn.mesons: 'bmesn' is not defined in samples; did you mean 'bmesons'?",
        ),
        (
            "cinn.n_events.trained",
            [2, 10],
            (
                "cinn.n_events.tested: 1 is outside of cinn.n_events.trained, which reaches from 2"
                " to 10"
            ),
        ),
        (
            "cinn.n_ranks",
            200,
            "cinn.n_ranks: 200 draws and one do not fill 20 bins evenly: choose 199",
        ),
        (
            "cinn.detectors.energy",
            [0.02, 0.11],
            (
                "cinn.grid.energy: 0.01 is outside of cinn.detectors.energy, which reaches from"
                " 0.02 to 0.11"
            ),
        ),
        (
            "cinn.map.hit_m",
            0.05,
            (
                "cinn.map.hit_m: 0.05 is outside of cinn.detectors.hit_m, which reaches from 0.0007"
                " to 0.0125"
            ),
        ),
        (
            "cinn.singles",
            ["e1a1", "e1a11"],
            "cinn.singles: 'e1a11' is not in cinn.grid; did you mean 'e1a1'?",
        ),
        (
            "cinn.rate.n_decays",
            [10, 10],
            "cinn.rate.n_decays: [10, 10] must be above 0, the smaller one first",
        ),
    ],
)
def test_a_fault_is_named_with_its_place_and_value(path, value, message):
    assert next(iter(settings.check_cinn(changed(path, value)))) == message


def test_benchmarks_are_within_both_priors():
    found = list(settings.check_cinn(changed("cinn.benchmarks.m4.lifetime_m", 200)))
    assert found == [
        f"cinn.benchmarks.m4: lifetime_m is 200, outside of the prior of {name!r}, which reaches"
        f" from {low} to 100"
        for name, low in (("short", 0.1), ("displaced", 0.3))
    ]
    # That of the SHiP set-up is one of c tau / m.
    config = changed("cinn.dataset", "ship")
    config["cinn"]["benchmarks"] = {"mine": {"mass_gev": 0.1, "lifetime_m": 60}}
    (found,) = settings.check_cinn(config)
    assert found.startswith("cinn.benchmarks.mine: lifetime_m_per_gev is 600, outside")


def test_benchmarks_have_names_of_their_own():
    config = changed("cinn.benchmarks.test", {"mass_gev": 1, "lifetime_m": 1})
    (found,) = settings.check_cinn(config)
    assert found == "cinn.benchmarks: 'test' is the name of another population: choose another"


@pytest.mark.parametrize(
    ("resolution", "message"),
    [
        (
            "pooor",
            (
                "cinn.observed.own.resolution: 'pooor' is not defined in resolutions; did you mean"
                " 'poor'?"
            ),
        ),
        (
            BLOCK | {"energy": 0},
            "cinn.observed.own.resolution: energy is 0, but posteriors need more than 0",
        ),
        (
            BLOCK | {"theta_rad": 2},
            (
                "cinn.observed.own.resolution: resolution.theta is 2.0, but must be between 0 and"
                " pi/2: it is also the least angle that is measured"
            ),
        ),
    ],
)
def test_observed_tables_need_a_resolution(resolution, message):
    assert list(settings.check_cinn(observed(resolution))) == [message]


def test_observed_tables_have_or_name_their_resolution():
    assert list(settings.check_cinn(observed("poor"))) == []
    assert settings.observed_resolution(observed("poor"), "own") == DEFAULTS["resolutions"]["poor"]
    assert settings.observed_resolution(observed(BLOCK), "own") == BLOCK
    assert settings.observed_tables(observed(BLOCK)) == ["own"]


def test_detectors_are_named_by_their_resolutions():
    found = settings.detectors(DEFAULTS)
    assert list(found) == [f"e{e}a{a}" for e in (1, 5, 10) for a in (1, 5, 10)]
    assert found["e5a10"] == {
        "hit_m": 0.001,
        "energy": 0.05,
        "theta_rad": 0.01,
        "phi_rad": 0.01,
        "wrap": True,
    }
    assert settings.detector_name(0.015, 0.0022) == "e1p5a2p2"


def test_sizes_of_populations():
    sizes = DEFAULTS["cinn"]["sets"]
    assert settings.set_count(DEFAULTS, "short", "train") == sizes["train"]
    assert settings.set_count(DEFAULTS, "displaced", "train") == sizes["displaced"]
    assert settings.set_count(DEFAULTS, "displaced", "test") == sizes["test"]
    assert settings.set_count(DEFAULTS, "short", "m1") == sizes["signal"]
    assert settings.benchmark_of(DEFAULTS, "m4") == {"mass_gev": 4, "lifetime_m": 1}
    assert settings.benchmark_of(DEFAULTS, "test") is None


def test_networks_get_their_sizes_alone():
    assert "training" not in settings.network_settings(DEFAULTS)
    published = settings.published_settings(DEFAULTS)
    assert published["n_events"] == 3
    assert {"training", "max_sets"}.isdisjoint(published)
