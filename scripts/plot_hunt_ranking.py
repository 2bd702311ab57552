"""Rule plot_hunt_ranking: all scanned spectra by their global p-value."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.hunts import draw_ranking_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(*, summary: Path, style: Path, ranking: list[Path], n_shown: int) -> None:
    """Draw the ``ranking`` of all spectra, of which ``n_shown`` get their names."""
    table = io.read_table(summary)
    with styled(style):
        figure = new_figure(2.2 + 0.26 * max(min(len(table), n_shown), 8))
        draw_ranking_page(figure, table=table, n_shown=n_shown)
        io.save_figure(figure, *ranking)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
