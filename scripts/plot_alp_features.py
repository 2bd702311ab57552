"""Rule plot_alp_features: what is measured of photons of each signal and of background."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.plotting.alp_features import BACKGROUND, measure_photons
from bumpflow.plotting.names import PHOTONS, benchmark_styles
from bumpflow.plotting.shapes import draw_shape_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    background: Path,
    signals: list[Path],
    style: Path,
    features: list[Path],
    benchmarks: dict[str, Any],
) -> None:
    """Draw the ``features`` of events of the ``background`` and of ``signals``."""
    paths = {"background": background, **dict(zip(benchmarks, signals, strict=True))}
    with styled(style):
        figure = new_figure(7.6)
        draw_shape_page(
            figure,
            samples={name: measure_photons(io.read_table(path)) for name, path in paths.items()},
            features=PHOTONS,
            styles={"background": BACKGROUND, **benchmark_styles(benchmarks)},
        )
        io.save_figure(figure, *features)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
