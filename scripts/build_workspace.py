"""Rule build_workspace: write the likelihood of one background template for pyhf."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.search.arms import build_workspaces, collect
from bumpflow.workflow import run_rule


def main(
    *,
    templates: Path,
    members: list[Path],
    background: Path,
    injected: Path,
    arm: str,
    observable: str,
    settings: dict[str, Any],
) -> None:
    """Write workspaces with Asimov data without (``background``) and with ``injected`` signal."""
    parts = collect(
        io.read_table(templates),
        [io.read_table(path) for path in members],
        arm,
        observable,
        normalisation=settings["normalisation"],
        max_variations=settings["ensemble"]["max_variations"],
    )
    for path, mu in ((background, 0.0), (injected, 1.0)):
        io.write_json(path, build_workspaces(parts, settings, mu=mu))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
