"""Rule draw_sets: posteriors of a few sets on a grid, and widths of those of many."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.reconstruction.simulation import read_sets
from bumpflow.reconstruction.store import load_sets
from bumpflow.reconstruction.tables import as_acceptance, draw_examples, measure_roles
from bumpflow.simulate.alps.settings import Resolution
from bumpflow.workflow import run_rule


def main(
    *,
    amortised: Path,
    test: Path,
    signals: list[Path],
    acceptance: Path,
    examples: Path,
    roles: Path,
    benchmarks: dict[str, Any],
    resolution: dict[str, Any],
    sizes: list[int],
    grid: dict[str, int],
    widths: dict[str, int],
    rate: dict[str, Any],
    device: str,
    seed: int,
) -> None:
    """Write ``examples`` of posteriors of ``signals``, and the ``roles`` of both parameters."""
    posterior = load_sets(amortised, device=choose_device(device))
    measured = Resolution.from_settings(resolution)
    true = {name: read_sets(path) for name, path in zip(benchmarks, signals, strict=True)}
    io.write_table(
        examples, draw_examples(posterior, true, measured, sizes=sizes, seed=seed, **grid)
    )
    table = measure_roles(
        posterior,
        read_sets(test, n_sets=widths["n_sets"]),
        measured,
        as_acceptance(
            io.read_table(acceptance), posterior.drawing.setup, n_masses=rate["n_masses"]
        ),
        sizes=sizes,
        n_decays=rate["n_decays"],
        n_draws=widths["n_draws"],
        seed=seed,
    )
    io.write_table(roles, table)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
