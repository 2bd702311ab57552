"""Rule plot_double_higgs: cross-sections of Higgs-boson pairs by self-coupling."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.generators import draw_double_higgs_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(*, spectra: Path, totals: Path, style: Path, crosssections: list[Path]) -> None:
    """Draw the ``spectra`` of masses, and ``totals`` against the self-coupling."""
    with styled(style):
        figure = new_figure(5.6, width=11)
        draw_double_higgs_page(
            figure, spectra=io.read_table(spectra), totals=io.read_table(totals)
        )
        io.save_figure(figure, *crosssections)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
