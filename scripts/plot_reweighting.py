"""Rule plot_reweighting: whether weights are calibrated, and what they gain."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.reweighting import draw_reweighting_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    record: Path,
    calibration: Path,
    surrogate: Path,
    style: Path,
    reweighting: list[Path],
) -> None:
    """Draw the ``calibration``, the weights of ``surrogate`` events and the AUCs."""
    weights = io.read_table(surrogate, columns=["weight"])["weight"].to_numpy("float64")
    with styled(style):
        figure = new_figure(4.4)
        draw_reweighting_page(
            figure,
            calibration=io.read_table(calibration),
            weights=weights,
            record=io.read_json(record),
        )
        io.save_figure(figure, *reweighting)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
