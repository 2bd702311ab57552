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
    seed = rule.params.get("seed")
    return {
        "name": rule.name,
        "file": str(rule.snakefile),
        "script": rule.script,
        "log": [str(path) for path in rule.log],
        "resources": sorted(rule.resources),
        "outputs": [str(path) for path in rule.output],
        "keywords": [key for items in named.values() for key, _ in items],
        "code": rule.params.get("code"),
        "seed": seed(()) if callable(seed) else seed,
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
