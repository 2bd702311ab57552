"""Rule write_report: show a study in one HTML page."""

from datetime import UTC, datetime
from pathlib import Path

from bumpflow import io
from bumpflow.report.page import Figure, Study, render_page
from bumpflow.report.provenance import describe_machine, find_commit, list_versions
from bumpflow.summary import from_table
from bumpflow.workflow import run_rule


def main(
    *,
    figures: list[Path],
    captions: list[Path],
    records: list[Path],
    scorecard: Path,
    config: Path,
    page: list[Path],
    report: Path,
    benchmarks: str,
) -> None:
    """Collect ``figures`` with their ``captions``, ``scorecard`` and ``config`` in ``report``.

    ``records`` tell which devices networks ran on, ``page`` holds the page's templates, and
    ``benchmarks`` is the folder of the jobs' run times.
    """
    folder, settings = report.parent, io.read_yaml(config)
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
        benchmarks=io.read_benchmarks(benchmarks),
        versions=list_versions(),
        facts={
            "Seed of the study": str(settings["seed"]),
            "Device of the networks": ", ".join(sorted(devices)) or settings["device"],
            "Machine": describe_machine(),
            "Commit": find_commit(page[0].parent) or "not known",
        },
        date=datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC"),
    )
    io.write_text(report, render_page(study, {path.name: io.read_text(path) for path in page}))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
