import hashlib
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from bumpflow import workflow
from bumpflow.workflow import code_digest, derive_seed, progress, run_rule, used_modules

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def own_logging():
    """Give logging back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def job(tmp_path, **params):
    return SimpleNamespace(
        rule="fit_bump",
        log=[str(tmp_path / "logs" / "fit_bump.log")],
        threads=1,
        wildcards={"dataset": "higgs"},
        input={"events": "events.parquet", "models": ["a.json", "b.json"]},
        output={"result": "result.json"},
        params={"code": "abc", **params},
    )


def test_main_gets_paths_and_params(tmp_path, own_logging):  # noqa: ARG001
    got = {}

    def main(**keywords):
        got.update(keywords)

    run_rule(main, job(tmp_path, seed=3, labels=["x", "y"]))
    assert got == {
        "events": Path("events.parquet"),
        "models": [Path("a.json"), Path("b.json")],
        "result": Path("result.json"),
        "seed": 3,
        "labels": ["x", "y"],
    }
    text = (tmp_path / "logs" / "fit_bump.log").read_text()
    assert "fit_bump for {'dataset': 'higgs'}, seed 3" in text


def test_log_holds_the_traceback(tmp_path, own_logging):  # noqa: ARG001
    def main(*, events, models, result):  # noqa: ARG001
        msg = "no bump here"
        raise ValueError(msg)

    with pytest.raises(ValueError, match="no bump here"):
        run_rule(main, job(tmp_path))
    text = (tmp_path / "logs" / "fit_bump.log").read_text()
    assert "fit_bump failed for {'dataset': 'higgs'}" in text
    assert "Traceback" in text
    assert "ValueError: no bump here" in text


class Files(list):
    """A list of paths with names, as Snakemake gives them to a script."""

    def items(self):
        return [("result", self[0])]


def test_what_a_killed_job_left_is_removed(tmp_path, own_logging):  # noqa: ARG001
    again = job(tmp_path)
    again.output = Files([str(tmp_path / "result.json")])
    others = [tmp_path / name for name in ("result.json", ".other.7.part.json")]
    for path in [*others, tmp_path / ".result.7.part.json"]:
        path.touch()
    run_rule(lambda **_: None, again)
    assert {path for path in tmp_path.iterdir() if path.is_file()} == set(others)


def test_threads_are_handed_on_where_they_are_asked_for(tmp_path, own_logging):  # noqa: ARG001
    def main(*, threads, **_):
        assert threads == 1

    run_rule(main, job(tmp_path))


def test_seeds_differ_between_stages_and_jobs():
    seeds = {
        derive_seed(1, "train_flow", "maf"),
        derive_seed(1, "train_flow", "rqs"),
        derive_seed(1, "sample_flow", "maf"),
        derive_seed(2, "train_flow", "maf"),
        derive_seed(1, "train_flow"),
    }
    assert len(seeds) == 5
    digest = hashlib.sha256(b"1/train_flow/maf").hexdigest()  # the same on every machine
    assert derive_seed(1, "train_flow", "maf") == int(digest[:8], 16)
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_digest_follows_indirect_imports_and_no_others():
    modules = used_modules(SCRIPTS / "sample_surrogate.py")
    assert "bumpflow.flows.masked" in modules  # through density, families, transforms
    assert "bumpflow.ingest.text" not in modules
    ingest = used_modules(SCRIPTS / "ingest_events.py")
    assert not [name for name in ingest if name.startswith("bumpflow.flows")]


def test_digest_ignores_comments_and_docstrings(tmp_path):
    def digest(text):
        path = tmp_path / f"{abs(hash(text))}.py"
        path.write_text(text)
        return code_digest(path)

    plain = digest("def f(x):\n    return x + 1\n")
    assert digest('"""Doc."""\n\ndef f(x):  # why\n    """Doc."""\n    return x + 1\n') == plain
    assert digest("def f(x):\n    return x + 2\n") != plain


def test_progress_passes_items_on(capsys):
    assert list(progress(range(3))) == [0, 1, 2]
    assert capsys.readouterr().err == ""  # no terminal, no bar


def test_log_level_can_be_set(tmp_path, monkeypatch, own_logging):  # noqa: ARG001
    monkeypatch.setenv("BUMPFLOW_LOG_LEVEL", "ERROR")
    run_rule(lambda **_: workflow.log.info("quiet"), job(tmp_path))
    assert (tmp_path / "logs" / "fit_bump.log").read_text() == ""
