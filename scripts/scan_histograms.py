"""Rule scan_histograms: scan histograms for bumps and rank them by global p-value."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.hunts.calibration import Calibration
from bumpflow.hunts.scanning import list_bumps, rank, scan_histograms
from bumpflow.hunts.store import load_hunter
from bumpflow.ingest.histograms import read_histograms
from bumpflow.workflow import derive_seed, run_rule


def main(
    *,
    network: Path,
    calibration: Path,
    files: list[Path],
    bins: Path,
    toys: Path,
    summary: Path,
    result: Path,
    histograms: dict[str, dict[str, Any]],
    settings: dict[str, Any],
    device: str,
    seed: int,
) -> None:
    """Scan ``histograms``; all are read and checked before the first one is scanned."""
    pairs = zip(histograms.items(), files, strict=True)
    read = [one for (name, block), path in pairs for one in read_histograms(path, name, block)]
    seeds = [derive_seed(seed, histogram.name) for histogram in read]
    found = scan_histograms(
        read,
        load_hunter(network, device=choose_device(device)),
        calibration=Calibration.from_table(io.read_table(calibration)),
        generators=[torch.Generator().manual_seed(own) for own in seeds],
        **settings,
    )
    scans = {histogram.name: scan for histogram, scan in zip(read, found, strict=True)}
    named = {name: scan.bins.assign(histogram=name) for name, scan in scans.items()}
    io.write_table(bins, pd.concat(named.values(), ignore_index=True))
    maxima = [pd.DataFrame({"histogram": n, "z_max": scan.toys}) for n, scan in scans.items()]
    io.write_table(toys, pd.concat(maxima, ignore_index=True))
    ranked = rank([scan.summary for scan in scans.values()])
    io.write_table(summary, ranked)
    bumps = {name: list_bumps(table).to_dict("records") for name, table in named.items()}
    rows = ranked.to_dict("records")
    io.write_json(result, [row | {"bumps": bumps[row["histogram"]]} for row in rows])


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
