"""Glue between Snakemake's rules and the scripts that they run."""

import ast
import hashlib
import importlib.util
import inspect
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tqdm import tqdm

from bumpflow.device import limit_threads
from bumpflow.disk import remove_parts, room_for

log = logging.getLogger(__name__)

PACKAGE = "bumpflow"
T = TypeVar("T")


def run_rule(main: Callable[..., None], job: Any) -> None:  # noqa: ANN401
    """Call ``main`` with a job's named input, output and params as keywords.

    The job's log receives every message and, if ``main`` fails, its traceback; numerical
    libraries get as many threads as the job was given. What a killed job left half written is
    removed first.

    Args:
        main: The script's one function; it takes keywords only.
        job: The ``snakemake`` object that Snakemake injects into a script.
    """
    with room_for(job.log[0]):
        _start_log(Path(job.log[0]))
    limit_threads(job.threads)
    for path in job.output:
        remove_parts(path)
    arguments = dict([*job.input.items(), *job.output.items(), *job.params.items()])
    arguments.pop("code", None)  # only there so that Snakemake notices changed modules
    log.info("%s for %s, seed %s", job.rule, dict(job.wildcards.items()), arguments.get("seed"))
    arguments = {name: _as_paths(job, name, value) for name, value in arguments.items()}
    if "threads" in inspect.signature(main).parameters:
        arguments["threads"] = job.threads
    try:
        main(**arguments)
    except Exception:
        log.exception("%s failed for %s", job.rule, dict(job.wildcards.items()))
        raise


def _as_paths(job: Any, name: str, value: Any) -> Any:  # noqa: ANN401
    """Return input and output files as paths, and params as they are."""
    if name in job.params.keys():  # noqa: SIM118  (a Snakemake Namedlist, not a mapping)
        return value
    return Path(value) if isinstance(value, str) else [Path(item) for item in value]


def _start_log(path: Path) -> None:
    """Send messages to the job's log file and to the terminal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [
        logging.FileHandler(path, mode="w"),
        logging.StreamHandler(),
    ]
    logging.basicConfig(
        level=os.environ.get("BUMPFLOW_LOG_LEVEL", "INFO"),
        handlers=handlers,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        force=True,
    )
    logging.captureWarnings(capture=True)


def derive_seed(base: int, *labels: str) -> int:
    """Return a 32-bit seed that depends only on ``base`` and ``labels``.

    Two stages, and two jobs of one stage, never share a random stream, and adding a stage
    changes no other.

    Args:
        base: The study's seed.
        labels: The stage's name, then whatever tells its jobs apart.
    """
    text = "/".join([str(base), *labels])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def code_digest(script: str | Path) -> str:
    """Return a digest of a script and of every package module it can import.

    Imports are followed through the package by themselves, those inside functions included.
    Comments, docstrings and layout do not count, so only an edit that could change a result
    changes the digest.

    Args:
        script: Python file of a rule.
    """
    digest = hashlib.sha256(_read(Path(script)).digest)
    for name in used_modules(script):
        digest.update(name.encode() + _read(_module_file(name)).digest)
    return digest.hexdigest()[:12]


def used_modules(script: str | Path) -> list[str]:
    """Return the package modules that a script reaches by its imports, sorted."""
    found: set[str] = set()
    pending = [*_read(Path(script)).imports]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(_read(_module_file(name)).imports)
    return sorted(found)


class _Source(NamedTuple):
    """What counts of a file: its syntax tree without docstrings, and the package's modules."""

    digest: bytes
    imports: tuple[str, ...]


def _read(path: Path) -> _Source:
    return _read_version(path, path.stat().st_mtime_ns)


@cache
def _read_version(path: Path, _mtime_ns: int) -> _Source:
    """Read a file once; ``_mtime_ns`` keeps a changed file out of the cache."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    nodes = [*ast.walk(tree)]
    imports = {name for node in nodes for name in _imports(node)}
    for node in nodes:
        if isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ) and ast.get_docstring(node, clean=False):
            node.body = node.body[1:]
    return _Source(hashlib.sha256(ast.dump(tree).encode()).digest(), tuple(sorted(imports)))


def _imports(node: ast.AST) -> Iterator[str]:
    """Yield the package modules that a statement imports, with the packages that hold them."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    else:
        return
    for name in names:
        parts = name.split(".")
        if parts[0] == PACKAGE:
            parents = (".".join(parts[:end]) for end in range(1, len(parts) + 1))
            yield from (parent for parent in parents if _is_module(parent))


@cache
def _package_folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _candidates(name: str) -> tuple[Path, Path]:
    stem = _package_folder().joinpath(*name.split(".")[1:])
    return stem.with_suffix(".py"), stem / "__init__.py"


def _is_module(name: str) -> bool:
    return any(path.is_file() for path in _candidates(name))


def _module_file(name: str) -> Path:
    """Return the file of a package module."""
    return next(path for path in reversed(_candidates(name)) if path.is_file())


def progress(items: Iterable[T], *, total: int | None = None) -> "tqdm[T]":
    """Return ``items`` with a progress bar, which shows on terminals only."""
    return tqdm(items, total=total, disable=not sys.stderr.isatty())
