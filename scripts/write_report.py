"""Rule write_report: show a study in one HTML page."""

from datetime import UTC, datetime
from pathlib import Path

from bumpflow import io
from bumpflow.report import provenance
from bumpflow.report.page import Figure, Study, render_page
from bumpflow.summary import from_table
from bumpflow.workflow import run_rule


def main(
    *,
    figures: list[Path],
    captions: list[Path],
    records: list[Path],
    scorecard: Path,
    resources: Path,
    config: Path,
    page: list[Path],
    report: Path,
) -> None:
    """Collect ``figures`` with their ``captions``, ``scorecard`` and ``config`` in ``report``.

    ``records`` tell which devices networks ran on, ``resources`` what the jobs took, and ``page``
    holds the page's templates.
    """
    folder, settings = report.parent, io.read_yaml(config)
    jobs, elapsed = io.read_table(resources), io.read_table_metadata(resources)["elapsed_seconds"]
    devices = {io.read_json(path)["device"] for path in records}
    study = Study(
        name=settings["study"],
        figures=[
            Figure(
                path.relative_to(folder).with_suffix("").as_posix(),
                io.read_bytes(path),
                io.read_text(caption),
            )
            for path, caption in zip(figures, captions, strict=True)
        ],
        quantities=from_table(io.read_table(scorecard)),
        config=settings,
        config_text=io.read_text(config),
        resources=jobs,
        versions=provenance.list_versions(),
        facts={
            "Seed of the study": str(settings["seed"]),
            "Device of the networks": ", ".join(sorted(devices)) or settings["device"],
            "Machine": provenance.describe_machine(),
            "Time": provenance.describe_time(jobs["seconds"].sum(), float(elapsed)),
            "Commit": provenance.find_commit(page[0].parent) or "not known",
        },
        date=datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC"),
    )
    io.write_text(report, render_page(study, {path.name: io.read_text(path) for path in page}))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
