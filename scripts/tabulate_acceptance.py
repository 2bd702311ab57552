"""Rule tabulate_acceptance: how probable it is to see a decay, over the prior."""

from pathlib import Path
from typing import Any

import numpy as np

from bumpflow import io
from bumpflow.reconstruction.tables import tabulate
from bumpflow.reconstruction.weights import tabulate_acceptance
from bumpflow.simulate.alps.settings import BeamDump
from bumpflow.workflow import run_rule

MOMENTUM = ["px", "py", "pz", "energy"]


def main(
    *,
    mesons: list[Path],
    acceptance: Path,
    setup: dict[str, Any],
    settings: dict[str, Any],
    seed: int,
) -> None:
    """Write the ``acceptance``, with ``mesons`` if there are any."""
    given = [io.read_table(path)[MOMENTUM].to_numpy() for path in mesons]
    table = tabulate_acceptance(
        BeamDump.from_settings(setup),
        n_masses=settings["n_masses"],
        n_lifetimes=settings["n_lifetimes"],
        n_tries=settings["n_tries"],
        rng=np.random.default_rng(seed),
        mesons=np.concatenate(given) if given else None,
    )
    io.write_table(acceptance, tabulate(table))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
