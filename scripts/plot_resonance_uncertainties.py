"""Rule plot_resonance_uncertainties: how precise strategies, set-ups and methods are."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.resonance_signal import draw_uncertainties_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    fits: list[Path],
    strategies: list[Path],
    style: Path,
    uncertainties: list[Path],
    names: list[str],
    n_signal: int | None,
) -> None:
    """Draw ``uncertainties`` of ``fits``, one per ``names``, and ``strategies`` of the first."""
    others = [io.read_table(path) for path in strategies]
    with styled(style):
        figure = new_figure(6.2 if strategies else 4.2)
        draw_uncertainties_page(
            figure,
            fits=dict(zip(names, map(io.read_table, fits), strict=True)),
            strategies=others[0] if others else None,
            n_signal=n_signal,
        )
        io.save_figure(figure, *uncertainties)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
