"""Rule summarise_simulation: put the numbers of generated events on the scorecard."""

from pathlib import Path

import numpy as np

from bumpflow import io
from bumpflow.simulate import scorecard
from bumpflow.simulate.select.mixture import category_counts
from bumpflow.summary import as_records, merge
from bumpflow.workflow import run_rule


def main(
    *,
    records: list[Path],
    peaks: list[Path],
    mesons: list[Path],
    responses: list[Path],
    c2st: Path,
    totals: Path,
    mixture: Path,
    summary: Path,
    processes: dict[str, str],
    seed: int,
) -> None:
    """Collect what was measured of the samples into ``summary``.

    Each file's sample is the folder that it is in; ``processes`` has the process of each.
    """
    rng = np.random.default_rng(seed)
    found = [scorecard.sample_quantities(path.parent.name, io.read_json(path)) for path in records]
    for path in peaks:
        name = path.parent.name
        events = io.read_table(path)
        found.append(scorecard.peak_quantities(name, processes[name], events, rng))
    spectra = {path.parent.name: io.read_table(path) for path in mesons}
    found.append(scorecard.meson_quantities(spectra) if spectra else [])
    for path in responses:
        place = f"{path.parent.name}{path.stem.removesuffix('_responses')}"
        found.append(scorecard.response_quantities(place, io.read_table(path)))
    found.append(scorecard.benchmark_quantities(io.read_json(c2st)))
    found.append(scorecard.double_higgs_quantities(io.read_table(totals)))
    categories = category_counts(io.read_arrow(mixture), weight="weight_fb")
    found.append([scorecard.category_quantity(categories)])
    io.write_json(summary, as_records(merge(found)))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
