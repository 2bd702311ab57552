"""Rule score_events: give every event its score, and generated ones their weight."""

from pathlib import Path

from bumpflow import io
from bumpflow.classifiers import restore_networks
from bumpflow.device import choose_device
from bumpflow.evaluate import reweighting
from bumpflow.search.selection import score_pieces
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
    device: str,
) -> None:
    """Score ``splits`` of Monte Carlo into ``mc`` and generated events into ``surrogate``.

    ``labels`` are those of background and signal in their own files; in the scored ones they
    are 0 and 1.
    """
    on = choose_device(device)
    (network,) = restore_networks(*io.read_tensors(classifier), device=on)
    weigher = reweighting.restore(*io.read_tensors(reweighter), device=on)
    with io.TableWriter(mc) as writer:
        for number, (path, label) in enumerate(zip((background, signal), labels, strict=True)):
            for split in splits:
                pieces = io.read_event_pieces(path, columns=inputs, label=label, splits=[split])
                for piece in score_pieces(pieces, inputs=inputs, classifier=network):
                    writer.write(io.as_split(piece, split, names=splits, label=number))
    with io.TableWriter(surrogate) as writer:
        pieces = io.read_event_pieces(generated, columns=inputs, label=0, splits=["template"])
        for piece in score_pieces(pieces, inputs=inputs, classifier=network, reweighter=weigher):
            writer.write(io.as_split(piece, "template", names=["template"], label=0))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
