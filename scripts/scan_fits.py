"""Rule scan_fits: fit at many luminosities and sizes of the generated sample."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.search.scan import scan
from bumpflow.workflow import run_rule


def main(
    *,
    templates: Path,
    members: list[Path],
    scans: Path,
    timing: Path,
    observable: str,
    settings: dict[str, Any],
) -> None:
    """Write one row per fit to ``scans``, and how long the scan of luminosities took."""
    table, seconds = scan(
        io.read_table(templates),
        [io.read_table(path) for path in members],
        observable,
        settings=settings,
    )
    io.write_table(scans, table)
    io.write_json(timing, {f"{name}_seconds": value for name, value in seconds.items()})


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
