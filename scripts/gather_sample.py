"""Rule gather_sample: join the chunks of a sample, and give its events their cross-section."""

from pathlib import Path

from bumpflow import io
from bumpflow.simulate.gather import merge_records, weigh_events
from bumpflow.workflow import run_rule


def main(*, chunks: list[Path], records: list[Path], events: Path, record: Path) -> None:
    """Write the events of all ``chunks`` to ``events`` and what is known of them to ``record``."""
    total = merge_records([io.read_json(path) for path in records])
    metadata = io.read_table_metadata(chunks[0]) | {"blocks": str(total["blocks"])}
    with io.TableWriter(events, metadata=metadata) as writer:
        for chunk in chunks:
            for piece in io.read_pieces(chunk):
                writer.write(weigh_events(piece, total))
    io.write_json(record, total)


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
