"""Rule plot_fits: templates, fits to Asimov data, and what their nuisances do."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.plotting import fits as page
from bumpflow.plotting.names import ARMS, feature_style
from bumpflow.plotting.style import new_figure, styled
from bumpflow.workflow import run_rule


def main(
    *,
    templates: Path,
    records: list[Path],
    tables: list[Path],
    style: Path,
    shapes: list[Path],
    fits: list[Path],
    nuisances: list[Path],
    observables: dict[str, Any],
    arms: list[str],
    compared: list[str],
    crosssection_fb: float,
    signal_fraction: float,
    luminosity_fb: float,
    n_nuisances: int,
) -> None:
    """Draw the templates ``compared`` into ``shapes``, and the ``fits`` of ``arms``.

    ``records`` has a file per observable and arm, arms running faster; ``tables``, of
    ``nuisances`` in the last arm, one per observable.
    """
    shown = {name: feature_style(block["column"]) for name, block in observables.items()}
    read = iter(records)
    found = {name: {arm: io.read_json(next(read))["injected"] for arm in arms} for name in shown}
    read_tables = (io.read_table(path).query("fit == 'injected'") for path in tables)
    moved = dict(zip([one.symbol for one in shown.values()], read_tables, strict=True))
    styles, events = {arm: ARMS[arm] for arm in arms}, crosssection_fb * luminosity_fb
    with styled(style):
        page.draw_template_page(
            figure := new_figure(6.0),
            templates=io.read_table(templates),
            events={"background": events, "signal": signal_fraction * events},
            observables=shown,
            styles={arm: ARMS[arm] for arm in compared},
            title=rf"{luminosity_fb:g} fb$^{{-1}}$",
        )
        io.save_figure(figure, *shapes)
        figure = new_figure(0.5 + 4 * len(shown))
        page.draw_fit_page(figure, fits=found, observables=shown, styles=styles)
        io.save_figure(figure, *fits)
        figure = new_figure(1.4 + 0.27 * n_nuisances)
        page.draw_nuisance_page(figure, tables=moved, style=ARMS[arms[-1]], n_shown=n_nuisances)
        io.save_figure(figure, *nuisances)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
