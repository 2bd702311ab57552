"""Rule check_resonance: test the interpolated density, and the fitted model against the data."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.classifiers import TreeSettings
from bumpflow.device import choose_device
from bumpflow.resonance.closure import check_closure, goodness_table, model_events, signal_like
from bumpflow.resonance.densities import load_densities
from bumpflow.resonance.store import data_tables, load_measurement, unseen_background
from bumpflow.workflow import run_rule


def main(
    *,
    events: Path,
    shapes: Path,
    densities: list[Path],
    edges: list[Path],
    parameters: Path,
    closure: Path,
    goodness: Path,
    data: Path,
    model: Path,
    measurement: dict[str, Any],
    settings: dict[str, Any],
    device: str,
    seed: int,
) -> None:
    """Write ``closure`` and ``goodness`` of the first data set, with its ``data`` and ``model``."""
    on = choose_device(device)
    loaded = load_measurement(shapes, densities, measurement, device=on)
    trees, mass = TreeSettings(**settings["trees"]), measurement["mass"]
    region = loaded.masses.signal_region
    table = io.read_table(events)
    found = check_closure(
        unseen_background(table, mass=mass, signal_region=region),
        loaded.densities.backgrounds,
        [load_densities(path, device=on)[0] for path in edges],
        mass=mass,
        signal_region=region,
        edge_gev=settings["edge_gev"],
        settings=trees,
        seed=seed,
    )
    values = dict(io.read_table(parameters)[["parameter", "value"]].to_numpy().tolist())
    drawn = model_events(loaded, values, n=settings["n_model"], seed=seed)
    first = data_tables(table)[0].rename(columns={mass: "mass"})
    first = first[region.holds(first["mass"].to_numpy())]
    first, drawn = (
        part.assign(ratio=signal_like(part, loaded, mass="mass")) for part in (first, drawn)
    )
    tests = goodness_table(first, drawn, measurement["features"], settings=trees, seed=seed)
    for path, result in ((closure, found), (goodness, tests), (data, first), (model, drawn)):
        io.write_table(path, result)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
