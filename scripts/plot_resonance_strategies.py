"""Rule plot_resonance_strategies: fits of the mass, after a cut, and of a binned score."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.plotting.names import event_styles
from bumpflow.plotting.resonance_fits import draw_strategies_page, strategy_spectra
from bumpflow.plotting.style import new_figure, styled
from bumpflow.resonance.store import masses_of
from bumpflow.workflow import run_rule


def main(
    *,
    scores: Path,
    strategies: Path,
    shapes: Path,
    style: Path,
    examples: list[Path],
    measurement: dict[str, Any],
    n_bins: int,
) -> None:
    """Draw fits of the first data set by its ``scores`` and ``strategies``, as ``examples``."""
    table, fitted = io.read_table(scores), io.read_table(strategies)
    first = fitted[fitted["dataset"] == 0].set_index("strategy").astype(float)
    columns = [str(name) for name in first]
    results = {
        str(name): dict(zip(columns, row, strict=True)) for name, *row in first.itertuples()
    }
    masses, mass = masses_of(io.read_json(shapes), measurement), measurement["mass"]
    with styled(style):
        figure = new_figure(4.6)
        draw_strategies_page(
            figure,
            spectra=strategy_spectra(
                table, masses, signal=results["binned_dnn"]["signal"], n_bins=n_bins
            ),
            results=results,
            style=event_styles(table, [], mass=mass, window=masses.window)[mass],
        )
        io.save_figure(figure, *examples)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
