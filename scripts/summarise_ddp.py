"""Rule summarise_ddp: put the numbers of bump hunts on the scorecard."""

from pathlib import Path

import numpy as np

from bumpflow import io
from bumpflow.hunts import scorecard
from bumpflow.summary import as_records, merge
from bumpflow.workflow import run_rule


def main(
    *, tests: list[Path], global_p: Path, scan: Path, shapes: Path, summary: Path, seed: int
) -> None:
    """Collect what was measured of networks into ``summary``; tests are named by their files."""
    tables = {path.stem: io.read_table(path) for path in tests}
    found = [
        scorecard.test_quantities(tables, np.random.default_rng(seed)),
        scorecard.global_p_quantities(io.read_table(global_p)),
        scorecard.scan_quantities(io.read_table(scan)),
        [scorecard.shape_quantity(io.read_table(shapes))],
    ]
    io.write_json(summary, as_records(merge(found)))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
