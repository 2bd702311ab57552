"""Rule tabulate_double_higgs: spectra and cross-sections of gg to HH by trilinear coupling."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.simulate.hard.double_higgs import tabulate_double_higgs
from bumpflow.workflow import run_rule


def main(
    *, form_factors: Path, spectra: Path, totals: Path, settings: dict[str, Any], seed: int
) -> None:
    """Write mass ``spectra`` and ``totals`` for every coupling of ``settings``."""
    spectrum, total = tabulate_double_higgs(io.read_table(form_factors), seed=seed, **settings)
    io.write_table(spectra, spectrum)
    io.write_table(totals, total)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
