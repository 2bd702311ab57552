"""Rule plot_cutflows: what is left of each sample after each step of its selection."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.cutflows import draw_cutflow_page
from bumpflow.plotting.names import sample_styles
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    records: list[Path],
    style: Path,
    cutflows: list[Path],
    samples: list[str],
    kinds: list[str],
) -> None:
    """Draw the ``records`` of ``samples``, a panel for each of the ``kinds`` of selections."""
    found: dict[str, dict[str, dict]] = {kind: {} for kind in kinds}
    for name, kind, path in zip(samples, kinds, records, strict=True):
        found[kind][name] = io.read_json(path)
    styles = {
        name: style for one in found.values() for name, style in sample_styles(list(one)).items()
    }
    with styled(style):
        figure = new_figure(0.3 + 4.2 * -(-len(found) // 2))
        draw_cutflow_page(figure, records=found, styles=styles)
        io.save_figure(figure, *cutflows)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
