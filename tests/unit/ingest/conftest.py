"""Small files of events in UCI's layout."""

from pathlib import Path

import numpy as np
import pytest

from bumpflow.ingest.convert import ingest_events
from bumpflow.ingest.layout import HIGGS_FEATURES, build_layout

N_EVENTS = 12


@pytest.fixture
def events():
    """Return features ``(12, 28)`` and labels ``(12,)``."""
    rng = np.random.default_rng(7)
    x = rng.gamma(2.0, 0.5, (N_EVENTS, len(HIGGS_FEATURES))).astype("float32")
    x[:, 1] = rng.normal(size=N_EVENTS)
    return x, np.arange(N_EVENTS) % 2


@pytest.fixture
def rows(events):
    """Return the lines of a file without header, label first, as lists of texts."""
    x, y = events
    return [[str(label), *map(str, event)] for label, event in zip(y, x, strict=True)]


@pytest.fixture
def ingest(tmp_path):
    """Return a function that ingests a file or text, and the table it is to write."""

    def run(
        content,
        *,
        name="higgs.csv",
        kind="higgs",
        duplicates="drop",
        labels=None,
        sha256=None,
        **options,
    ):
        path = content
        if isinstance(content, str | bytes):
            path = tmp_path / name
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return ingest_events(
            path,
            run.table,
            layout=build_layout(kind, options),
            source="synthetic",
            duplicates=duplicates,
            labels=labels,
            sha256=sha256,
        )

    run.table = Path(tmp_path / "out" / "events.parquet")
    return run


def as_text(rows, separator=",", end="\n"):
    """Return lines of text."""
    return "".join(separator.join(row) + end for row in rows)
