"""Rule plot_scan: how a surrogate's validation loss depends on one of its settings."""

from pathlib import Path

import numpy as np

from bumpflow import io
from bumpflow.plotting.names import model_style
from bumpflow.plotting.style import new_figure, styled
from bumpflow.plotting.training import draw_scan
from bumpflow.workflow import run_rule


def main(
    *,
    records: list[Path],
    style: Path,
    scan: list[Path],
    values: list[float],
    model: str,
    parameter: str,
) -> None:
    """Draw the likelihoods in ``records`` of ensembles with ``parameter`` at ``values``."""
    losses = [io.read_json(path)["member_validation_nll"] for path in records]
    with styled(style):
        figure = new_figure(4, width=6.5)
        draw_scan(
            figure.subplots(),
            values=np.repeat(np.array(values, dtype=float), [len(row) for row in losses]),
            losses=np.concatenate(losses),
            style=model_style(model),
            parameter=parameter,
        )
        io.save_figure(figure, *scan)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
