"""Rule derive_jet_scale: correct the energies of jets to those of quarks, by top quark pairs."""

from pathlib import Path
from typing import Any

import pandas as pd

from bumpflow import io
from bumpflow.simulate.detector.jet_scale import derive_jet_scale, measure_responses
from bumpflow.simulate.detector.matching import match_partons
from bumpflow.simulate.detector.settings import detector_settings
from bumpflow.simulate.sources import build_sources
from bumpflow.workflow import run_rule

PROCESS = "ttbarsemileptonic"


def main(*, table: Path, responses: Path, settings: dict[str, Any], seed: int) -> None:
    """Write the correction to ``table``, and its closure on as many other events again."""
    detector = detector_settings(settings["detector"])
    sample = {"name": "ttbar", "process": PROCESS, "parameters": {}, "settings": []}
    sources = build_sources(sample | {"beams": settings["beams"]}, seed=seed)
    n_blocks, pairs = settings["n_blocks"], []
    for number in range(2 * n_blocks):
        source = sources[number % len(sources)]
        block = source.generate(number, n_events=settings["block_size"])
        pairs.append(match_partons(block.particles, detector, block.rng))
    scale = derive_jet_scale(pd.concat(pairs[:n_blocks], ignore_index=True))
    io.write_table(table, scale)
    io.write_table(responses, measure_responses(pd.concat(pairs[n_blocks:]), scale))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
