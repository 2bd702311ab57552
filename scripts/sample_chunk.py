"""Rule sample_chunk: generate a share of the events from a trained surrogate."""

from pathlib import Path

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.flows.density import load
from bumpflow.surrogates import draw_process, read_context
from bumpflow.workflow import run_rule


def main(
    *,
    events: Path,
    model: Path,
    generated: Path,
    sampling: Path,
    label: int,
    n_events: int,
    block_size: int,
    chunk: list[int],
    device: str,
    table_seed: int,
) -> None:
    """Draw a chunk of ``n_events`` from ``model``, as rule sample_surrogate would."""
    density = load(model, device=choose_device(device))
    drawn = draw_process(
        density,
        generated,
        n_events=n_events,
        block_size=block_size,
        chunk=chunk,
        seed=table_seed,
        context=read_context(events, density, label=label),
    )
    io.write_json(sampling, drawn)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
