"""Rule plot_training: how surrogates and their judges learned, and how fast surrogates sample."""

from pathlib import Path

import numpy as np

from bumpflow import io
from bumpflow.plotting.names import model_style
from bumpflow.plotting.rates import draw_times
from bumpflow.plotting.style import new_figure, styled
from bumpflow.plotting.training import draw_training_page
from bumpflow.workflow import run_rule


def main(
    *,
    histories: list[Path],
    judges: list[Path],
    sampling: list[Path],
    style: Path,
    surrogates: list[Path],
    classifiers: list[Path],
    rates: list[Path],
    models: list[str],
    judged: list[str],
    simulation_minutes: float,
) -> None:
    """Draw loss curves of ``models`` and of the networks that ``judged`` them, and times."""
    pages = (
        (histories, models, surrogates, "\u2212ln p of scaled features [nat / event]", None),
        (judges, judged, classifiers, "binary cross entropy [nat / event]", np.log(2)),
    )
    with styled(style):
        for tables, names, paths, unit, chance in pages:
            figure = new_figure(4.8)
            draw_training_page(
                figure,
                histories={n: io.read_table(path) for n, path in zip(names, tables, strict=True)},
                styles={name: model_style(name) for name in names},
                unit=unit,
                chance=chance,
            )
            io.save_figure(figure, *paths)
        figure = new_figure(1.3 + 0.4 * len(models), width=9)
        draw_times(
            figure.subplots(),
            seconds=np.array([1 / io.read_json(path)["events_per_second"] for path in sampling]),
            styles=[model_style(name) for name in models],
            full_simulation=60 * simulation_minutes,
        )
        io.save_figure(figure, *rates)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
