"""Rule fill_templates: count selected events of every sample in bins of the observables."""

from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.search.arms import count_samples
from bumpflow.workflow import run_rule


def main(
    *,
    mc: Path,
    surrogate: Path,
    templates: Path,
    efficiencies: Path,
    observables: dict[str, Any],
    cut: float,
    splits: dict[str, list[str]],
    sizes: list[int],
) -> None:
    """Fill ``templates`` from scored events, those of the surrogate at several ``sizes``, too."""

    def read(path: Path, label: int, use: str) -> Any:  # noqa: ANN401
        columns = [*{"score", "weight", *(block["column"] for block in observables.values())}]
        return io.read_event_pieces(path, columns=columns, label=label, splits=splits[use])

    counted = count_samples(
        {
            "signal": read(mc, 1, "signal"),
            "injected": read(mc, 1, "data"),
            "data": read(mc, 0, "data"),
            "mc": read(mc, 0, "background"),
            "surrogate": read(surrogate, 0, "generated"),
            "reweighted": read(surrogate, 0, "generated"),
        },
        observables=observables,
        cut=cut,
        sizes=sizes,
    )
    io.write_table(templates, counted.templates)
    io.write_json(efficiencies, counted.efficiencies)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
