"""Rule ingest_events: bring a file of events into the one canonical form."""

from pathlib import Path
from typing import Any, Literal

from bumpflow import io
from bumpflow.ingest.convert import Duplicates
from bumpflow.ingest.convert import ingest_events as ingest
from bumpflow.ingest.layout import build_layout
from bumpflow.workflow import run_rule


def main(
    *,
    events: Path,
    labels: Path | list[Path],
    chunks: list[Path],
    table: Path,
    record: Path,
    layout: Literal["higgs", "table"],
    options: dict[str, Any],
    source: str,
    duplicates: Duplicates,
    sha256: str | None,
) -> None:
    """Check ``events``, write them to ``table`` and what was found to ``record``.

    ``labels`` is the file of labels beside an ``.npy`` file, an empty list otherwise; ``chunks``
    are the parts that other jobs have read of a large file.
    """
    found = ingest(
        events,
        table,
        layout=build_layout(layout, options),
        source=source,
        duplicates=duplicates,
        labels=labels if isinstance(labels, Path) else None,
        chunks=chunks,
        sha256=sha256,
    )
    io.write_json(record, found._asdict())


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
