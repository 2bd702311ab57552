"""Rule plot_alp_observed: what a hunt says of a table of observed events."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.alp_events import draw_analysis_page
from bumpflow.plotting.names import hunt_label
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    events: Path,
    pairs: Path,
    posteriors: Path,
    summary: Path,
    style: Path,
    observed: list[Path],
) -> None:
    """Draw ``events``, ``pairs`` and ``posteriors`` of one table of ``observed`` events."""
    record = io.read_json(summary)
    record["hunts"] = {hunt_label(name): row for name, row in record["hunts"].items()}
    with styled(style):
        figure = new_figure(7.4 + 0.2 * len(record["hunts"]))
        draw_analysis_page(
            figure,
            events=io.read_table(events),
            pairs=io.read_table(pairs),
            posterior=io.read_table(posteriors),
            summary=record,
        )
        io.save_figure(figure, *observed)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
