"""Rule score_chunk: give a share of the events their scores and weights."""

from pathlib import Path

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
    mc: Path,
    surrogate: Path,
    inputs: list[str],
    labels: list[int],
    splits: list[str],
    chunk: list[int],
    device: str,
) -> None:
    """Score a chunk of what rule score_events would."""
    score_search(
        background,
        signal,
        generated,
        targets=(mc, surrogate),
        judges=load_judges(classifier, reweighter, device=choose_device(device)),
        inputs=inputs,
        labels=labels,
        splits=splits,
        chunk=chunk,
    )


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
