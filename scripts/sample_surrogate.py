"""Rule sample_surrogate: generate events from a trained surrogate, or gather them from chunks."""

from functools import partial
from pathlib import Path

from bumpflow import io
from bumpflow.chunks import WHOLE, join_chunks
from bumpflow.device import choose_device
from bumpflow.flows.density import load
from bumpflow.surrogates import draw_process, read_context, sampling_record
from bumpflow.workflow import run_rule


def main(
    *,
    events: Path,
    model: Path,
    chunks: list[Path],
    records: list[Path],
    generated: Path,
    sampling: Path,
    label: int,
    n_events: int,
    block_size: int,
    device: str,
    seed: int,
) -> None:
    """Draw ``n_events`` from ``model`` into ``generated``; context comes from ``events``."""
    if chunks:
        join_chunks(chunks, generated)
        drawn = [io.read_json(path) for path in records]
    else:
        density = load(model, device=choose_device(device))
        context = read_context(events, density, label=label)
        draw = partial(draw_process, n_events=n_events, block_size=block_size, chunk=WHOLE)
        drawn = [draw(density, generated, seed=seed, context=context)]
    io.write_json(sampling, sampling_record(drawn))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
