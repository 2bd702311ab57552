"""Rule convert_events: bring events that were made elsewhere into the form of our samples."""

import json
from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.simulate.convert import OutsideSample
from bumpflow.simulate.gather import merge_records, weigh_events
from bumpflow.workflow import run_rule


def main(*, file: Path, events: Path, record: Path, sample: dict[str, Any]) -> None:
    """Select events from ``file``, write them to ``events`` and their numbers to ``record``."""
    made = OutsideSample(file, sample)
    metadata = {
        "sample": sample["name"],
        "process": sample["process"],
        "file": file.name,
        "sha256": io.sha256_of(file),
        "settings": json.dumps(sample, sort_keys=True),
        "units": "GeV, rad",
    }
    with io.temporary(events) as whole:
        with io.TableWriter(whole) as writer:
            for piece in made.read():
                writer.write(piece)
        total = merge_records([made.record()])
        with io.TableWriter(events, metadata=metadata) as writer:
            for piece in io.read_pieces(whole):
                writer.write(weigh_events(piece, total))
    io.write_json(record, total)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
