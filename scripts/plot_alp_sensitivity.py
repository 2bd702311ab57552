"""Rule plot_alp_sensitivity: what hunts reach at many rates and thresholds."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.plotting import alp_sensitivity
from bumpflow.plotting.names import benchmark_styles
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    maps: Path,
    thresholds: Path,
    purities: Path,
    style: Path,
    sensitivity: list[Path],
    gain: list[Path],
    threshold: list[Path],
    purity: list[Path],
    benchmarks: dict[str, Any],
    chosen: float,
) -> None:
    """Draw ``sensitivity`` and ``gain`` at all rates, ``threshold`` and ``purity``."""
    rates, tried, pure = map(io.read_table, (maps, thresholds, purities))
    styles = benchmark_styles(benchmarks)
    n, n_hunts = len(styles), pure["hunt"].nunique()
    n_rates = len(alp_sensitivity.shown_rates(tried)[0])
    with styled(style):
        figure = new_figure(0.8 + 2.6 * n)
        alp_sensitivity.draw_sensitivity_page(figure, maps=rates, benchmarks=styles)
        io.save_figure(figure, *sensitivity)
        figure = new_figure(0.8 + 2.6 * n)
        alp_sensitivity.draw_gain_page(figure, maps=rates, benchmarks=styles)
        io.save_figure(figure, *gain)
        figure = new_figure(0.8 + 2.9 * n_rates)
        alp_sensitivity.draw_thresholds_page(
            figure, thresholds=tried, benchmarks=styles, chosen=chosen
        )
        io.save_figure(figure, *threshold)
        figure = new_figure(0.9 + 2.5 * max(n_hunts, 1))
        alp_sensitivity.draw_purity_page(figure, purities=pure, benchmarks=styles, chosen=chosen)
        io.save_figure(figure, *purity)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
