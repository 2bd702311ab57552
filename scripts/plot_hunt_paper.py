"""Rule plot_hunt_paper: the task of the first publication."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.hunt_methods import draw_paper_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(*, test: Path, style: Path, paper: list[Path]) -> None:
    """Draw what a network makes of the published task, from its ``test``."""
    with styled(style):
        figure = new_figure(4.8)
        draw_paper_page(figure, table=io.read_table(test))
        io.save_figure(figure, *paper)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
