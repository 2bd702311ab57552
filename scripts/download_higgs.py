"""Rule download_higgs: fetch a dataset's file by its URL."""

from pathlib import Path

from bumpflow.ingest.download import download_file
from bumpflow.workflow import run_rule


def main(*, events: Path, url: str, sha256: str | None) -> None:
    """Fetch ``url`` to ``events`` if its checksum is ``sha256``."""
    download_file(url, events, sha256=sha256)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
