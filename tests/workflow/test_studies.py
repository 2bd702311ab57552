"""Studies: each can be planned, none overwrites another, and a bad one is refused."""

from pathlib import PurePosixPath

import pytest

from bumpflow.config import InvalidConfig, check_config
from tests.workflow.helpers import ROOT, describe, snakemake

STUDIES = {"default": [], "smoke": ["config/smoke.yaml"], "paper": ["config/paper.yaml"]}


def outputs(study):
    """Return the outputs of every rule of a study, and its logs, as paths with wildcards."""
    rules = describe(*STUDIES[study])["rules"]
    paths = {PurePosixPath(path) for rule in rules for path in [*rule["outputs"], *rule["log"]]}
    return {path for path in paths if "download" not in str(path)}


@pytest.mark.parametrize("study", STUDIES)
def test_dag_builds(study, tmp_path):
    overlays = [ROOT / path for path in STUDIES[study]]
    plan = snakemake(tmp_path, "--dry-run", *(["--configfile", *overlays] if overlays else []))
    text = plan.stdout + plan.stderr
    assert "rule write_report:" in text
    assert "rule train_surrogate:" in text
    assert not (tmp_path / "results").exists()


def test_every_overlay_is_tested():
    overlays = {path.stem for path in (ROOT / "config").glob("*.yaml")} - {"config"}
    assert overlays - {"config.schema"} == set(STUDIES) - {"default"}


@pytest.mark.parametrize("study", sorted(set(STUDIES) - {"default"}))
def test_study_writes_into_its_own_folder(study):
    assert {path.parts[:2] for path in outputs(study)} == {("results", study)}


def test_default_study_writes_into_no_other_folder():
    folders = {path.parts[1] for path in outputs("default")}
    assert folders.isdisjoint(STUDIES)
    assert {path.parts[0] for path in outputs("default")} == {"results"}


def test_study_cannot_take_a_folder_of_the_default_study():
    config = describe()["config"]
    for folder in {path.parts[1] for path in outputs("default") if len(path.parts) > 2}:
        with pytest.raises(InvalidConfig, match=folder):
            check_config({**config, "study": folder}, schema=ROOT / "config/config.schema.yaml")


WRONG = {
    "study: mine\nsurogates: {}": ["'surogates'", "'surrogates'"],
    "study: mine\nsplits: {trainn: 0.1}": ["'trainn'", "'train'"],
    "study: mine\nsurrogates: {models: [mademogg]}": ["'mademogg'", "'mademog'"],
    "study: mine\nseed: many": ["seed", "'many'"],
    "seed: 3": ["study", "mine.yaml"],
}


@pytest.mark.parametrize("overlay", WRONG)
def test_wrong_config_stops_the_run_and_is_named(overlay, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(overlay + "\n")
    job = snakemake(tmp_path, "--configfile", path, check=False)
    assert job.returncode != 0
    for word in WRONG[overlay]:
        assert word in job.stdout + job.stderr
    assert not (tmp_path / "results").exists()
