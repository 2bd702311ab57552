"""Rule generate_background: generate the events that stand in for Monte Carlo background."""

from pathlib import Path

import torch

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.flows.density import load
from bumpflow.search.selection import draw_pieces
from bumpflow.workflow import derive_seed, progress, run_rule


def main(
    *,
    events: Path,
    model: Path,
    generated: Path,
    label: int,
    n_events: dict[str, int],
    chunk_size: int,
    device: str,
    seed: int,
) -> None:
    """Draw events from ``model`` for each purpose in ``n_events``; none serves two."""
    on = choose_device(device)
    density = load(model, device=on)
    names, context = list(density.settings.context), None
    if names:
        context = torch.tensor(
            io.read_events(events, features=names, label=label, splits=["train"])
        )
    with io.TableWriter(generated, metadata={"source": f"drawn from {model.name}"}) as writer:
        for purpose, n in n_events.items():
            pieces = draw_pieces(
                density,
                n,
                chunk_size=chunk_size,
                seed=derive_seed(seed, purpose),
                device=on,
                context=context,
            )
            for piece in progress(pieces, total=-(-n // chunk_size)):
                writer.write(io.as_split(piece, purpose, names=[*n_events], label=0))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
