"""Run the benchmarks, all or those that are named, and write ``results/bench/summary.json``."""

import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    alps,
    compatibility,
    ddp,
    hisigma,
    histfactory,
    ingest,
    simulation,
    surrogates,
)
from bumpflow import io
from bumpflow.summary import Quantity, as_records, from_records, merge

BENCHMARKS: dict[str, Callable[[], list[Quantity]]] = {
    "alps": alps.measure,
    "compatibility": compatibility.measure,
    "ddp": ddp.measure,
    "hisigma": hisigma.measure,
    "histfactory": histfactory.measure,
    "ingest": ingest.measure,
    "simulation": simulation.measure,
    "surrogates": surrogates.measure,
}
RESULTS = Path("results/bench")


def main(*names: str) -> None:
    """Run the named benchmarks; the summary also keeps what earlier runs found of the others."""
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        sys.exit(f"there is no benchmark {', '.join(unknown)}: known are {', '.join(BENCHMARKS)}")
    for name in names or BENCHMARKS:
        print(f"{name} ...", flush=True)
        found = BENCHMARKS[name]()
        io.write_json(RESULTS / f"{name}.json", as_records(found))
        for row in found:
            spread = "" if row.uncertainty is None else f" +- {row.uncertainty:.2g}"
            print(f"  {row.quantity}: {row.value:.4g}{spread} {row.unit}".rstrip())
    parts = [RESULTS / f"{name}.json" for name in BENCHMARKS]
    merged = merge(from_records(io.read_json(part)) for part in parts if part.exists())
    io.write_json(RESULTS / "summary.json", as_records(merged))


if __name__ == "__main__":
    main(*sys.argv[1:])
