"""Rule rank_pairs: tell pairs of compatible events from others."""

from pathlib import Path

from bumpflow import io
from bumpflow.compatibility.checks import curve_table, pair_table, rejection_table
from bumpflow.compatibility.hunting import BUMP, EPO
from bumpflow.compatibility.populations import read_population
from bumpflow.compatibility.store import load_hunters
from bumpflow.device import choose_device
from bumpflow.workflow import run_rule


def main(
    *,
    posterior: Path,
    ratio: Path,
    networks: list[Path],
    background: Path,
    signals: list[Path],
    rejections: Path,
    curves: Path,
    n_pairs: int,
    threshold: float,
    device: str,
) -> None:
    """Write ``rejections`` of background pairs by each hunt, and their ``curves``."""
    hunters = load_hunters(posterior, ratio, networks, on=choose_device(device))
    scores = {
        path.stem: pair_table(hunters, hunters.pool(read_population(path)), n_pairs)
        for path in [background, *signals]
    }
    against = scores.pop(background.stem)
    io.write_table(rejections, rejection_table(against, scores, threshold=threshold))
    hunts = [*hunters.networks, EPO, BUMP]
    io.write_table(curves, curve_table(against, scores, hunts))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
