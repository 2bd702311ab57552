"""Rule test_resonance: limits, intervals by toys, and a scan of the mass."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.device import choose_device
from bumpflow.resonance.hypotheses import Hypotheses
from bumpflow.resonance.scoring import data_set
from bumpflow.resonance.store import data_tables, load_measurement, tensors_of
from bumpflow.workflow import run_rule


def main(
    *,
    events: Path,
    shapes: Path,
    densities: list[Path],
    belt: Path,
    scan: Path,
    scan_toys: Path,
    tests: Path,
    measurement: dict[str, Any],
    settings: dict[str, Any],
    device: str,
    seed: int,
) -> None:
    """Test the first data set; write a toy ``belt``, the mass ``scan``, its toys and ``tests``."""
    on = choose_device(device)
    loaded = load_measurement(shapes, densities, measurement, device=on)
    table = data_tables(io.read_table(events))[0]
    x, mass = tensors_of(table, measurement["features"], measurement["mass"], on)
    data = data_set(x, mass, loaded.densities, loaded.masses.signal_region)
    hypotheses = Hypotheses(loaded, data, (x, mass), settings, seed=seed)
    accepted = hypotheses.belt()
    found = hypotheses.scan()
    io.write_table(belt, hypotheses.belt_table(accepted))
    io.write_table(scan, hypotheses.scan_table(found))
    io.write_table(scan_toys, hypotheses.scan_toys_table(found))
    io.write_json(tests, hypotheses.record(accepted, found))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
