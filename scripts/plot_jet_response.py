"""Rule plot_jet_response: whether corrected jets have the transverse momentum of their partons."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.generators import draw_response_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(*, responses: list[Path], style: Path, response: list[Path], titles: list[str]) -> None:
    """Draw the ``responses`` of each detector and beams, which ``titles`` name."""
    tables = {title: io.read_table(path) for title, path in zip(titles, responses, strict=True)}
    with styled(style):
        figure = new_figure(0.3 + 3.3 * len(tables), width=10)
        draw_response_page(figure, tables=tables)
        io.save_figure(figure, *response)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
