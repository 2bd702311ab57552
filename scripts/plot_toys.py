"""Rule plot_toys: pulls and coverage in pseudo-experiments whose truth is known."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.plotting.names import ARMS, feature_style
from bumpflow.plotting.style import new_figure, styled
from bumpflow.plotting.toys import draw_toy_page
from bumpflow.workflow import run_rule


def main(
    *,
    results: list[Path],
    pulls: list[Path],
    style: Path,
    toys: list[Path],
    observables: dict[str, Any],
    arms: list[str],
) -> None:
    """Draw the ``pulls`` of all ``arms`` and their coverage, a row per observable."""
    shown = [feature_style(block["column"]).symbol for block in observables.values()]
    with styled(style):
        figure = new_figure(0.6 + 2.7 * len(shown))
        draw_toy_page(
            figure,
            pulls={name: io.read_table(path) for name, path in zip(shown, pulls, strict=True)},
            results={name: io.read_table(path) for name, path in zip(shown, results, strict=True)},
            styles={arm: ARMS[arm] for arm in arms},
        )
        io.save_figure(figure, *toys)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
