"""Rule time_posterior: how long the posterior of one set takes."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.reconstruction.detectors import measure_sets
from bumpflow.reconstruction.simulation import read_sets
from bumpflow.reconstruction.store import load_sets
from bumpflow.reconstruction.tables import REPEATS, time_posterior
from bumpflow.simulate.alps.settings import Resolution
from bumpflow.workflow import run_rule


def main(
    *,
    amortised: Path,
    test: Path,
    timing: Path,
    resolution: dict[str, Any],
    n_events: int,
    n_draws: int,
    device: str,
    seed: int,
) -> None:
    """Write the ``timing`` of draws from one posterior."""
    posterior = load_sets(amortised, device=choose_device(device))
    sets = measure_sets(
        read_sets(test, n_sets=REPEATS),
        Resolution.from_settings(resolution),
        posterior.drawing.setup,
        n_events=n_events,
        seed=seed,
    )
    taken = time_posterior(posterior, sets, n_draws=n_draws, seed=seed)
    io.write_json(timing, {"milliseconds": taken, "n_draws": n_draws, "n_events": n_events})


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
