"""Rule plot_cinn_posteriors: posteriors of mass and lifetime, and how wide they are."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.plotting.cinn_posteriors import (
    draw_posteriors_page,
    draw_roles_page,
    prior_corners,
    prior_widths,
)
from bumpflow.plotting.names import benchmark_styles
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    examples: Path,
    widths: Path,
    style: Path,
    posteriors: list[Path],
    roles: list[Path],
    benchmarks: dict[str, Any],
    prior: dict[str, list[float]],
) -> None:
    """Draw ``examples`` of ``posteriors``, and ``widths`` of both parameters as their ``roles``."""
    drawn, table = io.read_table(examples), io.read_table(widths)
    with styled(style):
        figure = new_figure(4.0)
        draw_posteriors_page(
            figure,
            examples=drawn,
            corners=prior_corners(prior),
            benchmarks=benchmark_styles(benchmarks),
        )
        io.save_figure(figure, *posteriors)
        figure = new_figure(5.6)
        draw_roles_page(figure, roles=table, prior=prior_widths(prior))
        io.save_figure(figure, *roles)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
