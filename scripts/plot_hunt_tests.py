"""Rule plot_hunt_tests: predicted against true significance, and coverage of intervals."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.hunt_tests import draw_cells_page, draw_coverage_page, draw_response_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    test: Path,
    style: Path,
    response: list[Path],
    cells: list[Path],
    coverage: list[Path],
    n_cells: int,
) -> None:
    """Draw what a ``test`` says: ``response``, bias and spread in ``cells``, ``coverage``."""
    table = io.read_table(test)
    with styled(style):
        figure = new_figure(5.4)
        draw_response_page(figure, table=table)
        io.save_figure(figure, *response)
        figure = new_figure(6.2)
        draw_cells_page(figure, table=table, n_cells=n_cells)
        io.save_figure(figure, *cells)
        figure = new_figure(6.2)
        draw_coverage_page(figure, table=table, n_cells=n_cells)
        io.save_figure(figure, *coverage)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
