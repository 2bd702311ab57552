"""Rule plot_cinn_calibration: how networks learned, and whether posteriors can be trusted."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.cinn_calibration import draw_calibration_page
from bumpflow.plotting.cinn_training import draw_training_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    diagnosis: Path,
    ranks: Path,
    tarp: Path,
    amortised: Path,
    published: Path,
    style: Path,
    calibration: list[Path],
    training: list[Path],
) -> None:
    """Draw the ``calibration`` of posteriors, and the ``training`` of both networks."""
    with styled(style):
        figure = new_figure(8.2)
        draw_calibration_page(
            figure,
            ranks=io.read_table(ranks),
            tarp=io.read_table(tarp),
            diagnosis=io.read_table(diagnosis),
        )
        io.save_figure(figure, *calibration)
        figure = new_figure(3.6, width=10.0)
        histories = {"amortised": amortised, "published": published}
        draw_training_page(
            figure, histories={name: io.read_table(path) for name, path in histories.items()}
        )
        io.save_figure(figure, *training)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
