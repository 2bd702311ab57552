"""Rule merge_scorecard: set every measured number beside the published one."""

from pathlib import Path

from bumpflow import io
from bumpflow.summary import as_table, from_records, merge
from bumpflow.workflow import run_rule


def main(*, summaries: list[Path], bench: list[Path], scorecard: Path) -> None:
    """Merge all ``summaries``, and that of ``bench`` if there is one, into ``scorecard``."""
    quantities = merge(from_records(io.read_json(path)) for path in [*summaries, *bench])
    io.write_table(scorecard, as_table(quantities))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
