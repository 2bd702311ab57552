"""Rule plot_resonance_smearing: features before and after noise was added to them."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.plotting.names import event_styles
from bumpflow.plotting.resonance_events import draw_smearing_page, panel_heights, split_kinds
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    plain: Path,
    smeared: Path,
    style: Path,
    smearing: list[Path],
    measurement: dict[str, Any],
    n_bins: int,
) -> None:
    """Draw ``plain`` and ``smeared`` features of the same events into ``smearing``."""
    before, after = map(io.read_table, (plain, smeared))
    mass = measurement["mass"]
    shown = event_styles(
        before, measurement["features"], mass=mass, window=measurement["window_gev"]
    )
    del shown[mass]
    with styled(style):
        figure = new_figure(2.9 * sum(panel_heights(len(shown))))
        draw_smearing_page(
            figure,
            before=split_kinds(before),
            after=split_kinds(after),
            features=shown,
            n_bins=n_bins,
        )
        io.save_figure(figure, *smearing)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
