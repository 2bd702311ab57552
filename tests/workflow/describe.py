"""Print what a study's rules are made of, and Snakemake's lints, as JSON.

Run in a process of its own: Snakemake changes the folder and the loggers of its process.
"""

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, OutputSettings, Quietness, ResourceSettings


def describe_rule(rule: Any) -> dict[str, Any]:
    """Return a rule's names and values as plain data."""
    named = {part: getattr(rule, part)._allitems() for part in ("input", "output", "params")}
    seed, code = rule.params.get("seed"), rule.params.get("code")
    return {
        "name": rule.name,
        "file": str(rule.snakefile),
        "script": rule.script,
        "log": [str(path) for path in rule.log],
        "benchmark": str(rule.benchmark or ""),
        "local": rule.name in rule.workflow._localrules,
        "resources": [ask(rule.resources, attempt) for attempt in (1, 2)],
        "outputs": [str(path) for path in rule.output],
        "keywords": [key for items in named.values() for key, _ in items],
        "code": code(()) if callable(code) else code,
        "seed": seed(()) if callable(seed) else seed,
    }


def ask(resources: Any, attempt: int) -> dict[str, Any]:
    """Return what an attempt at a job asks for."""
    named = ("mem_mb", "runtime", "gpu")  # Snakemake adds others
    return {
        name: resources[name].evaluate((), attempt=attempt).value
        for name in named
        if name in resources
    }


def main(snakefile: str, *overlays: str) -> None:
    """Print the description of one study."""
    settings = ConfigSettings(configfiles=[Path(path) for path in overlays])
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        study = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=settings,
            snakefile=Path(snakefile),
        )
        with contextlib.redirect_stdout(io.StringIO()) as lints:
            study.lint(json=True)
        description = {
            "rules": [describe_rule(rule) for rule in study._workflow.rules],
            "lints": json.loads(lints.getvalue()),
            "config": study._workflow.globals["config"],
        }
    sys.stdout.write(json.dumps(description))


if __name__ == "__main__":
    main(*sys.argv[1:])
