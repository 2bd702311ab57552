"""Rule plot_cinn_observed: mass and lifetime from a table of observed events."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.cinn_observed import draw_observed_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    posteriors: Path,
    summary: Path,
    style: Path,
    observed: list[Path],
    prior: dict[str, list[float]],
) -> None:
    """Draw ``posteriors`` of the sets of one table of ``observed`` events."""
    with styled(style):
        figure = new_figure(7.6, width=8.6)
        draw_observed_page(
            figure,
            draws=io.read_table(posteriors),
            sets=io.read_json(summary)["sets"],
            prior=prior,
        )
        io.save_figure(figure, *observed)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
