"""Rule plot_hunt_global_p: global p-values of histograms without signal."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.hunts import draw_global_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(*, p_values: Path, style: Path, global_p: list[Path]) -> None:
    """Draw the distribution of global ``p_values``."""
    with styled(style):
        figure = new_figure(5.4)
        draw_global_page(figure, table=io.read_table(p_values))
        io.save_figure(figure, *global_p)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
