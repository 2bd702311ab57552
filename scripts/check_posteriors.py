"""Rule check_posteriors: compare posteriors of single events with the truth."""

from pathlib import Path
from typing import Any

import pandas as pd

from bumpflow import io
from bumpflow.compatibility.checks import coverage_of, judge_posteriors, posterior_record
from bumpflow.compatibility.populations import read_population
from bumpflow.compatibility.posteriors import load_posterior
from bumpflow.compatibility.store import load_published
from bumpflow.device import choose_device
from bumpflow.simulate.alps.populations import TEST
from bumpflow.workflow import run_rule


def main(
    *,
    posterior: Path,
    ratio: Path,
    test: Path,
    signals: list[Path],
    events: Path,
    coverage: Path,
    record: Path,
    benchmarks: dict[str, Any],
    device: str,
) -> None:
    """Write what posteriors say of each of ``events``, their ``coverage``, and a ``record``."""
    on = choose_device(device)
    trained = load_posterior(posterior, device=on), load_published(ratio, on=on)
    tables = {TEST: judge_posteriors(*trained, read_population(test))}
    for name, path in zip(benchmarks, signals, strict=True):
        tables[name] = judge_posteriors(*trained, read_population(path))
    named = [table.assign(population=name) for name, table in tables.items()]
    io.write_table(events, pd.concat(named, ignore_index=True))
    io.write_table(coverage, coverage_of(tables[TEST]))
    io.write_json(record, posterior_record(tables[TEST]))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
