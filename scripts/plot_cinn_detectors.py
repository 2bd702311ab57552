"""Rule plot_cinn_detectors: what detectors of different resolution reach in the mass."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.plotting import cinn_detectors
from bumpflow.plotting.names import benchmark_styles
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    comparison: Path,
    geometries: Path,
    maps: Path,
    style: Path,
    resolution: list[Path],
    coverage: list[Path],
    displaced: list[Path],
    sensitivity: list[Path],
    benchmarks: dict[str, Any],
    datasets: list[str],
) -> None:
    """Draw ``resolution`` and ``coverage`` by method, ``displaced`` set-ups, and ``sensitivity``."""
    table, apart, mapped = map(io.read_table, (comparison, geometries, maps))
    styles = benchmark_styles(benchmarks)
    pages = ((cinn_detectors.QUANTITIES, resolution), (cinn_detectors.COVERAGES, coverage))
    with styled(style):
        for quantities, paths in pages:
            figure = new_figure(1.1 + 2.6 * len(quantities))
            cinn_detectors.draw_methods_page(
                figure, comparison=table, quantities=quantities, benchmarks=styles
            )
            io.save_figure(figure, *paths)
        figure = new_figure(8.9)
        cinn_detectors.draw_displaced_page(
            figure, displaced=apart, datasets=datasets, benchmarks=styles
        )
        io.save_figure(figure, *displaced)
        figure = new_figure(9.6)
        cinn_detectors.draw_map_page(figure, maps=mapped, detectors=table, benchmarks=styles)
        io.save_figure(figure, *sensitivity)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
