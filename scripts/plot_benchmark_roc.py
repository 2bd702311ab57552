"""Rule plot_benchmark_roc: whether classifiers can tell generated from real HIGGS events."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.benchmark import class_scores, draw_class_roc_page
from bumpflow.plotting.names import EVENT_CLASSES
from bumpflow.plotting.style import new_figure, styled
from bumpflow.simulate.gather import CLASSES
from bumpflow.workflow import run_rule


def main(
    *,
    ratios: Path,
    record: Path,
    style: Path,
    roc: list[Path],
    classifiers: list[str],
    confidence: float,
) -> None:
    """Draw the ROC curves of ``classifiers`` for background and signal."""
    columns = ["generated", "label", *(f"log_ratio_{name}" for name in classifiers)]
    table, said = io.read_table(ratios, columns=columns), io.read_json(record)
    scores = {
        name: class_scores(table, said, classifier=name, labels=CLASSES) for name in classifiers
    }
    with styled(style):
        figure = new_figure(7.4, width=10)
        draw_class_roc_page(figure, scores=scores, styles=EVENT_CLASSES, confidence=confidence)
        io.save_figure(figure, *roc)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
