"""Rule plot_c2st: what classifiers say about generated events."""

from pathlib import Path

from bumpflow import io
from bumpflow.evaluate.c2st import density_ratio_tails
from bumpflow.plotting.c2st import Scores, draw_ratio_page, draw_roc_page, draw_tail_page
from bumpflow.plotting.names import MODELS, feature_style, model_style, tail_styles
from bumpflow.plotting.overlays import COLUMNS, panel_rows
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    tables: list[Path],
    records: list[Path],
    style: Path,
    roc: list[Path],
    ratio: list[Path],
    tails: list[Path],
    features: list[str],
    classifiers: list[str],
    judged: list[str],
    model: str,
    tail_fraction: float,
    n_bins: int,
) -> None:
    """Draw ROC curves, density ratios, and the features of the worst events of ``model``."""
    found = {name: io.read_table(path) for name, path in zip(judged, tables, strict=True)}
    said = {name: io.read_json(path) for name, path in zip(judged, records, strict=True)}
    scores = {
        witness: {name: Scores.from_table(found[name], said[name], witness) for name in judged}
        for witness in classifiers
    }
    styles = {"mc": MODELS["mc"]} | {name: model_style(name) for name in judged}
    first = classifiers[0]
    generated = found[model].query("label == 1")
    low, high = density_ratio_tails(
        generated[f"log_ratio_{first}"].to_numpy(), fraction=tail_fraction
    )
    with styled(style):
        draw_roc_page(figure := new_figure(7.4, width=10), scores=scores, styles=styles)
        io.save_figure(figure, *roc)
        figure = new_figure(0.4 + 2.6 * -(-len(judged) // COLUMNS))
        draw_ratio_page(figure, scores=scores[first], styles=styles, tail_fraction=tail_fraction)
        io.save_figure(figure, *ratio)
        x, shown = generated[features].to_numpy(), [feature_style(name) for name in features]
        kinds = tail_styles(model_style(model), tail_fraction)
        figure = new_figure(2.0 * panel_rows(len(features)))
        draw_tail_page(
            figure, x=x, low=low, high=high, features=shown, styles=kinds, n_bins=n_bins
        )
        io.save_figure(figure, *tails)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
