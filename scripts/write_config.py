"""Rule write_config: keep the merged configuration of a study beside its results."""

import json
from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.workflow import run_rule


def main(*, merged: Path, config: dict[str, Any]) -> None:
    """Write ``config`` to ``merged``."""
    plain = json.loads(json.dumps(config))  # Snakemake merges into its own kinds of maps
    io.write_yaml(merged, plain)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
