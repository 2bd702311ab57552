"""Turn events that were made elsewhere into a sample."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bumpflow.ingest.delphes import read_delphes_batches
from bumpflow.ingest.hdf5 import read_feature_blocks
from bumpflow.ingest.lhe import read_crosssection_pb, read_lhe_batches
from bumpflow.simulate.gather import FB_PER_PB
from bumpflow.simulate.samples import Tally
from bumpflow.simulate.select.build import Selected, event_selection


class OutsideSample:
    """A file of events, ready to be selected from.

    Attributes:
        tally: What became of the events so far.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        """Take the file and the settings of the sample; nothing is read yet."""
        self.tally = Tally()
        self._path, self._settings = path, settings

    def read(self) -> Iterator[pa.Table]:
        """Yield selected events in pieces, with a column ``weight``.

        Raises:
            InvalidEvents: If anything is wrong with the file; it says where and what to do.
        """
        kind = self._settings["process"]
        pieces = self._read_features() if kind == "hdf5" else self._read_objects(kind)
        for piece, n_read, weight in pieces:
            self.tally.add(piece, n_generated=n_read, n_read=n_read, weight=weight)
            yield piece.events.append_column("weight", pa.array(piece.weights, pa.float64()))

    def _read_features(self) -> Iterator[tuple[Selected, int, float]]:
        """Yield features as they are: whoever wrote the file has selected the events."""
        use_objects = self._settings.get("use_objects", True)
        for columns in read_feature_blocks(self._path, use_objects=use_objects):
            single = {name: values.astype("float32") for name, values in columns.items()}
            n = len(next(iter(single.values())))
            yield Selected(pa.table(single), np.ones(n), {}), n, float(n)

    def _read_objects(self, kind: str) -> Iterator[tuple[Selected, int, float]]:
        """Yield what a selection keeps of reconstructed or perfectly measured objects."""
        chosen = dict(self._settings["selection"])
        select, _ = event_selection(chosen.pop("kind"), chosen)
        read = read_lhe_batches if kind == "lhe" else read_delphes_batches
        for events in read(self._path):
            yield select(events), events.n_events, float(events.weights.sum())

    def record(self) -> dict[str, Any]:
        """Return the same as a chunk of generated events has."""
        crosssection, error = self._settings.get("crosssection_fb", 0.0) / FB_PER_PB, 0.0
        if self._settings["process"] == "lhe" and "crosssection_fb" not in self._settings:
            crosssection, error = read_crosssection_pb(self._path)
        return vars(self.tally) | {
            "blocks": [0, 1],
            "crosssection_pb": crosssection,
            "crosssection_error_pb": error,
            "crosssection_shared": True,
        }
