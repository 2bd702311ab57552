"""Speed and memory of ingest, against pandas.read_csv and to_parquet.

Each reads the same gzipped file in a process of its own, in turn, several times over. Ours also
checks every value, counts duplicates and computes the checksum of the file.
"""

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from bumpflow import io
from bumpflow.ingest.layout import HIGGS_FEATURES
from bumpflow.summary import Quantity

N_ROWS = 2_000_000
REPEATS = 3
BLOCK = 100_000
SEED = 2

OURS = """
from bumpflow.ingest.convert import ingest_events
from bumpflow.ingest.layout import build_layout

def job(source, target):
    layout = build_layout("higgs", {})
    ingest_events(source, target, layout=layout, source="synthetic", duplicates="drop")
"""
THEIRS = """
import pandas as pd

def job(source, target):
    table = pd.read_csv(source, header=None)
    table.columns = table.columns.astype(str)
    table.to_parquet(target)
"""
TIMED = """
import json, resource, sys, time
from pathlib import Path

start = time.perf_counter()
job(Path(sys.argv[1]), Path(sys.argv[2]))
seconds = time.perf_counter() - start
status = Path("/proc/self/status")  # ru_maxrss counts what the parent process held
if status.exists():
    peak = next(int(line.split()[1]) for line in status.open() if line.startswith("VmHWM")) / 1e3
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
print(json.dumps({"seconds": seconds, "megabytes": peak}))
"""


def synthetic_file(folder: Path, n_rows: int) -> Path:
    """Return a gzipped file in UCI's layout: a label, 28 features, up to 17 digits each."""
    path = folder / f"bumpflow-synthetic-{n_rows}-{SEED}.csv.gz"
    if not path.exists():
        rng = np.random.default_rng(SEED)
        options = pa.csv.WriteOptions(include_header=False)
        with io.atomic(path) as part, gzip.open(part, "wb", compresslevel=4) as stream:
            for start in range(0, n_rows, BLOCK):
                n = min(BLOCK, n_rows - start)
                x = rng.gamma(2.0, 0.5, (len(HIGGS_FEATURES), n)).astype("float32")
                columns = [rng.integers(0, 2, n).astype("float64"), *x.astype("float64")]
                table = pa.table(columns, names=["label", *HIGGS_FEATURES])
                pa.csv.write_csv(table, stream, options)
    return path


def timed(job: str, source: Path, target: Path) -> dict[str, float]:
    """Return seconds and megabytes [1e6 bytes] that a job takes in a new process."""
    command = [sys.executable, "-c", job + TIMED, str(source), str(target)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def measure(
    *, n_rows: int = N_ROWS, repeats: int = REPEATS, folder: Path | None = None
) -> list[Quantity]:
    """Time both on a file of ``n_rows`` events, cached in ``folder``."""
    source = synthetic_file(folder or Path(tempfile.gettempdir()), n_rows)
    with tempfile.TemporaryDirectory() as made:
        target = Path(made) / "events.parquet"
        runs = [
            {
                f"{who}_{what}": value
                for who, job in jobs
                for what, value in timed(job, source, target).items()
            }
            for jobs in [[("ours", OURS), ("theirs", THEIRS)]] * repeats
        ]
    return summarise(pd.DataFrame(runs), n_rows)


def summarise(runs: pd.DataFrame, n_rows: int) -> list[Quantity]:
    """Return the median of each measure; its uncertainty is half the width of 16-84 %."""
    against = f"pandas {pd.__version__} read_csv and to_parquet, same file and run"
    rows = [
        ("ingest.rate_ratio", runs["theirs_seconds"] / runs["ours_seconds"], None, ""),
        ("ingest.rate", n_rows / runs["ours_seconds"], n_rows / runs["theirs_seconds"], "rows/s"),
        ("ingest.peak_memory", runs["ours_megabytes"], runs["theirs_megabytes"], "MB"),
    ]
    return [
        Quantity(
            quantity=quantity,
            value=float(ours.median()),
            uncertainty=float(ours.quantile(0.84) - ours.quantile(0.16)) / 2,
            reference=1.0 if theirs is None else float(theirs.median()),
            reference_source=against,
            n=n_rows,
            unit=unit,
        )
        for quantity, ours, theirs, unit in rows
    ]
