"""Rule plot_resonance_shapes: shapes in mass on data and on simulated signal."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.plotting.names import event_styles
from bumpflow.plotting.resonance_fits import draw_shapes_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.resonance.shapes import Window
from bumpflow.resonance.store import COMPONENT, ROLE, TRAIN, data_tables
from bumpflow.workflow import run_rule


def main(
    *,
    events: Path,
    shapes: Path,
    families: Path,
    style: Path,
    mass_shapes: list[Path],
    measurement: dict[str, Any],
    n_bins: int,
) -> None:
    """Draw ``shapes`` and ``families`` on the ``events`` that they were fitted to."""
    table, mass = io.read_table(events), measurement["mass"]
    window, region = (Window(*measurement[key]) for key in ("window_gev", "signal_region_gev"))
    simulated = table[(table[COMPONENT] == "signal") & (table[ROLE] == TRAIN)]
    with styled(style):
        figure = new_figure(5.4)
        draw_shapes_page(
            figure,
            data=data_tables(table)[0][mass].to_numpy(float),
            simulated=simulated[mass].to_numpy(float),
            families=io.read_table(families),
            shapes=io.read_json(shapes),
            window=window,
            region=region,
            style=event_styles(table, [], mass=mass, window=window)[mass],
            n_bins=n_bins,
        )
        io.save_figure(figure, *mass_shapes)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
