"""An edit re-runs exactly the rules that it concerns: proven on a toy study.

The toy has a workflow of its own, and the real package (copied, with three modules added), the
real code digest and the real profile.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FILES = {
    "config.yaml": """
        seed: 1
        draw: {n: 5}
        scale: {factor: 2}
        """,
    "Snakefile": """
        from bumpflow.workflow import code_digest, derive_seed

        configfile: "config.yaml"

        def code_of(script):
            return code_digest(workflow.source_path(f"scripts/{script}.py"))

        rule all:
            input: "results/total.txt", "results/note.txt"

        rule draw:
            output: numbers="results/numbers.txt"
            log: "results/logs/draw.log"
            params:
                n=config["draw"]["n"],
                seed=derive_seed(config["seed"], "draw"),
                code=code_of("draw")
            script: "scripts/draw.py"

        rule scale:
            input: numbers="results/numbers.txt"
            output: scaled="results/scaled.txt"
            log: "results/logs/scale.log"
            params: factor=config["scale"]["factor"], code=code_of("scale")
            script: "scripts/scale.py"

        rule total:
            input: scaled="results/scaled.txt"
            output: total="results/total.txt"
            log: "results/logs/total.log"
            params: code=code_of("total")
            script: "scripts/total.py"

        rule note:
            output: note="results/note.txt"
            log: "results/logs/note.log"
            params: code=code_of("note")
            script: "scripts/note.py"
        """,
    "scripts/draw.py": '''
        """Draw numbers."""

        import random

        from bumpflow.workflow import run_rule


        def main(*, numbers, n, seed):
            """Draw ``n`` numbers."""
            rng = random.Random(seed)
            numbers.write_text(" ".join(str(rng.random()) for _ in range(n)))


        run_rule(main, snakemake)
        ''',
    "scripts/scale.py": '''
        """Scale numbers."""

        from bumpflow.toy_direct import scale
        from bumpflow.workflow import run_rule


        def main(*, numbers, scaled, factor):
            """Multiply by ``factor``."""
            values = map(float, numbers.read_text().split())
            scaled.write_text(" ".join(str(scale(value, factor)) for value in values))


        run_rule(main, snakemake)
        ''',
    "scripts/total.py": '''
        """Add numbers up."""

        from bumpflow.workflow import run_rule


        def main(*, scaled, total):
            """Write the sum."""
            total.write_text(str(sum(map(float, scaled.read_text().split()))))


        run_rule(main, snakemake)
        ''',
    "scripts/note.py": '''
        """Write a note."""

        from bumpflow.workflow import run_rule


        def main(*, note):
            """Write a note."""
            note.write_text("nothing to do with numbers")


        run_rule(main, snakemake)
        ''',
    "src/bumpflow/toy_direct.py": '''
        """A module that a script imports."""


        def scale(value, factor):
            """Return the product."""
            from bumpflow.toy_indirect import OFFSET

            return value * factor + OFFSET
        ''',
    "src/bumpflow/toy_indirect.py": '''
        """A module that only another module imports, inside a function."""

        OFFSET = 0.0  # nothing
        ''',
    "src/bumpflow/toy_unused.py": '''
        """A module that no rule uses."""

        UNUSED = 0.0
        ''',
}

ALL = {"draw", "scale", "total", "note"}
FROM_DRAW = {"draw", "scale", "total"}
FROM_SCALE = {"scale", "total"}


def dedent(text):
    return re.sub(r"^ {8}", "", text, flags=re.MULTILINE).strip() + "\n"


def run(folder, *arguments):
    """Run the toy in ``folder`` and return the names of the rules that ran."""
    command = [sys.executable, "-m", "snakemake", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    job = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert job.returncode == 0, job.stdout + job.stderr
    return set(re.findall(r"^(?:local)?rule (\w+):", job.stdout + job.stderr, re.MULTILINE)) - {
        "all"
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A toy study that has run once."""
    folder = tmp_path_factory.mktemp("toy")
    no_caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src/bumpflow", folder / "src/bumpflow", ignore=no_caches)
    shutil.copytree(ROOT / "profiles", folder / "profiles")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text))
    assert run(folder) == ALL
    return folder


@pytest.fixture
def toy(finished, tmp_path):
    """A copy of the finished study, to edit."""
    return shutil.copytree(finished, tmp_path / "toy")


EDITS = {
    "config: one rule's key": ("config.yaml", "n: 5", "n: 6", FROM_DRAW),
    "config: another rule's key": ("config.yaml", "factor: 2", "factor: 3", FROM_SCALE),
    "config: the seed": ("config.yaml", "seed: 1", "seed: 2", FROM_DRAW),
    "script": ("scripts/scale.py", "scale(value, factor)", "scale(factor, value)", FROM_SCALE),
    "script of the last rule": ("scripts/total.py", "sum(", "max(", {"total"}),
    "module": ("src/bumpflow/toy_direct.py", "value * factor", "value / factor", FROM_SCALE),
    "module behind a module": ("src/bumpflow/toy_indirect.py", "0.0", "1.0", FROM_SCALE),
    "module of every rule": ("src/bumpflow/workflow.py", 'mode="w"', 'mode="a"', ALL),
}
NO_EDITS = {
    "config: a key that no rule uses": ("config.yaml", "seed: 1", "seed: 1\nspare: 2"),
    "config: comment": ("config.yaml", "seed: 1", "seed: 1 # any number"),
    "script: comment": ("scripts/scale.py", "values =", "# the values\n    values ="),
    "script: docstrings": ("scripts/draw.py", "Draw ", "Throw "),
    "script: layout": ("scripts/total.py", "def main(*, ", "def main(\n    *,\n    "),
    "module: comment": ("src/bumpflow/toy_direct.py", "return", "# why\n    return"),
    "module: docstrings": ("src/bumpflow/toy_direct.py", "the product", "a product"),
    "module behind a module: comment": ("src/bumpflow/toy_indirect.py", "# nothing", "# no"),
    "module of every rule: comment": ("src/bumpflow/workflow.py", "import ast", "import ast  # i"),
    "module of no rule": ("src/bumpflow/toy_unused.py", "0.0", "1.0"),
}


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("case", EDITS)
def test_edit_reruns_exactly_what_it_concerns(case, toy):
    name, old, new, concerned = EDITS[case]
    edit(toy / name, old, new)
    assert run(toy, "-n") == concerned


def test_rerun_leaves_nothing_to_do(toy):
    before = (toy / "results/total.txt").read_text()
    edit(toy / "src/bumpflow/toy_indirect.py", "0.0", "1.0")
    assert run(toy) == FROM_SCALE
    assert float((toy / "results/total.txt").read_text()) == pytest.approx(float(before) + 5)
    assert run(toy, "-n") == set()


def test_comments_layout_and_touches_rerun_nothing(toy):
    for name, old, new in NO_EDITS.values():
        edit(toy / name, old, new)
    for path in [*toy.glob("scripts/*.py"), *toy.glob("src/bumpflow/*.py")]:
        path.touch()
    assert run(toy, "-n") == set()
