"""Rule plot_alp_training: losses of all networks of hunts for compatible events."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.alp_training import NETWORKS, draw_training_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *, histories: list[Path], style: Path, training: list[Path], resolutions: list[str]
) -> None:
    """Draw ``histories`` of the ``training`` of each network with each of ``resolutions``."""
    tables = iter([io.read_table(path) for path in histories])
    by_network = {name: {one: next(tables) for one in resolutions} for name in NETWORKS}
    with styled(style):
        figure = new_figure(0.6 + 2.7 * len(resolutions))
        draw_training_page(
            figure,
            histories={
                one: {name: found[one] for name, found in by_network.items()}
                for one in resolutions
            },
        )
        io.save_figure(figure, *training)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
