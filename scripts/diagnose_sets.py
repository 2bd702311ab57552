"""Rule diagnose_sets: compare posteriors of sets of some sizes with the truth."""

from pathlib import Path

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.reconstruction.simulation import read_sets
from bumpflow.reconstruction.store import load_sets
from bumpflow.reconstruction.tables import diagnose_sizes
from bumpflow.workflow import run_rule


def main(
    *,
    amortised: Path,
    test: Path,
    diagnosis: Path,
    ranks: Path,
    tarp: Path,
    record: Path,
    sizes: list[int],
    n_draws: int,
    device: str,
    seed: int,
) -> None:
    """Write where truths lie (``diagnosis``), histograms of ``ranks``, ``tarp`` and a ``record``."""
    posterior = load_sets(amortised, device=choose_device(device))
    found = diagnose_sizes(posterior, read_sets(test), sizes, n_draws=n_draws, seed=seed)
    io.write_table(diagnosis, found.truths)
    io.write_table(ranks, found.ranks)
    io.write_table(tarp, found.tarp)
    io.write_json(record, found.record)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
