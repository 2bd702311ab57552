"""Rule plot_hunt_ranking: all scanned spectra by their global p-value, and the first of them."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.hunts import TOP_COLUMNS, draw_ranking_page, draw_top_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    bins: Path,
    summary: Path,
    style: Path,
    ranking: list[Path],
    top: list[Path],
    n_ranked: int,
    n_drawn: int,
) -> None:
    """Draw the ``ranking``, with ``n_ranked`` names, and the ``top`` spectra, ``n_drawn``."""
    table = io.read_table(summary)
    first = table.nsmallest(n_drawn, "rank")
    mine = [("histogram", "in", first["histogram"].tolist())]
    with styled(style):
        figure = new_figure(2.2 + 0.26 * max(min(len(table), n_ranked), 8))
        draw_ranking_page(figure, table=table, n_shown=n_ranked)
        io.save_figure(figure, *ranking)
        figure = new_figure(0.8 + 3.2 * -(-len(first) // TOP_COLUMNS))
        draw_top_page(figure, bins=io.read_table(bins, where=mine), table=first)
        io.save_figure(figure, *top)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
