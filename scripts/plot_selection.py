"""Rule plot_selection: what the classifier selects of signal, Monte Carlo and surrogate."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting import selection
from bumpflow.plotting.histograms import measure_densities
from bumpflow.plotting.names import ARMS, feature_ranges, feature_style
from bumpflow.plotting.overlays import draw_overlay_page, panel_rows
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    mc: Path,
    surrogate: Path,
    style: Path,
    roc: list[Path],
    score: list[Path],
    selected: list[Path],
    features: list[str],
    splits: list[str],
    cut: float,
    n_bins: int,
) -> None:
    """Draw the scores of all events of ``splits``, and the features of those ``selected``."""
    columns, names = [*features, "score", "weight"], ["template"]
    real = io.read_events(mc, features=columns[:-1], label=0, splits=splits)
    signal = io.read_events(mc, features=["score"], label=1, splits=splits)[:, 0]
    said = io.read_events(surrogate, features=columns[-2:], label=0, splits=names)
    scores = {"background": real[:, -1], "signal": signal, "generated": said[:, 0]}
    kept = real[real[:, -1] >= cut, :-1]
    ranges = feature_ranges(features, kept)
    pieces = io.read_event_pieces(surrogate, columns=columns, label=0, splits=names)
    after = selection.selected_densities(pieces, features, ranges, cut=cut, n_bins=n_bins)
    with styled(style):
        figure = new_figure(5.6)
        selection.draw_roc_page(figure, **scores, cut=cut, styles=ARMS)
        io.save_figure(figure, *roc)
        figure = new_figure(6.4, width=9)
        selection.draw_score_page(
            figure, **scores, weights=said[:, 1], cut=cut, n_bins=n_bins, styles=ARMS
        )
        io.save_figure(figure, *score)
        figure = new_figure(2.6 * panel_rows(len(features)), tight=False)
        draw_overlay_page(
            figure,
            reference=measure_densities(kept, ranges, n_bins),
            samples=after,
            features=[feature_style(f, x) for f, x in zip(features, kept.T, strict=True)],
            styles=ARMS,
            log=False,
        )
        io.save_figure(figure, *selected)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
