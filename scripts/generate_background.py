"""Rule generate_background: generate the events that stand in for Monte Carlo background."""

from pathlib import Path

from bumpflow.chunks import WHOLE, join_chunks
from bumpflow.device import choose_device
from bumpflow.flows.density import load
from bumpflow.search.background import draw_background
from bumpflow.workflow import run_rule


def main(
    *,
    events: Path,
    model: Path,
    chunks: list[Path],
    generated: Path,
    label: int,
    n_events: dict[str, int],
    block_size: int,
    device: str,
    seed: int,
) -> None:
    """Draw events from ``model`` for each purpose in ``n_events``; none serves two."""
    if chunks:
        join_chunks(chunks, generated)
        return
    draw_background(
        load(model, device=choose_device(device)),
        events,
        generated,
        label=label,
        n_events=n_events,
        block_size=block_size,
        chunk=WHOLE,
        seed=seed,
    )


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
