"""Rule plot_alp_hunts: how hunts tell compatible pairs, and what they reach in toys."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.plotting.alp_hunts import draw_hunts_page, draw_roc_page, draw_statistic_page
from bumpflow.plotting.names import benchmark_styles
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    curves: list[Path],
    rejections: list[Path],
    points: list[Path],
    distributions: list[Path],
    style: Path,
    roc: list[Path],
    statistic: list[Path],
    hunts: list[Path],
    resolutions: list[str],
    benchmarks: dict[str, Any],
    n_pairs: int,
    benchmark: str,
    rates: list[list[float]],
) -> None:
    """Draw ``roc``, the ``statistic`` for a ``benchmark`` at the first rates, and all ``hunts``."""
    pairs, ranked, reached, counted = (
        dict(zip(resolutions, map(io.read_table, paths), strict=True))
        for paths in (curves, rejections, points, distributions)
    )
    styles, n = benchmark_styles(benchmarks), len(resolutions)
    with styled(style):
        figure = new_figure(0.8 + 3.6 * n)
        draw_roc_page(figure, curves=pairs, rejections=ranked, benchmarks=styles, n_pairs=n_pairs)
        io.save_figure(figure, *roc)
        figure = new_figure(0.8 + 3.1 * n)
        draw_statistic_page(
            figure,
            distributions=counted,
            points=reached,
            benchmark=benchmark,
            rates=(rates[0][0], rates[0][1]),
        )
        io.save_figure(figure, *statistic)
        figure = new_figure(0.8 + 3.4 * n)
        draw_hunts_page(figure, points=reached, benchmarks=styles)
        io.save_figure(figure, *hunts)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
