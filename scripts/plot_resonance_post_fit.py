"""Rule plot_resonance_post_fit: data on the fitted model in the signal region."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.plotting.names import event_styles
from bumpflow.plotting.resonance_events import panel_heights
from bumpflow.plotting.resonance_post_fit import draw_post_fit_page, renamed
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    data: Path,
    model: Path,
    goodness: Path,
    style: Path,
    post_fit: list[Path],
    signal_like: list[Path],
    measurement: dict[str, Any],
    n_bins: int,
) -> None:
    """Draw ``post_fit`` projections, and those of the most ``signal_like`` events."""
    observed, drawn, tests = map(io.read_table, (data, model, goodness))
    shown = renamed(
        event_styles(
            drawn,
            measurement["features"],
            mass=measurement["mass"],
            window=measurement["signal_region_gev"],
        )
    )
    pages = {"signal_region": (post_fit, n_bins), "signal_like": (signal_like, n_bins // 2)}
    with styled(style):
        for region, (paths, bins) in pages.items():
            figure = new_figure(3.6 * sum(panel_heights(len(shown))))
            draw_post_fit_page(
                figure,
                data=observed,
                model=drawn,
                goodness=tests,
                features=shown,
                region=region,
                n_bins=bins,
            )
            io.save_figure(figure, *paths)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
