"""Rule fit_workspace: fit workspaces with pyhf and iminuit, and rank their nuisances."""

from pathlib import Path
from typing import Any

import pandas as pd

from bumpflow import io
from bumpflow.stats.reference import fit_workspace
from bumpflow.stats.templates import bin_edges
from bumpflow.workflow import run_rule


def main(
    *, background: Path, injected: Path, result: Path, nuisances: Path, binning: dict[str, Any]
) -> None:
    """Write yields before and after the fit to ``result``, parameters to ``nuisances``."""
    edges = bin_edges(binning)
    records, tables = {}, []
    for name, path in {"background": background, "injected": injected}.items():
        found = fit_workspace(io.read_json(path))
        records[name] = {"edges": edges, **found.record}
        tables.append(found.nuisances.assign(fit=name))
    io.write_json(result, records)
    io.write_table(nuisances, pd.concat(tables, ignore_index=True))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
