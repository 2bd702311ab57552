"""Rule plot_resonance_curves: profile likelihoods with what densities and systematics add."""

from pathlib import Path

from bumpflow import io
from bumpflow.plotting.resonance_signal import draw_curves_page
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule

METHODS = {
    "envelope": ["statistical", "shift", "envelope"],
    "systematics": ["statistical", "shift", "systematics"],
}


def main(
    *,
    curves: Path,
    fits: Path,
    style: Path,
    envelope: list[Path],
    systematics: list[Path],
    n_signal: int | None,
) -> None:
    """Draw ``curves`` of the first data set as ``envelope`` and as ``systematics``."""
    profiles, fitted = map(io.read_table, (curves, fits))
    with styled(style):
        for name, paths in (("envelope", envelope), ("systematics", systematics)):
            figure = new_figure(4.6)
            draw_curves_page(
                figure,
                curves=profiles,
                fits=fitted[fitted["dataset"] == 0],
                methods=METHODS[name],
                n_signal=n_signal,
                with_members=name == "envelope",
            )
            io.save_figure(figure, *paths)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
