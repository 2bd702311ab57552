"""Rule fit_mass_shapes: fit peaks to simulation, and choose the background's shape."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.resonance.background_fits import choose_background, compare_backgrounds
from bumpflow.resonance.peak_fits import fit_peak
from bumpflow.resonance.shapes import Window
from bumpflow.resonance.store import COMPONENT, ROLE, TRAIN, data_tables
from bumpflow.workflow import run_rule


def main(
    *,
    events: Path,
    shapes: Path,
    families: Path,
    measurement: dict[str, Any],
    settings: dict[str, Any],
) -> None:
    """Write the ``shapes`` and the table of ``families`` that the background's was chosen from."""
    table, mass = io.read_table(events), measurement["mass"]
    window, region = (Window(*measurement[key]) for key in ("window_gev", "signal_region_gev"))
    fitted = {}
    for name in ("signal", *measurement["others"]):
        chosen = table[(table[COMPONENT] == name) & (table[ROLE] == TRAIN)]
        fitted[name] = fit_peak(chosen[mass].to_numpy(), region)
    compared = compare_backgrounds(
        data_tables(table)[0][mass].to_numpy(),
        window,
        fitted["signal"].peak,
        families=settings["series"],
        max_order=settings["max_order"],
    )
    choice = choose_background(compared, rule=settings["rule"])
    row = compared[(compared["series"] == choice.series) & (compared["order"] == choice.order)]
    theta = [float(row[f"theta{index + 1}"].iloc[0]) for index in range(choice.order)]
    io.write_table(families, compared)
    quality = {
        name: {"p": one.p_value, "n": one.n, "valid": one.valid, "errors": one.errors._asdict()}
        for name, one in fitted.items()
    }
    peaks = {name: one.peak._asdict() for name, one in fitted.items()}
    background = choice._asdict() | {"theta": theta}
    io.write_json(shapes, {"peaks": peaks, "quality": quality, "background": background})


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
