"""Rule reconstruct_events: reconstruct mass and lifetime from a table of observed events."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.compatibility.photon_pairs import read_photon_pairs
from bumpflow.device import choose_device
from bumpflow.reconstruction.event_tables import read_set_names, reconstruct_table
from bumpflow.reconstruction.observed import gather_sets
from bumpflow.reconstruction.store import load_sets
from bumpflow.reconstruction.tables import as_acceptance
from bumpflow.simulate.alps.settings import Resolution
from bumpflow.workflow import run_rule


def main(
    *,
    table: Path,
    amortised: Path,
    acceptance: Path,
    draws: Path,
    summary: Path,
    resolution: dict[str, Any],
    with_rate: bool,
    rate: dict[str, Any],
    n_draws: int,
    n_predicted: int,
    device: str,
    seed: int,
) -> None:
    """Write ``draws`` from posteriors of the sets in ``table``, and their ``summary``."""
    posterior = load_sets(amortised, device=choose_device(device))
    setup, measured = posterior.drawing.setup, Resolution.from_settings(resolution)
    features = read_photon_pairs(table, setup, measured)
    accepted = as_acceptance(io.read_table(acceptance), setup, n_masses=rate["n_masses"])
    found = reconstruct_table(
        posterior,
        *gather_sets(features, read_set_names(table), measured),
        acceptance=accepted if with_rate else None,
        n_decays=rate["n_decays"],
        n_draws=n_draws,
        n_predicted=n_predicted,
        wrap=measured.wrap,
        seed=seed,
    )
    io.write_table(draws, found.draws)
    io.write_json(summary, found.summary)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
