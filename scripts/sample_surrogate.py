"""Rule sample_surrogate: generate events from a trained surrogate."""

import time
from pathlib import Path

import torch

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.flows.density import draw_in_chunks, load
from bumpflow.surrogates import read_process, sampling_record
from bumpflow.workflow import progress, run_rule


def main(
    *,
    events: Path,
    model: Path,
    generated: Path,
    sampling: Path,
    label: int,
    n_events: int,
    chunk_size: int,
    device: str,
    seed: int,
) -> None:
    """Draw ``n_events`` from ``model`` into ``generated``; context comes from ``events``."""
    on = choose_device(device)
    density = load(model, device=on)
    features, context = list(density.settings.features), list(density.settings.context)
    observed = read_process(
        events, split="train", label=label, features=features, context=context
    ).context
    chunks = draw_in_chunks(
        density,
        n_events,
        chunk_size=chunk_size,
        generator=torch.Generator(on).manual_seed(seed),
        context=None if observed is None else observed.to(on),
    )
    n_redrawn, start = 0, time.perf_counter()
    seconds = 0.0
    with io.TableWriter(generated, metadata={"source": f"drawn from {model.name}"}) as writer:
        for drawn in progress(chunks, total=-(-n_events // chunk_size)):
            n_redrawn += drawn.n_redrawn
            table = drawn.table(features, context)
            seconds += time.perf_counter() - start
            writer.write(table)
            start = time.perf_counter()
    io.write_json(sampling, sampling_record(n_events, n_redrawn, seconds=seconds, device=on))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
