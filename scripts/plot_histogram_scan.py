"""Rule plot_histogram_scan: one spectrum, what was found in it, and toys without signal."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.hunt_scan import draw_scan_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    bins: Path,
    toys: Path,
    summary: Path,
    style: Path,
    scan: list[Path],
    histogram: str,
    source: str,
) -> None:
    """Draw the ``scan`` of a ``histogram``, whose ``source`` is credited."""
    mine = [("histogram", "==", histogram)]
    found = io.read_table(summary, where=mine).to_dict("records")
    if not found:
        msg = f"{summary} has no row for the histogram {histogram!r}: scan it first"
        raise ValueError(msg)
    with styled(style):
        figure = new_figure(7.0)
        draw_scan_page(
            figure,
            bins=io.read_table(bins, where=mine),
            toys=io.read_table(toys, where=mine)["z_max"],
            summary={str(key): value for key, value in found[0].items()},
            source=source,
        )
        io.save_figure(figure, *scan)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
