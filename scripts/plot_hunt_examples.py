"""Rule plot_hunt_examples: spectra with a known bump, and what is found in them."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.hunts import draw_examples_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(*, table: Path, style: Path, examples: list[Path]) -> None:
    """Draw the ``examples`` in ``table``."""
    with styled(style):
        figure = new_figure(5.8)
        draw_examples_page(figure, table=io.read_table(table))
        io.save_figure(figure, *examples)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
