from copy import deepcopy
from pathlib import Path

import pytest

from bumpflow import io
from bumpflow.compatibility import settings

DEFAULTS = io.read_yaml(Path(__file__).parents[3] / "config" / "config.yaml")
SHIP = DEFAULTS["beamdumps"]["ship"]


def changed(path, value):
    """Return the defaults with the value at a dotted path replaced."""
    config = deepcopy(DEFAULTS)
    *parents, last = path.split(".")
    node = config
    for key in parents:
        node = node[key]
    node[last] = value
    return config


def test_defaults_have_no_faults():
    assert list(settings.check_alps(DEFAULTS)) == []


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "beamdumps.short.min_energy_gev",
            500,
            (
                "beamdumps.short: min_energy_gev is 500, but must be positive, and two photons that"
                " have it need less than the 400 GeV of the beam"
            ),
        ),
        (
            "resolutions.slides.theta_rad",
            2.0,
            (
                "resolutions.slides: resolution.theta is 2.0, but must be between 0 and pi/2: it is"
                " also the least angle that is measured"
            ),
        ),
        (
            "alp.dataset",
            "shipp",
            "alp.dataset: 'shipp' is not defined in beamdumps; did you mean 'ship'?",
        ),
        (
            "alp.moments.poor.dataset",
            "shipcod",
            (
                "alp.moments.poor.dataset: 'shipcod' is not defined in beamdumps; did you mean"
                " 'shipcode'?"
            ),
        ),
        (
            "alp.moments.poor.resolution",
            "por",
            (
                "alp.moments.poor.resolution: 'por' is not defined in resolutions; did you mean"
                " 'poor'?"
            ),
        ),
        ("alp.interpreted", "slides", "alp.interpreted: 'slides' is not in alp.resolutions"),
        (
            "alp.bins.good",
            {"m0p2": 4, "m4": 48},
            "alp.bins.good: benchmark 'm1' has no number of bins",
        ),
        (
            "alp.observed.example.resolution",
            "slides",
            (
                "alp.observed.example.resolution: 'slides' is not in alp.resolutions; known are good,"
                " poor"
            ),
        ),
        ("alp.threshold", 0.7, "alp.threshold: 0.7 is not among alp.thresholds"),
        (
            "alp.mesons",
            "bmesn",
            "alp.mesons: 'bmesn' is not defined in samples; did you mean 'bmesons'?",
        ),
        (
            "alp.inference.benchmark",
            "m11",
            "alp.inference.benchmark: 'm11' is not defined in alp.benchmarks; did you mean 'm1'?",
        ),
        (
            "alp.events.signal",
            19_999,
            (
                "alp.n_pairs: 10000 pairs need 20000 events, but alp.events has 19999: simulate"
                " more, or rank fewer pairs"
            ),
        ),
        (
            "alp.points",
            [[2, 4], [0, 4]],
            "alp.points: [0, 4] expects no background: give more than 0",
        ),
        (
            "beamdumps.ship.prior",
            {"mass_gev": [0.1, 4.5], "lifetime_m": [0.1, 100]},
            "beamdumps.ship.prior: hunts need lifetime_m_per_gev, flat in c tau / m",
        ),
        (
            "alp.benchmarks.m4.mass_gev",
            4.6,
            (
                "alp.benchmarks.m4.mass_gev: 4.6 is outside of the prior, which reaches from 0.1 to"
                " 4.5"
            ),
        ),
        (
            "alp.benchmarks.m1.lifetime_m_per_gev",
            0.01,
            (
                "alp.benchmarks.m1.lifetime_m_per_gev: 0.01 is outside of the prior, which reaches"
                " from 0.05 to 500"
            ),
        ),
    ],
)
def test_a_fault_is_named_with_its_place_and_value(path, value, message):
    assert list(settings.check_alps(changed(path, value))) == [message]


def test_resolutions_are_defined_and_have_bins():
    found = list(settings.check_alps(changed("alp.resolutions", ["good", "poor", "bad"])))
    assert found[0].startswith("alp.resolutions: 'bad' is not defined in resolutions; known are")
    assert [fault.split(":")[0] for fault in found[1:]] == 3 * ["alp.bins.bad"]


def test_benchmarks_have_names_of_their_own():
    config = changed("alp.benchmarks.train", {"mass_gev": 1, "lifetime_m_per_gev": 1})
    found = list(settings.check_alps(config))
    assert found[0] == (
        "alp.benchmarks: 'train' is the name of another population: choose another"
    )


def test_all_faults_are_told_at_once():
    config = changed("alp.threshold", 0.7)
    config["alp"]["interpreted"] = "slides"
    assert len(list(settings.check_alps(config))) == 2


def test_samples_of_mesons_may_be_used():
    assert list(settings.check_alps(changed("alp.mesons", "bmesons"))) == []


def test_populations_and_their_sizes():
    names = settings.populations(DEFAULTS)
    assert names == ["train", "test", "background", "sets", "m0p2", "m1", "m4"]
    assert settings.toy_populations(DEFAULTS) == ["background", "m0p2", "m1", "m4"]
    sizes = DEFAULTS["alp"]["events"]
    for name in names:
        expected = sizes["signal" if name.startswith("m") else name]
        assert settings.population_size(DEFAULTS, name) == expected


def test_choices_of_a_study():
    assert settings.shown_beam_dump(DEFAULTS) == "ship"
    assert settings.published_masses(DEFAULTS) == {"mass_gev": [0.1, 4.5], "n_masses": 200}
    assert set(settings.posterior_settings(DEFAULTS)) == set(DEFAULTS["alp"]["posterior"]) - {
        "training"
    }
    assert settings.observed_tables(DEFAULTS) == ["example"]
    assert settings.shown_observed(DEFAULTS) == "example"
    assert settings.shown_observed(changed("alp.observed", {})) is None
    assert set(settings.ARCHITECTURES) == set(DEFAULTS["alp"]["networks"])
