"""Join files of UCI HIGGS rows into one table without repeated events.

Run as ``python resources/make_higgs_uci.py --output resources/higgs_uci.parquet FILE...``, where
an ``.npy`` file's labels are in ``*_y.npy`` beside ``*_X.npy``. The same event was printed with
9, 10 or all digits, so rows that agree to 5 decimals are one event; the first one is kept.
"""

from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pyarrow as pa

from bumpflow import io
from bumpflow.ingest.checks import SeenRows, check_block
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
    seen = SeenRows()
    layout = build_layout("higgs", {})
    with io.TableWriter(output, metadata=SOURCE) as writer:
        for path in files:
            beside = path.with_name(path.name.replace("_X", "_y"))
            labels = beside if beside != path else None
            for block in read_blocks(path, layout, labels=labels):
                check_block(block, layout, file=path.name)
                events = np.stack([block.columns[name] for name in HIGGS_FEATURES])
                new = ~seen.add(hash_rows(np.round(events, decimals)))
                columns = dict(zip(HIGGS_FEATURES, events[:, new], strict=True))
                writer.write(
                    pa.table(columns | {LABEL: block.columns[LABEL][new].astype(np.int8)})
                )


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--decimals", type=int, default=5)
    main(**vars(parser.parse_args()))
