"""Rule write_partons: write the hard processes of a sample as an LHE file, for other showers."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.simulate.hard.build import build_hard_process
from bumpflow.simulate.hard.lhe import format_lhe
from bumpflow.simulate.hard.partons import join_partons
from bumpflow.simulate.pythia import draw_partons
from bumpflow.workflow import run_rule


def main(
    *,
    process: Path,
    partons: Path,
    sample: dict[str, Any],
    n_blocks: int,
    block_size: int,
    sample_seed: int,
) -> None:
    """Write to ``partons`` the same events that ``simulate_chunk`` showers."""
    made = build_hard_process(sample, io.read_table(process))
    blocks = [
        draw_partons(made, seed=sample_seed, number=number, n_events=block_size)
        for number in range(n_blocks)
    ]
    io.write_gzip(partons, format_lhe(join_partons(blocks), made))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
