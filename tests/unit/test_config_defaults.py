"""What a project or a study leaves out comes from the file of defaults."""

from pathlib import Path

from bumpflow import io
from bumpflow.config import complete

DEFAULTS = Path(__file__).parents[2] / "config/config.yaml"


def test_nothing_set_is_all_defaults():
    assert complete({}, DEFAULTS) == io.read_yaml(DEFAULTS)


def test_maps_merge_and_lists_replace():
    changed = {"study": "mine", "surrogates": {"models": ["rqs"], "c2st": {"test_ratio": 9}}}
    found, defaults = complete(changed, DEFAULTS), io.read_yaml(DEFAULTS)
    assert found["study"] == "mine"
    assert found["surrogates"]["models"] == ["rqs"]
    assert found["surrogates"]["n_events"] == defaults["surrogates"]["n_events"]
    c2st = {key: found["surrogates"]["c2st"][key] for key in ("test_ratio", "n_permutations")}
    assert c2st == {"test_ratio": 9, "n_permutations": 5000}


def test_what_is_set_stays_untouched():
    changed = {"surrogates": {"models": ["rqs"]}}
    complete(changed, DEFAULTS)["surrogates"]["models"].append("maf")
    assert complete({}, DEFAULTS) == io.read_yaml(DEFAULTS)
    assert set(changed["surrogates"]) == {"models"}


def test_full_configuration_stays_as_it_is():
    full = complete({"seed": 5, "datasets": {"new": {"path": "x.csv"}}}, DEFAULTS)
    assert complete(full, DEFAULTS) == full
