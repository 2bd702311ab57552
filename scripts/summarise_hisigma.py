"""Rule summarise_hisigma: put the numbers of resonance measurements on the scorecard."""

from pathlib import Path

import pandas as pd

from bumpflow import io
from bumpflow.resonance import scorecard
from bumpflow.summary import Quantity, as_records
from bumpflow.workflow import run_rule


def main(
    *,
    fits: list[Path],
    tests: list[Path],
    closure: list[Path],
    timing: list[Path],
    strategies: list[Path],
    toys: list[Path],
    summary: Path,
    names: list[str],
    n_signal: int | None,
) -> None:
    """Collect into ``summary`` what was found with each set-up of densities, by ``names``."""
    tables = dict(zip(names, map(io.read_table, fits), strict=True))
    found: list[Quantity] = []
    for index, name in enumerate(names):
        first = index == 0
        record = io.read_json(tests[index])
        found += scorecard.fit_quantities(
            name, tables[name], record, n_signal=n_signal, first=first
        )
        found += scorecard.closure_quantities(name, io.read_table(closure[index]), first=first)
    seconds = io.read_json(timing[0])["seconds"]
    found.append(Quantity("hisigma.fit_seconds", seconds, unit="s"))
    if strategies:
        compared = dict(zip(names, map(io.read_table, strategies), strict=True))
        found += scorecard.gain_quantities(names, tables, compared)
    if toys:
        found += scorecard.coverage_quantities(pd.concat(map(io.read_table, toys)))
    io.write_json(summary, as_records(found))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
