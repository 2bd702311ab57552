"""Rule plot_scans: signal strength, significance and limits against luminosity and events."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.plotting import scans
from bumpflow.plotting.names import ARMS, feature_style
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    tables: list[Path],
    style: Path,
    strength: list[Path],
    spurious: list[Path],
    significance: list[Path],
    limits_luminosity: list[Path],
    limits_generated: list[Path],
    difference: list[Path],
    observables: dict[str, Any],
    arms: list[str],
    compared: list[str],
    systematic: float,
    systematics: list[float],
) -> None:
    """Draw all ``arms`` where they are lines, and those ``compared`` where there is more."""
    shown = [feature_style(block["column"]).symbol for block in observables.values()]
    found = {name: io.read_table(path) for name, path in zip(shown, tables, strict=True)}
    every, few = ({arm: ARMS[arm] for arm in names} for names in (arms, compared))
    height = 0.6 + 3.0 * len(shown)
    with styled(style):
        scans.draw_strength_page(
            figure := new_figure(height), tables=found, styles=few, systematic=systematic
        )
        io.save_figure(figure, *strength)
        for draw, paths in (
            (scans.draw_spurious_page, spurious),
            (scans.draw_significance_page, significance),
        ):
            draw(figure := new_figure(height), tables=found, styles=every, systematic=systematic)
            io.save_figure(figure, *paths)
        for scan, paths in (("luminosity", limits_luminosity), ("generated", limits_generated)):
            figure = new_figure(height)
            scans.draw_limit_page(
                figure, tables=found, styles=few, systematics=systematics, scan=scan
            )
            io.save_figure(figure, *paths)
        figure = new_figure(height)
        scans.draw_difference_page(figure, tables=found, styles=few, systematics=systematics)
        io.save_figure(figure, *difference)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
