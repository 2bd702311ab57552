"""Rule plot_overlays: set generated beside unseen events, feature by feature."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.histograms import measure_densities, sum_densities
from bumpflow.plotting.names import MODELS, feature_ranges, feature_style, model_style
from bumpflow.plotting.overlays import draw_overlay_page, panel_rows
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    events: Path,
    generated: list[Path],
    style: Path,
    every: list[Path],
    every_log: list[Path],
    one: list[Path],
    one_log: list[Path],
    features: list[str],
    label: int,
    splits: list[str],
    models: list[str],
    model: str,
    n_bins: int,
) -> None:
    """Draw all ``models`` into ``every``, and ``model`` alone into ``one``."""
    unseen = io.read_events(events, features=features, label=label, splits=splits)
    ranges = feature_ranges(features, unseen)
    reference = measure_densities(unseen, ranges, n_bins)
    samples = {}
    for name, path in zip(models, generated, strict=True):
        pieces = (piece.select(features).to_pandas().to_numpy() for piece in io.read_pieces(path))
        samples[name] = sum_densities(pieces, ranges, n_bins)
    alone = {model: samples[model]}
    pages = ((every, samples, False), (every_log, samples, True), (one, alone, False))
    for paths, shown, log in (*pages, (one_log, alone, True)):
        with styled(style):
            figure = new_figure(2.6 * panel_rows(len(features)), tight=False)
            draw_overlay_page(
                figure,
                reference=reference,
                samples=shown,
                features=[feature_style(f, x) for f, x in zip(features, unseen.T, strict=True)],
                styles={"mc": MODELS["mc"]} | {name: model_style(name) for name in shown},
                log=log,
            )
            io.save_figure(figure, *paths)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
