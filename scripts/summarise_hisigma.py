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
    closure: list[Path],
    tests: Path,
    integrals: Path,
    timing: Path,
    strategies: list[Path],
    toys: list[Path],
    summary: Path,
    names: list[str],
    n_signal: int | None,
) -> None:
    """Collect into ``summary`` what was found with each set-up of densities, by ``names``."""
    tables = dict(zip(names, map(io.read_table, fits), strict=True))
    found: list[Quantity] = []
    for name, path in zip(names, closure, strict=True):
        found += scorecard.fit_quantities(name, tables[name], n_signal=n_signal)
        table = io.read_table(path)
        found += scorecard.closure_quantities(name, table, first=name == names[0])
    found += scorecard.hypothesis_quantities(names[0], tables[names[0]], io.read_json(tests))
    found += scorecard.normalisation_quantities(io.read_table(integrals))
    found.append(Quantity("hisigma.fit_seconds", io.read_json(timing)["seconds"], unit="s"))
    for path in strategies:
        found += scorecard.gain_quantities(names, tables, io.read_table(path))
    if toys:
        found += scorecard.coverage_quantities(pd.concat(map(io.read_table, toys)))
    io.write_json(summary, as_records(found))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
