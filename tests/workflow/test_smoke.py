"""The smoke study runs from end to end, and again with the same contents if it is killed often."""

import random
import re
from pathlib import Path

import pandas as pd
import pytest

from bumpflow import io
from tests.workflow.helpers import kill, kill_in_rule, start_snakemake, unlock

TIMED = re.compile(r"(?:^|_)(?:milli)?(?:seconds|rate)$|per_second$")  # keys that time decides
OUTPUT = "smoke.log"
LATE = {"summarise_benchmarks", "write_report"}  # what jobs took is listed before
KILLED = {
    *("simulate_chunk", "simulate_alps", "simulate_sets", "train_surrogate", "sample_chunk"),
    *("run_c2st", "train_selection", "train_reweighting", "train_member", "run_toys", "scan_fits"),
    *("train_hunter", "calibrate_hunter", "hunt_toys", "scan_histograms"),
    *("train_resonance", "test_resonance", "run_experiment"),
    *("train_posterior", "train_ratio", "train_pairs"),
    *("train_sets", "train_single", "train_published", "write_report"),
}
TIMED_FILES = re.compile(
    r"^(logs|benchmarks)/|(?:report\.html|resources\.parquet)$|/(sampling_rates|hunt_comparison)\."
)


def start_smoke(folder, cores):
    """Start the smoke study, with its results below ``folder``."""
    command = ["--cores", cores, "--configfile", "config/smoke.yaml"]
    return start_snakemake(folder, *command, output=folder / OUTPUT)


def finish(folder, run):
    """Wait for the end of a run that must succeed; return its results."""
    assert run.wait() == 0, (folder / OUTPUT).read_text()[-5000:]
    return folder / "results/smoke"


def run_and_kill(folder):
    """Run the study, and kill it in the first job of each rule of ``KILLED`` that can be hit.

    Returns the run that went to its end, and the rules that were hit.
    """
    hit, moments = [], random.Random(7)
    while True:
        run = start_smoke(folder, cores=1)
        rules = KILLED - set(hit)
        rule = kill_in_rule(run, rules, output=folder / OUTPUT, after=moments.uniform(0, 0.25))
        if rule is None:
            return run, hit
        hit.append(rule)
        unlock(folder)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The results of two runs, side by side, and where the second one was killed.

    One has two cores. The other has one, and is killed many times.
    """
    whole, killed = (tmp_path_factory.mktemp(name) for name in ("whole", "killed"))
    undisturbed = start_smoke(whole, cores=2)
    try:
        run, hit = run_and_kill(killed)
        yield finish(whole, undisturbed), finish(killed, run), hit
    finally:
        kill(undisturbed)


@pytest.fixture(scope="module")
def runs(both):
    return both[:2]


def files(folder):
    paths = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {path for path in paths if not TIMED_FILES.search(path)}


def untimed(record):
    """Return a JSON record without what time decides."""
    if isinstance(record, dict):
        if TIMED.search(record.get("quantity", "")):
            return None
        return {key: untimed(value) for key, value in record.items() if not TIMED.search(key)}
    return [untimed(item) for item in record] if isinstance(record, list) else record


def content(path):
    """Return what a file says, without what time decides."""
    if path.suffix == ".json":
        return untimed(io.read_json(path))
    if path.suffix == ".parquet":
        table = io.read_table(path)
        if "quantity" in table:
            table = table[~table["quantity"].str.contains(TIMED)]
        return table[[column for column in table if not TIMED.search(column)]]
    return path.read_bytes()


def same(first, second):
    one, other = content(first), content(second)
    return one.equals(other) if isinstance(one, pd.DataFrame) else one == other


@pytest.mark.slow
def test_smoke_study_makes_report_and_scorecard(runs):
    for folder in runs:
        assert (folder / "report.html").stat().st_size > 100_000
        scorecard = io.read_table(folder / "scorecard.parquet")
        models = io.read_yaml(folder / "config.yaml")["surrogates"]["models"]
        wanted = {f"surrogates.{model}.c2st_auc" for model in [*models, "control"]}
        wanted |= {f"histfactory.{arm}.coverage68" for arm in ("mc", "surrogate", "reweighted")}
        assert wanted <= set(scorecard["quantity"])


@pytest.mark.slow
def test_smoke_study_repeats_itself(runs):
    first, second = runs
    assert files(first) == files(second)
    assert len(files(first)) > 50
    assert [path for path in sorted(files(first)) if not same(first / path, second / path)] == []


@pytest.mark.slow
def test_no_part_of_a_file_is_left(runs):
    left = [path for folder in runs for path in Path(folder).rglob(".*")]
    assert left == []


def measured_rules(folder):
    """Return the rules that Snakemake took the time of."""
    benchmarks = folder / "benchmarks"
    tables = benchmarks.rglob("*.tsv")
    return {path.relative_to(benchmarks).with_suffix("").parts[0] for path in tables}


@pytest.mark.slow
def test_time_and_memory_of_rules_are_listed(runs):
    for folder in runs:
        table = io.read_table(folder / "resources.parquet")
        assert measured_rules(folder) - set(table["rule"]) <= LATE
        assert (table["seconds"] > 0).all()
        assert table["peak_memory_mib"].max() < 4096


@pytest.mark.slow
def test_kills_hit_jobs_of_many_rules(both):
    """One that ends within a moment can be missed."""
    whole, _, hit = both
    assert measured_rules(whole) >= KILLED
    assert len(hit) >= 20, f"not hit: {', '.join(sorted(KILLED - set(hit)))}"
