"""Compare the published networks that hunt bumps with ours, on the same histograms.

Run as ``python resources/make_published.py --output resources/hunters/published.csv --trained
results/published``; the README says how the published ones are trained.
"""

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from bumpflow import io
from bumpflow.hunts.calibration import Calibration
from bumpflow.hunts.judging import judge_hunter, lengths_of, paper_measures, thesis_measures
from bumpflow.hunts.spectra import SpectraSettings
from bumpflow.hunts.store import restore_hunter

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "resources" / "hunters"
SEED = 1
N_HISTOGRAMS = {"task2022": 40_000, "thesis": 8_000}
HUNTERS = {"task2022": ("task2022", "znet"), "thesis": ("thesis", "fmw", "dmfmw")}
"""Networks by test, ours first."""
MEASURES = (
    "bias", "spread", "spread68", "exact_bin", "auc", "auc_evidence", "tpr_at_published_fpr",
    "within_1_at_5", "within_2_at_5", "worst_cell_bias",
)  # fmt: skip
DIGITS = 4


def judge(network: Path, test: str) -> dict[str, Any]:
    """Return what a test finds of a network, on the histograms that all networks get."""
    config = io.read_yaml(ROOT / "config" / "config.yaml")
    settings = config["ddp"]["tests"][test]
    tensors, kept = io.read_tensors(network)
    table = judge_hunter(
        restore_hunter(tensors, kept, device=torch.device("cpu")),
        SpectraSettings.from_config(config["spectra"][settings["spectra"]]),
        lengths=lengths_of(N_HISTOGRAMS[test], settings["n_bins"]),
        calibration=Calibration.none(),
        generator=torch.Generator().manual_seed(SEED),
    )
    found = (paper_measures if test == "task2022" else thesis_measures)(table)
    return {name: round(found[name], DIGITS) for name in MEASURES if name in found} | {
        "n": len(table)
    }


def rows(trained: Path) -> Iterator[dict[str, Any]]:
    """Yield a row per network that there is: its training and what its test finds."""
    for test, hunters in HUNTERS.items():
        for hunter in hunters:
            ours = hunter == test
            folder = SHIPPED if ours else trained / "ddp" / hunter
            if not folder.exists():
                continue
            record = io.read_json(folder / (f"{hunter}.json" if ours else "training.json"))
            timed = trained / "benchmarks" / "train_hunter" / f"{hunter}.tsv"
            yield {
                "hunter": hunter,
                "task": test,
                "histograms": record["histograms"],
                "parameters": record["parameters"],
                "cpu_seconds": round(record["seconds"] if ours else cpu_seconds(timed)),
                **judge(folder / f"{hunter if ours else 'network'}.safetensors", test),
            }


def cpu_seconds(benchmark: Path) -> float:
    """Return the processor time of a job that Snakemake measured."""
    return float(pd.read_csv(benchmark, sep="\t")["cpu_time"].iloc[0])


def main(*, output: Path, trained: Path) -> None:
    """Judge our networks and those of the study in the folder ``trained``; write a table."""
    io.write_text(output, pd.DataFrame(rows(trained)).to_csv(index=False))


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    for name in ("output", "trained"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    main(**vars(parser.parse_args()))
