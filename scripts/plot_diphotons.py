"""Rule plot_diphotons: features of events with two photons and two b jets, sample by sample."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.names import GEV_FEATURES, sample_styles
from bumpflow.plotting.shapes import HIGGS_MARKS, draw_shape_page, measure_shapes
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule

FEATURES = ("m_gg", "m_bb", "m_bbgg", "pt_bb", "pt_gg", "pt_gg_over_m", "dr_bb", "dr_gg")


def main(
    *, events: list[Path], style: Path, features: list[Path], samples: list[str], n_bins: int
) -> None:
    """Draw shapes of the ``events`` of ``samples`` into ``features``."""
    shown = {name: GEV_FEATURES[name] for name in FEATURES}
    tables = {
        name: io.read_table(path, columns=[*FEATURES, "weight_fb"])
        for name, path in zip(samples, events, strict=True)
    }
    with styled(style):
        figure = new_figure(5.6)
        draw_shape_page(
            figure,
            samples=measure_shapes(tables, shown, n_bins),
            features=shown,
            styles=sample_styles(samples),
            marks=HIGGS_MARKS,
        )
        io.save_figure(figure, *features)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
