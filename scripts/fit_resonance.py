"""Rule fit_resonance: fit every data set by every method."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.resonance.pools import N_NORMS, norms_of
from bumpflow.resonance.scoring import data_set
from bumpflow.resonance.store import data_tables, load_measurement, tensors_of
from bumpflow.resonance.tables import Fitter, curve_table, fit_table, parameter_table
from bumpflow.resonance.timing import time_fit
from bumpflow.workflow import progress, run_rule


def main(
    *,
    events: Path,
    shapes: Path,
    families: Path,
    densities: list[Path],
    fits: Path,
    curves: Path,
    parameters: Path,
    timing: Path,
    measurement: dict[str, Any],
    methods: list[str],
    interpreted: str,
    curve_points: int,
    interpolation: str,
    device: str,
    seed: int,
) -> None:
    """Write ``fits`` of all data sets; ``curves``, ``parameters`` and ``timing`` of the first."""
    on = choose_device(device)
    loaded = load_measurement(shapes, densities, measurement, device=on)
    generator = torch.Generator(on).manual_seed(seed)
    norms = norms_of(loaded, N_NORMS, generator) if interpolation == "piecewise" else None
    compared = io.read_table(families)
    tables, fitters = [], []
    for number, table in enumerate(progress(data_tables(io.read_table(events)))):
        x, mass = tensors_of(table, measurement["features"], measurement["mass"], on)
        data = data_set(x, mass, loaded.densities, loaded.masses.signal_region)
        fitters.append(Fitter(data, loaded, families=compared, norms=norms))
        tables.append(fit_table(fitters[-1], methods).assign(dataset=number))
    io.write_table(fits, pd.concat(tables, ignore_index=True))
    io.write_table(curves, curve_table(fitters[0], methods, n_points=curve_points))
    io.write_table(parameters, parameter_table(fitters[0], interpreted))
    io.write_json(timing, time_fit(fitters[0], interpreted))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
