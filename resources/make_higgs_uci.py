"""Join files of UCI HIGGS rows into one table without repeated events.

Run as ``python resources/make_higgs_uci.py --output resources/higgs_uci.parquet FILE...``, where
an ``.npy`` file's labels are in ``*_y.npy`` beside ``*_X.npy``. The same event was printed with
9, 10 or all digits, so rows that agree to 5 decimals are one event; the first one is kept.
"""

from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pandas as pd

from bumpflow import io
from bumpflow.ingest.checks import check_block, find_repeats
from bumpflow.ingest.convert import read_blocks
from bumpflow.ingest.layout import HIGGS_FEATURES, LABEL, build_layout
from bumpflow.rowhash import hash_rows

SOURCE = {
    "source": "UCI HIGGS, https://doi.org/10.24432/C5V312",
    "credit": "P. Baldi, P. Sadowski, D. Whiteson (2014), https://doi.org/10.1038/ncomms5308",
    "licence": "CC BY 4.0, https://creativecommons.org/licenses/by/4.0/",
    "changes": "a subset of the rows, in single precision, each event once",
}


def main(*, files: list[Path], output: Path, decimals: int) -> None:
    """Write the distinct events of ``files`` to ``output``."""
    layout = build_layout("higgs", {})
    pieces = []
    for path in files:
        beside = path.with_name(path.name.replace("_X", "_y"))
        for block in read_blocks(path, layout, labels=beside if beside != path else None):
            check_block(block, layout, file=path.name)
            pieces.append(pd.DataFrame(block.columns))
    events = pd.concat(pieces).astype({LABEL: "int8"})
    rounded = np.round(events[[*HIGGS_FEATURES]].to_numpy(), decimals)
    io.write_table(output, events[~find_repeats(hash_rows(rounded.T))], metadata=SOURCE)


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--decimals", type=int, default=5)
    main(**vars(parser.parse_args()))
