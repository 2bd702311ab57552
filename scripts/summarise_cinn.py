"""Rule summarise_cinn: put the numbers of ALP reconstruction on the scorecard."""

from pathlib import Path

from bumpflow import io
from bumpflow.reconstruction import scorecard
from bumpflow.summary import as_records
from bumpflow.workflow import run_rule


def main(
    *,
    sharpness: Path,
    comparison: Path,
    diagnosis: Path,
    timing: Path,
    observed: list[Path],
    summary: Path,
    slides: str,
) -> None:
    """Collect into ``summary`` what was found."""
    found = [
        *scorecard.sharpness_quantities(io.read_table(sharpness), slides=slides),
        *scorecard.diagnosis_quantities(io.read_json(diagnosis)),
        *scorecard.spread_quantities(io.read_table(comparison)),
        scorecard.timing_quantity(io.read_json(timing)),
    ]
    for path in observed:
        found += scorecard.observed_quantities(path.stem, io.read_json(path))
    io.write_json(summary, as_records(found))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
