"""Rule compare_benchmark: let classifiers try to tell generated from real HIGGS events."""

from pathlib import Path
from typing import Any

import pandas as pd

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.evaluate.witnesses import hear_witnesses
from bumpflow.ingest.layout import HIGGS_FEATURES
from bumpflow.simulate.gather import CLASSES
from bumpflow.workflow import derive_seed, run_rule


def main(
    *,
    generated: Path,
    real: Path,
    record: Path,
    ratios: Path,
    settings: dict[str, Any],
    device: str,
    seed: int,
) -> None:
    """Train on ``holdouta`` of ``real`` against ``generated``, test on ``holdoutb``, per class."""
    features, records, tables = list(HIGGS_FEATURES), {}, []
    for name, label in CLASSES.items():
        train, test = (
            io.read_events(real, features=features, label=label, splits=[split])
            for split in ("holdouta", "holdoutb")
        )
        made = io.read_table(generated, columns=features, where=[("label", "==", label)])
        n = len(made) // 2  # training and test get the same number at most
        found = hear_witnesses(
            train[:n],
            test[:n],
            made.to_numpy("float32"),
            features=features,
            settings=settings,
            seed=derive_seed(seed, name),
            device=choose_device(device),
        )
        records[name] = found.record()
        table = found.ratios.rename(columns={"label": "generated"})
        tables.append(table.assign(label=label))
    io.write_table(ratios, pd.concat(tables, ignore_index=True))
    io.write_json(record, records)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
