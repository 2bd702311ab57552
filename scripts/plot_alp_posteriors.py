"""Rule plot_alp_posteriors: posteriors of single events and of several, against the truth."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.alp_inference import draw_mistakes_page, draw_scaling_page
from bumpflow.plotting.alp_posteriors import draw_posteriors_page, draw_widths_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    judged: list[Path],
    covered: list[Path],
    photons: list[Path],
    toys: list[Path],
    mistakes: Path,
    style: Path,
    posteriors: list[Path],
    widths: list[Path],
    scaling: list[Path],
    coverage: list[Path],
    resolutions: list[str],
) -> None:
    """Draw calibration and ``widths`` of ``posteriors``, their ``scaling`` and ``coverage``."""
    events, curves, measured, scaled = (
        dict(zip(resolutions, map(io.read_table, paths), strict=True))
        for paths in (judged, covered, photons, toys)
    )
    n = len(resolutions)
    with styled(style):
        figure = new_figure(1.0 + 2.9 * n)
        draw_posteriors_page(figure, events=events, coverage=curves)
        io.save_figure(figure, *posteriors)
        figure = new_figure(4.8, width=min(12, 2 + 5 * n))
        draw_widths_page(figure, events=events, photons=measured)
        io.save_figure(figure, *widths)
        figure = new_figure(5.8, width=min(12, 2 + 5 * n))
        draw_scaling_page(figure, toys=scaled)
        io.save_figure(figure, *scaling)
        table = io.read_table(mistakes)
        figure = new_figure(0.6 + 3.4 * len(table.groupby(["n_background", "n_signal"])))
        draw_mistakes_page(figure, coverage=table)
        io.save_figure(figure, *coverage)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
