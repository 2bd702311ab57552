"""Rule plot_hunt_comparison: other methods on the same histograms."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.hunt_methods import draw_comparison_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(*, table: Path, style: Path, comparison: list[Path]) -> None:
    """Draw the ``comparison`` of methods in ``table``."""
    with styled(style):
        figure = new_figure(4.8)
        draw_comparison_page(figure, table=io.read_table(table))
        io.save_figure(figure, *comparison)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
