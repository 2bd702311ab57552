"""Rule fit_categories: fill mass spectra of simulated events, and fit their falling parts."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bumpflow import io
from bumpflow.hunts.categories import Spectra, SpectraFiller, as_table, combinations
from bumpflow.hunts.objects import read_event_files, read_objects, refine
from bumpflow.hunts.shapes import fit_spectra, split_shapes
from bumpflow.workflow import run_rule

log = logging.getLogger(__name__)

N_ROWS = 20_000
"""Events of a piece; a piece's entries in all combinations are in memory at once."""


def main(
    *,
    events: list[Path],
    histograms: Path,
    shapes: Path,
    settings: dict[str, Any],
    darkmachines: dict[str, Any] | None,
) -> None:
    """Write the spectra of all categories of ``events``, and the ``shapes`` fitted to them."""
    filler = SpectraFiller(
        combinations(**settings["combinations"]),
        resolutions=settings["resolutions"],
        mass_range_gev=tuple(settings["mass_range_gev"]),
    )
    for piece in read_event_files(events, darkmachines=darkmachines, n_rows=N_ROWS):
        weights = np.ones(piece.num_rows)
        if settings["weighted"]:
            weights = settings["luminosity_fb"] * piece["weight_fb"].to_numpy()
        filler.fill(refine(read_objects(piece)), weights)
    min_events = settings["min_events"]
    n_spectra = filler.count_spectra(min_events=min_events)
    log.info("%d of %d spectra have %d events", n_spectra, filler.count_spectra(), min_events)
    with io.TableWriter(histograms) as writer:

        def written() -> Iterator[Spectra]:
            for block in filler.blocks(min_events=min_events):
                writer.write(as_table(block))
                yield block

        table, _ = fit_spectra(written(), n_bins=tuple(settings["n_bins"]), min_events=min_events)
    io.write_table(shapes, split_shapes(table))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
