"""pyproject.toml, envs/lock.txt, envs/environment.yaml and the hooks name one set of packages."""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = ["3.11", "3.12", "3.13"]
CUDA = re.compile(r"nvidia-|cuda-|triton$")  # torch pins these itself, where it needs them


def read_lock():
    lines = (ROOT / "envs/lock.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in pins}


LOCK = read_lock()


def version(name):
    (only,) = LOCK[name].specifier
    return only.version


def wanted_by(name, extra=""):
    """Yield the requirements of an installed package that apply to this interpreter."""
    for text in distribution(name).requires or []:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def closure():
    """Return every package that bumpflow needs here, with all its extras."""
    pending = [("bumpflow", extra) for extra in ("", *PROJECT["optional-dependencies"])]
    seen = set()
    while pending:
        name, extra = pending.pop()
        if (name, extra) in seen or CUDA.match(name):
            continue
        seen.add((name, extra))
        for requirement in wanted_by(name, extra):
            needed = canonicalize_name(requirement.name)
            pending.extend((needed, of) for of in ["", *requirement.extras])
    return {name for name, _ in seen} - {"bumpflow"}


def test_every_pin_is_one_exact_public_version():
    for pin in LOCK.values():
        (only,) = pin.specifier
        assert only.operator == "=="
        assert not re.search(r"[+*]", only.version), f"{pin} installs on some machines only"


@pytest.mark.parametrize("group", ["dependencies", *PROJECT["optional-dependencies"]])
def test_lock_lies_inside_the_ranges_of_pyproject(group):
    for text in PROJECT.get(group) or PROJECT["optional-dependencies"][group]:
        wanted = Requirement(text)
        pinned = version(canonicalize_name(wanted.name))
        assert wanted.specifier.contains(pinned), f"{wanted}, but lock.txt has {pinned}"


def test_lock_is_closed_and_holds_nothing_else():
    needed = closure()
    assert needed - set(LOCK) == set()
    assert set(LOCK) - needed == set()


def test_pins_satisfy_each_other():
    for name in LOCK:
        for wanted in wanted_by(name):
            needed = canonicalize_name(wanted.name)
            assert CUDA.match(needed) or wanted.specifier.contains(version(needed)), (name, wanted)


def test_conda_installs_the_same():
    file = ROOT / "envs/environment.yaml"
    packages = yaml.safe_load(file.read_text(encoding="utf-8"))["dependencies"]
    python, pip, by_pip = packages
    assert pip == "pip"
    assert by_pip == {"pip": ["--constraint lock.txt", "--editable ..[dev,generate]"]}
    assert SpecifierSet(python.removeprefix("python ")) == SpecifierSet(PROJECT["requires-python"])


def test_python_versions_agree():
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert [f"3.{minor}" for minor in range(8, 20) if f"3.{minor}" in allowed] == PYTHONS
    trove = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if "Python :: 3." in line]
    assert trove == PYTHONS
    run = (ROOT / "run").read_text(encoding="utf-8")
    assert "(3, 11) <= sys.version_info[:2] <= (3, 13)" in run
    assert all(f"python{name}" in run for name in PYTHONS)


def test_hooks_use_the_locked_versions():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    for repository in hooks["repos"]:
        tool = repository["repo"].rpartition("/")[2].removesuffix("-pre-commit")
        if tool != "pre-commit-hooks":
            assert repository["rev"] == f"v{version(tool)}"


def test_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    package = (ROOT / "src/bumpflow/__init__.py").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["version"] == PROJECT["version"]
    assert f'__version__ = "{PROJECT["version"]}"' in package
    assert f"## [{PROJECT['version']}]" in changelog or "## [Unreleased]" in changelog
