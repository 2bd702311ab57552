"""Rule summarise_surrogates: put the surrogates' numbers on the scorecard."""

from pathlib import Path

from bumpflow import io
from bumpflow.evaluate import scorecard
from bumpflow.summary import as_records, merge
from bumpflow.workflow import run_rule


def main(
    *,
    c2st: list[Path],
    divergences: list[Path],
    training: list[Path],
    sampling: list[Path],
    summary: Path,
    models: list[str],
) -> None:
    """Collect records of all models, and of the control after them, into ``summary``."""
    subjects = [*models, scorecard.CONTROL]
    quantities = merge(
        [
            *(
                scorecard.cost_quantities(
                    model, training=io.read_json(trained), sampling=io.read_json(sampled)
                )
                for model, trained, sampled in zip(models, training, sampling, strict=True)
            ),
            *(
                scorecard.c2st_quantities(subject, io.read_json(path))
                for subject, path in zip(subjects, c2st, strict=True)
            ),
            *(
                scorecard.divergence_quantities(subject, io.read_json(path))
                for subject, path in zip(subjects, divergences, strict=True)
            ),
        ]
    )
    io.write_json(summary, as_records(quantities))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
