"""Rule plot_corner: pairs of features of generated and of unseen events."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.corner import draw_corner, draw_pair_matrix
from bumpflow.plotting.names import MODELS, feature_style, model_style
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    events: Path,
    generated: Path,
    style: Path,
    few: list[Path],
    every: list[Path],
    features: list[str],
    corner_features: list[str],
    label: int,
    splits: list[str],
    model: str,
) -> None:
    """Draw pairs of ``corner_features`` into ``few``, and of all ``features`` into ``every``."""
    real = io.read_events(events, features=features, label=label, splits=splits)
    as_many = next(io.read_pieces(generated, n_rows=len(real)))
    drawn = as_many.select(features).to_pandas().to_numpy()
    styles = [MODELS["mc"], model_style(model)]
    shown = [feature_style(name, x) for name, x in zip(features, real.T, strict=True)]
    chosen = [features.index(name) for name in corner_features]
    with styled(style):
        figure = new_figure(11, width=11, tight=False)
        draw_corner(
            figure,
            samples=[real[:, chosen], drawn[:, chosen]],
            styles=styles,
            features=[shown[index] for index in chosen],
        )
        io.save_figure(figure, *few)
        figure = new_figure(12)
        draw_pair_matrix(
            figure.subplots(), real=real, generated=drawn, features=shown, styles=styles
        )
        io.save_figure(figure, *every)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
