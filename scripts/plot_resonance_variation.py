"""Rule plot_resonance_variation: features that systematics vary."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.plotting.names import event_styles
from bumpflow.plotting.resonance_events import draw_variation_page, split_kinds, varied_panels
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *, events: Path, style: Path, variation: list[Path], measurement: dict[str, Any], n_bins: int
) -> None:
    """Draw the ``variation`` of ``events`` by the systematics of a ``measurement``."""
    table, systematics = io.read_table(events), measurement["systematics"]
    shown = event_styles(
        table,
        measurement["features"],
        mass=measurement["mass"],
        window=measurement["window_gev"],
    )
    with styled(style):
        figure = new_figure(0.6 + 4.2 * len(varied_panels(systematics)))
        draw_variation_page(
            figure,
            tables=split_kinds(table),
            systematics=systematics,
            features=shown,
            n_bins=n_bins,
        )
        io.save_figure(figure, *variation)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
