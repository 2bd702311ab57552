"""Rule simulate_chunk: generate some blocks of a sample."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from bumpflow import io
from bumpflow.simulate.hard.build import build_hard_process
from bumpflow.simulate.samples import Sample, describe_sample
from bumpflow.workflow import progress, run_rule

log = logging.getLogger(__name__)


def main(
    *,
    jet_scale: list[Path],
    process: list[Path],
    events: Path,
    record: Path,
    sample: dict[str, Any],
    blocks: list[int],
    block_size: int,
    seed: int,
) -> None:
    """Write the selected events of ``blocks`` to ``events`` and their numbers to ``record``.

    ``jet_scale`` and ``process`` are empty where no jets are reconstructed, and where Pythia knows
    the matrix element.
    """
    tables = [io.read_table(path) for path in process]
    made = Sample(
        sample,
        seed=seed,
        hard_process=build_hard_process(sample, *tables) if tables else None,
        jet_scale=io.read_table(jet_scale[0]) if jet_scale else None,
    )
    with io.TableWriter(events, metadata=describe_sample(sample, seed)) as writer:
        for number in progress(np.arange(*blocks).tolist()):
            writer.write(made.generate(number, n_events=block_size))
            log.info("block %d: %d events so far", number, made.tally.n_selected)
    io.write_json(record, made.record(blocks))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
