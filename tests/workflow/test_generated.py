"""Generated events by configuration alone: they grow without being redone, and become datasets."""

import re

import pytest

from bumpflow import io
from tests.workflow.helpers import snakemake

STUDY = """
study: made
analyses: [simulation]
simulation: {{block_size: 150, jet_scale: {{n_blocks: 4}}}}
samples:
  bmesons: {{chunks: {chunks}, blocks: 2}}
  ttbar8: {{chunks: 1, blocks: 2}}
  heavyhiggs: {{chunks: 1, blocks: 2}}
"""
MESONS = "results/made/samples/bmesons"


def overlay(folder, chunks):
    path = folder / f"study{chunks}.yaml"
    path.write_text(STUDY.format(chunks=chunks))
    return path


def planned(folder, target, *arguments):
    """Return how often each rule would run."""
    plan = snakemake(folder, target, "--dry-run", "--quiet", "reason", *arguments)
    lines = re.findall(r"^(\w+) +(\d+)$", plan.stdout + plan.stderr, re.MULTILINE)
    return {rule: int(count) for rule, count in lines}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a sample of one chunk."""
    folder = tmp_path_factory.mktemp("made")
    study = overlay(folder, 1)
    snakemake(folder, f"{MESONS}/events.parquet", "--cores", 1, "--configfile", study)
    return folder


@pytest.mark.slow
def test_more_chunks_extend_a_sample_and_redo_nothing(folder):
    first = (folder / MESONS / "chunks/0.parquet").read_bytes()
    before = io.read_json(folder / MESONS / "sample.json")
    study = overlay(folder, 3)
    target = f"{MESONS}/events.parquet"
    plan = planned(folder, target, "--configfile", study)
    assert plan == {"simulate_chunk": 2, "gather_sample": 1, "total": 3}
    snakemake(folder, target, "--cores", 1, "--configfile", study)
    after = io.read_json(folder / MESONS / "sample.json")
    assert (folder / MESONS / "chunks/0.parquet").read_bytes() == first
    assert after["n_generated"] == 3 * before["n_generated"]
    assert after["blocks"] == [0, 6]
    events = io.read_table(folder / target)
    assert events["block"].unique().tolist() == list(range(6))
    assert events["weight_fb"].sum() == pytest.approx(after["selected_fb"])


@pytest.mark.slow
def test_a_mixture_becomes_a_dataset(folder):
    target = "results/made/events/higgsgenerated/events.parquet"
    snakemake(folder, target, "--cores", 2, "--configfile", overlay(folder, 1))
    events = io.read_table(folder / target)
    assert set(events["label"]) == {0, 1}
    assert {"train", "holdouta"} <= set(events["split"])
    assert 0.5 < events["m_bb"].median() < 2


def test_surrogates_can_learn_from_generated_events(tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text("study: own\nsurrogates: {dataset: higgsgenerated}\n")
    plan = planned(tmp_path, "surrogates", "--configfile", study)
    assert plan["mix_samples"] == 1
    assert plan["simulate_chunk"] == 4
    assert plan["train_surrogate"] == 6


def test_a_simulation_trains_no_surrogates(tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text("study: own\nanalyses: [simulation]\n")
    plan = planned(tmp_path, "all", "--configfile", study)
    assert "train_surrogate" not in plan
    assert plan["write_report"] == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("samples: {hh: {process: hhbbba}}", ["samples.hh.process", "'hhbbba'", "'hhbbaa'"]),
        ("beams: {pp14: {pdf: nnpdf32lo}}", ["beams.pp14.pdf", "'nnpdf32lo'"]),
    ],
)
def test_mistakes_stop_the_run_before_any_event(tmp_path, text, words):
    study = tmp_path / "study.yaml"
    study.write_text(f"study: own\n{text}\n")
    run = snakemake(tmp_path, "simulation", "--cores", 1, "--configfile", study, check=False)
    assert run.returncode != 0
    assert all(word in run.stdout + run.stderr for word in words)
    assert not (tmp_path / "results").exists()
