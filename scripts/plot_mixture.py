"""Rule plot_mixture: spectra and categories of Standard Model events, by component."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.mixture import log_edges, sum_categories, sum_spectra
from bumpflow.plotting.names import SPECTRA, sample_styles
from bumpflow.plotting.spectra import draw_category_page, draw_spectra_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    events: Path,
    style: Path,
    spectra: list[Path],
    categories: list[Path],
    samples: list[str],
    n_bins: int,
) -> None:
    """Draw ``spectra`` of the components ``samples``, and how many events ``categories`` have."""
    styles = sample_styles(samples)
    edges = {name: log_edges(one.low, one.high, n_bins) for name, one in SPECTRA.items()}
    with styled(style):
        figure = new_figure(7.2)
        draw_spectra_page(
            figure,
            spectra=sum_spectra(io.read_pieces(events), samples=samples, edges=edges),
            observables=SPECTRA,
            styles=styles,
        )
        io.save_figure(figure, *spectra)
        figure = new_figure(4.6)
        draw_category_page(figure, table=sum_categories(io.read_pieces(events)), styles=styles)
        io.save_figure(figure, *categories)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
