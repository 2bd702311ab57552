"""Rule plot_resonance_features: mass and features of signal and background, by region."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.plotting.names import event_styles
from bumpflow.plotting.resonance_events import draw_features_page, panel_heights, split_components
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *, events: Path, style: Path, features: list[Path], measurement: dict[str, Any], n_bins: int
) -> None:
    """Draw the ``features`` of ``events`` of a ``measurement``."""
    table = io.read_table(events)
    mass, region = measurement["mass"], measurement["signal_region_gev"]
    shown = event_styles(
        table, measurement["features"], mass=mass, window=measurement["window_gev"]
    )
    with styled(style):
        figure = new_figure(2.9 * sum(panel_heights(len(shown))))
        draw_features_page(
            figure,
            components=split_components(table, mass=mass, region=region),
            features=shown,
            region=region,
            n_bins=n_bins,
        )
        io.save_figure(figure, *features)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
