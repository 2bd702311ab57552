"""Rule summarise_alps: put the numbers of ALP hunts on the scorecard."""

from pathlib import Path

from bumpflow import io
from bumpflow.compatibility import scorecard
from bumpflow.summary import Quantity, as_records
from bumpflow.workflow import run_rule


def main(
    *,
    moments: Path,
    rejections: list[Path],
    points: list[Path],
    errors: list[Path],
    checks: list[Path],
    observed: list[Path],
    summary: Path,
    resolutions: list[str],
    n_pairs: int,
) -> None:
    """Collect into ``summary`` what was found with each of ``resolutions``."""
    found: list[Quantity] = scorecard.moment_quantities(io.read_table(moments))
    for index, name in enumerate(resolutions):
        table = io.read_table(rejections[index])
        found += scorecard.rejection_quantities(name, table, n_pairs=n_pairs)
        found += scorecard.sensitivity_quantities(name, io.read_table(points[index]))
        found += scorecard.error_quantities(name, io.read_table(errors[index]))
        found += scorecard.posterior_quantities(name, io.read_json(checks[index]))
    for path in observed:
        found += scorecard.observed_quantities(path.stem, io.read_json(path))
    io.write_json(summary, as_records(found))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
