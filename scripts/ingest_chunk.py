"""Rule ingest_chunk: read and check a share of a large file of events."""

from pathlib import Path
from typing import Any, Literal

from bumpflow.ingest.convert import ingest_part
from bumpflow.ingest.layout import build_layout
from bumpflow.workflow import run_rule


def main(
    *,
    events: Path,
    labels: Path | list[Path],
    table: Path,
    layout: Literal["higgs", "table"],
    options: dict[str, Any],
    chunk: list[int],
) -> None:
    """Write a chunk of ``events`` to ``table``; duplicates are for rule ingest_events to find."""
    ingest_part(
        events,
        table,
        layout=build_layout(layout, options),
        labels=labels if isinstance(labels, Path) else None,
        chunk=chunk,
    )


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
