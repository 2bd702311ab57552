"""Rule summarise_histfactory: put what the search found on the scorecard."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.search.scorecard import search_quantities
from bumpflow.summary import as_records
from bumpflow.workflow import run_rule


def main(
    *,
    efficiencies: Path,
    reweighting: Path,
    scans: Path,
    toys: Path,
    timing: Path,
    summary: Path,
    settings: dict[str, Any],
) -> None:
    """Collect the numbers of the observable that ``scans`` and ``toys`` are about."""
    quantities = search_quantities(
        efficiencies=io.read_json(efficiencies),
        reweighting=io.read_json(reweighting),
        scans=io.read_table(scans),
        toys=io.read_table(toys),
        timing=io.read_json(timing),
        settings=settings,
    )
    io.write_json(summary, as_records(quantities))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
