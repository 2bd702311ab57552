"""Rule plot_masses: masses of the HIGGS benchmark in GeV, beside those of the particles."""

from pathlib import Path

import pandas as pd

from bumpflow import io
from bumpflow.plotting.benchmark import MASS_MARKS
from bumpflow.plotting.names import EVENT_CLASSES, GEV_FEATURES
from bumpflow.plotting.shapes import draw_shape_page, measure_shapes
from bumpflow.plotting.style import new_figure, styled
from bumpflow.simulate.gather import CLASSES
from bumpflow.workflow import run_rule


def main(
    *, samples: list[Path], style: Path, masses: list[Path], labels: list[int], n_bins: int
) -> None:
    """Draw the masses of the events in ``samples``, whose classes are ``labels``."""
    features = {name: GEV_FEATURES[name] for name in MASS_MARKS}
    tables = [io.read_table(path, columns=[*features, "weight_fb"]) for path in samples]
    classes = {
        name: pd.concat([one for one, own in zip(tables, labels, strict=True) if own == label])
        for name, label in CLASSES.items()
    }
    with styled(style):
        figure = new_figure(5.6)
        draw_shape_page(
            figure,
            samples=measure_shapes(classes, features, n_bins),
            features=features,
            styles=EVENT_CLASSES,
            marks=MASS_MARKS,
        )
        io.save_figure(figure, *masses)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
