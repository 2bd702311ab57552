"""Rule plot_divergences: how far surrogates are from Monte Carlo, in one dimension."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.divergences import draw_feature_page, draw_summary_page
from bumpflow.plotting.names import feature_style, model_style
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    tables: list[Path],
    records: list[Path],
    style: Path,
    means: list[Path],
    by_feature: list[Path],
    features: list[str],
    models: list[str],
) -> None:
    """Draw the divergences of ``models``: ``means`` over features, and ``by_feature``."""
    found = {name: io.read_table(path) for name, path in zip(models, tables, strict=True)}
    relative = {
        name: io.read_json(path)["relative"] for name, path in zip(models, records, strict=True)
    }
    styles = {name: model_style(name) for name in models}
    with styled(style):
        figure = new_figure(1.2 + 0.4 * len(models))
        draw_summary_page(figure, relative=relative, styles=styles)
        io.save_figure(figure, *means)
        figure = new_figure(1.2 + 0.42 * len(features))
        draw_feature_page(
            figure,
            tables=found,
            features={name: feature_style(name) for name in features},
            styles=styles,
        )
        io.save_figure(figure, *by_feature)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
