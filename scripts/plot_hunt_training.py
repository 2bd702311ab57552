"""Rule plot_hunt_training: losses of networks, and what more training histograms bring."""

from io import StringIO
from pathlib import Path

import pandas as pd

from bumpflow import io
from bumpflow.plotting.hunts import draw_training_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    histories: list[Path],
    learning: Path,
    style: Path,
    training: list[Path],
    hunters: list[str],
) -> None:
    """Draw ``histories`` of the ``training`` of ``hunters``, and a ``learning`` curve (CSV)."""
    with styled(style):
        figure = new_figure(5.2)
        draw_training_page(
            figure,
            histories={
                name: io.read_table(path) for name, path in zip(hunters, histories, strict=True)
            },
            learning=pd.read_csv(StringIO(io.read_text(learning))),
        )
        io.save_figure(figure, *training)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
