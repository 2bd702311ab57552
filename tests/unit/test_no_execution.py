"""Nothing that is read can run code: no pickles, no evaluated text, no shell."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path for folder in ("src", "scripts", "benchmarks") for path in (ROOT / folder).rglob("*.py")
)
RULES = [ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk"))]
MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
CALLS = {
    *("torch.load", "torch.save", "yaml.load", "yaml.load_all", "yaml.full_load"),
    *("yaml.full_load_all", "yaml.unsafe_load", "yaml.unsafe_load_all", "pd.read_pickle"),
    *("pandas.read_pickle", "pd.eval", "pandas.eval", "os.system", "os.popen"),
    *("shutil.unpack_archive", "pandas.HDFStore", "pd.HDFStore", "pd.read_hdf"),
}
METHODS = {"extractall", "to_pickle", "read_pickle"}
FLAGS = {"allow_pickle": False, "shell": False}
"""Keywords, and the only value that they may have."""


def dotted(node):
    """Return the name of what is called, such as ``np.load``."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def faults(source):
    """Yield what a piece of Python does that it must not, with its line."""
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [(node.module or "").partition(".")[0], *(p for p in parts if p in CALLS)]
        elif isinstance(node, ast.Call):
            called = dotted(node.func)
            method = called.rpartition(".")[2] if "." in called else ""
            if called in BUILTINS | CALLS or method in METHODS:
                yield node.lineno, called
            for keyword in node.keywords:
                wanted = FLAGS.get(keyword.arg)
                given = getattr(keyword.value, "value", None)
                if keyword.arg in FLAGS and given is not wanted:
                    yield node.lineno, keyword.arg
        yield from ((node.lineno, name) for name in names if name in MODULES | CALLS)


def test_nothing_read_is_run():
    assert len(FILES) > 300
    found = {path: [*faults(path.read_text(encoding="utf-8"))] for path in FILES}
    assert {path: what for path, what in found.items() if what} == {}


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_rules_run_scripts_alone(path):
    text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
    words = MODULES | {"eval", "exec", "system", "popen", "allow_pickle", "extractall"}
    found = re.findall(rf"\b({'|'.join(sorted(words))})\b|^\s*(shell|run)\s*:", text, re.MULTILINE)
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "eval('1')",
        "import torch\ntorch.load('a')",
        "from torch import load",
        "import numpy as np\nnp.load('a', allow_pickle=True)",
        "np.load('a', allow_pickle=choice)",
        "import yaml\nyaml.load(text, Loader=yaml.SafeLoader)",
        "from yaml import full_load",
        "subprocess.run('ls', shell=True)",
        "os.system('ls')",
        "tarfile.open('a').extractall()",
        "with tarfile.open('a') as file:\n    file.extractall('b')",
        "table.to_pickle('a')",
    ],
)
def test_such_things_are_found(source):
    assert [*faults(source)]


@pytest.mark.parametrize(
    "source",
    [
        "# pickle, eval(1)",
        "'torch.load(a)'",
        "network.eval()",
        "np.load('a', allow_pickle=False)",
        "yaml.safe_load(text)",
        "re.compile('a')",
        "subprocess.run(['ls'], check=True)",
    ],
)
def test_other_things_are_allowed(source):
    assert [*faults(source)] == []
