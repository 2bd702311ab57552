"""Rule plot_bmesons: momenta of B mesons from a beam dump, generated and parametrised."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.names import GEV_FEATURES, sample_styles
from bumpflow.plotting.shapes import draw_comparison_page, measure_momenta, measure_shapes
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule

FEATURES = ("pz", "pt", "energy", "theta_mrad")


def main(
    *, events: list[Path], style: Path, spectra: list[Path], samples: list[str], n_bins: int
) -> None:
    """Draw the ``events`` of ``samples``; the first of them is the reference."""
    shown = {name: GEV_FEATURES[name] for name in FEATURES}
    tables = {
        name: measure_momenta(
            io.read_table(path, columns=["px", "py", "pz", "energy", "weight_fb"])
        )
        for name, path in zip(samples, events, strict=True)
    }
    with styled(style):
        figure = new_figure(4.6)
        draw_comparison_page(
            figure,
            samples=measure_shapes(tables, shown, n_bins),
            features=list(shown.values()),
            styles=sample_styles(samples),
        )
        io.save_figure(figure, *spectra)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
