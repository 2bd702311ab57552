"""What the documents promise is what the commands do."""

import re
import subprocess

import pytest

from tests.workflow.helpers import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci/run").read_text(encoding="utf-8")
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("config/*.md"), *ROOT.glob("resources/*.md")]


def block(heading, kind="bash"):
    """Return the lines of the first code block after a heading of the README."""
    text = README.split(f"\n## {heading}\n")[1]
    return re.search(rf"```{kind}\n(.*?)```", text, re.DOTALL).group(1).splitlines()


def test_ci_runs_the_two_commands_of_the_readme():
    commands = block("Two commands")
    assert len(commands) == 2
    run_by_ci = re.findall(r"^timed (\./run .*)$", CI, re.MULTILINE)
    for command in commands:
        assert any(line == command or line.startswith(f"{command} ") for line in run_by_ci)
    assert run_by_ci[0] == "./run lint"


def test_readme_lists_the_commands_that_help_prints():
    printed = subprocess.run(["./run", "help"], cwd=ROOT, capture_output=True, check=True)
    assert printed.stdout.decode() in README


def test_every_command_is_known_and_in_the_help():
    script = (ROOT / "run").read_text(encoding="utf-8")
    known = re.findall(
        r"^  (\w+)(?: \|[^)]*)?\)", script.split("case $command in")[1], re.MULTILINE
    )
    assert known == re.findall(r"^#   \./run (\w+) ", script, re.MULTILINE)


def test_unknown_command_fails_and_is_named():
    job = subprocess.run(["./run", "tset"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert job.returncode != 0
    assert "'tset'" in job.stderr


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_files_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (path.parent / target).exists(), target


def test_folder_map_is_complete():
    section = README.split("\n## Folders\n")[1].split("\n## ")[0]
    named = set(re.findall(r"`(\w+)/`", section))
    there = {path.parent.name for path in ROOT.glob("*/*") if path.is_file()}
    assert {name for name in there if name[0] not in "._"} <= named


def test_no_placeholder_is_left():
    assert re.findall(r"<[A-Z_]+>", README) == []
