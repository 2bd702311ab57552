"""Rule plot_benchmark: set generated HIGGS events beside the real ones, feature by feature."""

from pathlib import Path

from bumpflow import io
from bumpflow.ingest.layout import HIGGS_FEATURES
from bumpflow.plotting.histograms import measure_densities, sum_densities
from bumpflow.plotting.names import SOURCES, feature_ranges, feature_style
from bumpflow.plotting.overlays import draw_overlay_page, panel_heights
from bumpflow.plotting.style import new_figure, styled
from bumpflow.simulate.gather import CLASSES
from bumpflow.workflow import run_rule


def main(
    *,
    real: Path,
    generated: Path,
    style: Path,
    background: list[Path],
    signal: list[Path],
    splits: list[str],
    n_bins: int,
) -> None:
    """Draw all features of either class: ``real`` events of ``splits``, and ``generated`` ones."""
    features, ranges = list(HIGGS_FEATURES), feature_ranges(HIGGS_FEATURES)
    for paths, label in ((background, CLASSES["background"]), (signal, CLASSES["signal"])):
        pieces = io.read_event_pieces(real, columns=features, label=label, splits=splits)
        made = io.read_table(generated, columns=features, where=[("label", "==", label)])
        with styled(style):
            figure = new_figure(2.6 * sum(panel_heights(len(features))), tight=False)
            draw_overlay_page(
                figure,
                reference=sum_densities((piece.to_numpy() for piece in pieces), ranges, n_bins),
                samples={"generated": measure_densities(made.to_numpy(), ranges, n_bins)},
                features=[feature_style(name) for name in features],
                styles=SOURCES,
                log=False,
            )
            io.save_figure(figure, *paths)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
