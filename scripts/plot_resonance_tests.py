"""Rule plot_resonance_tests: scan of the mass, and intervals by toys."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.plotting.names import event_styles
from bumpflow.plotting.resonance_tests import draw_belt_page, draw_scan_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    scan: Path,
    scan_toys: Path,
    belt: Path,
    tests: Path,
    style: Path,
    mass_scan: list[Path],
    acceptance: list[Path],
    measurement: dict[str, Any],
    n_toys: int,
) -> None:
    """Draw the ``mass_scan`` and the ``acceptance`` of signals by ``n_toys`` each."""
    table, record, mass = io.read_table(scan), io.read_json(tests), measurement["mass"]
    window = measurement["signal_region_gev"]
    with styled(style):
        figure = new_figure(4.6)
        draw_scan_page(
            figure,
            scan=table,
            toys=io.read_table(scan_toys)["z_max"].to_numpy(float),
            tests=record,
            style=event_styles(table, [], mass=mass, window=window)[mass],
        )
        io.save_figure(figure, *mass_scan)
        figure = new_figure(5.4)
        draw_belt_page(figure, belt=io.read_table(belt), tests=record, n_toys=n_toys)
        io.save_figure(figure, *acceptance)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
