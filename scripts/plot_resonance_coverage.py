"""Rule plot_resonance_coverage: how often intervals hold a known truth."""

from pathlib import Path

import pandas as pd

from bumpflow import io
from bumpflow.plotting.resonance_tests import draw_coverage_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(*, toys: list[Path], style: Path, coverage: list[Path]) -> None:
    """Draw the ``coverage`` that ``toys`` of several trainings have."""
    with styled(style):
        figure = new_figure(6.6)
        draw_coverage_page(figure, toys=pd.concat(map(io.read_table, toys)))
        io.save_figure(figure, *coverage)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
