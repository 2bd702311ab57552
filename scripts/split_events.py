"""Rule split_events: store what each event is used for."""

from pathlib import Path

import pyarrow as pa

from bumpflow import io
from bumpflow.splits import assign_splits
from bumpflow.workflow import run_rule

NO_FEATURES = ("label",)


def main(*, table: Path, events: Path, fractions: dict[str, float], salt: int) -> None:
    """Add the column ``split`` to ``table`` and write ``events``."""
    names = pa.array([*fractions], pa.string())
    with io.TableWriter(events, metadata=io.read_table_metadata(table)) as writer:
        for piece in io.read_pieces(table):
            columns = [
                piece[name].to_numpy() for name in piece.column_names if name not in NO_FEATURES
            ]
            positions = pa.array(assign_splits(columns, fractions=fractions, salt=salt))
            split = pa.DictionaryArray.from_arrays(positions, names)
            writer.write(piece.append_column("split", split))


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
