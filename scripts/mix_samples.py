"""Rule mix_samples: join samples in one file, in GeV or in the units of UCI HIGGS."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from bumpflow import io
from bumpflow.ingest.layout import HIGGS_FEATURES
from bumpflow.simulate.gather import label_rows
from bumpflow.simulate.select.uci import UCI_DIVISORS, derive_divisors, to_uci
from bumpflow.workflow import run_rule

N_SCALE = 100_000
"""Events per sample, at most, that units of their own are derived from."""


def main(*, samples: list[Path], events: Path, mixture: dict[str, Any]) -> None:
    """Write all ``samples`` of ``mixture`` to ``events``, with labels where it has any."""
    names, units = mixture["samples"], mixture["units"]
    labels = mixture.get("labels", [None] * len(names))
    divisors = UCI_DIVISORS
    if units == "scaled":
        first = [next(io.read_pieces(path, n_rows=N_SCALE)).to_pandas() for path in samples]
        divisors = derive_divisors(pd.concat(first))
    with io.TableWriter(events, metadata={key: str(mixture[key]) for key in mixture}) as writer:
        for place, (path, label) in enumerate(zip(samples, labels, strict=True)):
            for piece in io.read_pieces(path):
                rows = piece
                if units != "gev":
                    features = piece.select(list(HIGGS_FEATURES)).to_pandas()
                    scaled = to_uci(features, divisors).astype("float32")
                    rows = pa.Table.from_pandas(scaled, preserve_index=False)
                    rows = rows.replace_schema_metadata(None)
                writer.write(label_rows(rows, names=names, place=place, label=label))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
