"""Rule generate_chunk: generate a share of the events that stand in for Monte Carlo background."""

from pathlib import Path

from bumpflow.device import choose_device
from bumpflow.flows.density import load
from bumpflow.search.background import draw_background
from bumpflow.workflow import run_rule


def main(
    *,
    events: Path,
    model: Path,
    generated: Path,
    label: int,
    n_events: dict[str, int],
    block_size: int,
    chunk: list[int],
    device: str,
    table_seed: int,
) -> None:
    """Draw a chunk of ``n_events`` from ``model``, as rule generate_background would."""
    draw_background(
        load(model, device=choose_device(device)),
        events,
        generated,
        label=label,
        n_events=n_events,
        block_size=block_size,
        chunk=chunk,
        seed=table_seed,
    )


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
