"""Rules, scripts and library fit together; part of ``./run lint``."""

import importlib.util
import inspect
import json
import re
from pathlib import Path

import pytest

from bumpflow.workflow import code_digest, derive_seed, used_modules
from tests.workflow.helpers import ROOT, describe, run_python

SCRIPTS = sorted(path.stem for path in (ROOT / "scripts").glob("*.py"))
DAY = 1440  # [minutes]
HEAVY = {"write_partons"}  # generates events
WITHOUT_CODE = {"download_higgs"}  # what was fetched is known by its checksum
ONE_ENVIRONMENT = "Specify a conda environment or container for each rule."


@pytest.fixture(scope="module")
def rules():
    """The rules that run a script, by name."""
    return {rule["name"]: rule for rule in describe()["rules"] if rule["script"]}


def load_main(script):
    spec = importlib.util.spec_from_file_location(script, ROOT / f"scripts/{script}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def test_snakemake_has_no_lints():
    """One environment serves every rule (envs/), so no rule names its own."""
    found = [
        (place["for"], lint["title"])
        for part in describe()["lints"].values()
        for place in part or []
        for lint in place["lints"]
        if lint["title"] != ONE_ENVIRONMENT
    ]
    assert found == []


def test_every_rule_has_a_script_and_every_script_a_rule(rules):
    assert {name: Path(rule["script"]).stem for name, rule in rules.items()} == {
        name: name for name in SCRIPTS
    }


def test_every_rule_has_a_log(rules):
    for name, rule in rules.items():
        assert len(rule["log"]) == 1, name
        assert f"/logs/{name}" in rule["log"][0], name


@pytest.mark.parametrize("overlays", [(), ("config/paper.yaml",)], ids=["default", "paper"])
def test_every_rule_asks_for_what_clusters_grant(overlays):
    """At most a day, and memory of a small node; more memory for a job that is tried again."""
    for rule in describe(*overlays)["rules"]:
        if rule["script"]:
            first, second = rule["resources"]
            assert 1 <= first["runtime"] <= DAY, rule["name"]
            assert 500 <= first["mem_mb"] <= 8000, rule["name"]
            grown = {} if rule["local"] else {"mem_mb": 2 * first["mem_mb"]}
            assert second == first | grown, rule["name"]


def test_what_draws_and_sums_up_starts_no_job_on_a_cluster(rules):
    light = re.compile(r"(plot|summarise|write)_|merge_scorecard|tabulate_double_higgs")
    for name, rule in rules.items():
        assert rule["local"] == bool(light.match(name) and name not in HEAVY), name
        assert not (rule["local"] and "gpu" in rule["resources"][0]), name


def test_rules_with_a_device_ask_for_gpus(rules):
    asking = {name for name, rule in rules.items() if "gpu" in rule["resources"][0]}
    assert asking == {name for name, rule in rules.items() if "device" in rule["keywords"]}


def test_every_rule_watches_its_own_code(rules):
    for name in set(rules) - WITHOUT_CODE:
        assert rules[name]["code"] == code_digest(ROOT / f"scripts/{name}.py"), name


def test_seeds_come_from_the_rules_own_name(rules):
    base = describe()["config"]["seed"]
    seeds = {name: rule["seed"] for name, rule in rules.items() if rule["seed"] is not None}
    assert seeds == {name: derive_seed(base, name) for name in seeds}


@pytest.mark.parametrize("script", SCRIPTS)
def test_rule_hands_main_its_keywords(script, rules):
    parameters = inspect.signature(load_main(script)).parameters
    assert all(item.kind is inspect.Parameter.KEYWORD_ONLY for item in parameters.values())
    given = [key for key in rules[script]["keywords"] if key != "code"]
    assert sorted(given) == sorted(set(parameters) - {"threads"})


def test_digest_covers_what_scripts_import():
    """Every package module that is loaded with a script counts in its digest."""
    probe = """
import importlib.util, json, sys
found = {}
for path in sys.argv[1:]:
    for name in [name for name in sys.modules if name.split(".")[0] == "bumpflow"]:
        del sys.modules[name]
    spec = importlib.util.spec_from_file_location("script", path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    found[path] = [name for name in sys.modules if name.split(".")[0] == "bumpflow"]
print(json.dumps(found))
"""
    paths = [ROOT / f"scripts/{script}.py" for script in SCRIPTS]
    for path, loaded in json.loads(run_python("-c", probe, *paths).stdout).items():
        assert set(loaded) - set(used_modules(path)) == set(), path


def test_no_import_escapes_the_digest():
    """The digest follows absolute import statements, so there must be no other way."""
    other = re.compile(r"^\s*from \.|import_module\(|__import__\(", re.MULTILINE)
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]:
        assert not other.search(path.read_text(encoding="utf-8")), path


def test_flows_concern_training_and_no_ingest():
    def uses(script):
        modules = used_modules(ROOT / f"scripts/{script}.py")
        return any(name.startswith("bumpflow.flows.") for name in modules)

    assert uses("train_surrogate")
    assert uses("sample_surrogate")
    assert not any(map(uses, ["download_higgs", "ingest_events", "split_events"]))


def test_files_stay_short():
    limits = {"Snakefile": 60, "rules/common.smk": 100, "rules/*.smk": 250, "scripts/*.py": 60}
    for pattern, limit in limits.items():
        for path in ROOT.glob(pattern):
            lines = path.read_text(encoding="utf-8").splitlines()
            assert len(lines) <= limit, f"{path}: {len(lines)} lines"
