"""Rule score_events: give every event its score, and generated ones their weight."""

from pathlib import Path

from bumpflow.chunks import WHOLE, join_chunks
from bumpflow.device import choose_device
from bumpflow.search.background import load_judges, score_search
from bumpflow.workflow import run_rule


def main(
    *,
    background: Path,
    signal: Path,
    generated: Path,
    classifier: Path,
    reweighter: Path,
    mc_chunks: list[Path],
    surrogate_chunks: list[Path],
    mc: Path,
    surrogate: Path,
    inputs: list[str],
    labels: list[int],
    splits: list[str],
    device: str,
) -> None:
    """Score ``splits`` of Monte Carlo into ``mc`` and generated events into ``surrogate``.

    ``labels`` are those of background and signal in their own files; in the scored ones they
    are 0 and 1.
    """
    if mc_chunks:
        join_chunks(mc_chunks, mc)
        join_chunks(surrogate_chunks, surrogate)
        return
    score_search(
        background,
        signal,
        generated,
        targets=(mc, surrogate),
        judges=load_judges(classifier, reweighter, device=choose_device(device)),
        inputs=inputs,
        labels=labels,
        splits=splits,
        chunk=WHOLE,
    )


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
