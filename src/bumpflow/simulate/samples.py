"""Turn the settings of a sample into events, block by block."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from bumpflow.simulate.hard.partons import HardProcess
from bumpflow.simulate.processes import PROCESSES
from bumpflow.simulate.select.build import Selected, build_selection
from bumpflow.simulate.sources import build_sources

PACKAGES = ("bumpflow", "pythia8mc", "fastjet", "vegas", "numpy", "awkward")


@dataclass
class Tally:
    """What became of the events of a chunk so far.

    Attributes:
        n_generated: Events before any selection.
        n_showered: Events that were showered; a preselection drops some before.
        n_selected: Events in the end.
        weight_generated: Sum of the weights of all generated events.
        weight_selected: Sum of the weights of selected events.
        weight_squared_selected: Sum of their squares.
        cutflow: Numbers of events after each step.
    """

    n_generated: int = 0
    n_showered: int = 0
    n_selected: int = 0
    weight_generated: float = 0.0
    weight_selected: float = 0.0
    weight_squared_selected: float = 0.0
    cutflow: dict[str, int] = field(default_factory=dict)

    def add(self, selected: Selected, *, n_generated: int, n_read: int, weight: float) -> None:
        """Count the events of a block.

        Args:
            selected: What became of them.
            n_generated: Events before any selection.
            n_read: Those of them that were showered, or read from a file.
            weight: Sum of the weights of generated events.
        """
        self.n_generated += n_generated
        self.n_showered += n_read
        self.n_selected += len(selected.weights)
        self.weight_generated += weight
        self.weight_selected += float(selected.weights.sum())
        self.weight_squared_selected += float(np.square(selected.weights).sum())
        steps = {"generated": n_generated, "showered": n_read}
        for step, count in (steps | dict(selected.cutflow)).items():
            self.cutflow[step] = self.cutflow.get(step, 0) + count


class Sample:
    """A sample of events, ready to be generated.

    Attributes:
        tally: What became of the events so far.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        *,
        seed: int,
        hard_process: HardProcess | None = None,
        jet_scale: pd.DataFrame | None = None,
    ) -> None:
        """Prepare generator and selection; this stops on bad settings, before any event.

        Args:
            settings: All that the events depend on, as
                :func:`bumpflow.simulate.settings.sample_settings` returns it.
            seed: Seed of the sample.
            hard_process: Events with our own matrix elements, if Pythia does not make them.
            jet_scale: Correction of the jets' energies.
        """
        self.tally = Tally()
        self._settings = settings
        self._select = build_selection(settings, jet_scale=jet_scale)
        self._own = hard_process
        self._generators = build_sources(settings, seed=seed, hard_process=hard_process)

    def generate(self, number: int, *, n_events: int) -> pa.Table:
        """Return the selected events of a block, with columns ``weight`` and ``block``.

        Args:
            number: Number of the block, which decides about all random numbers.
            n_events: Events to shower.
        """
        generator = self._generators[number % len(self._generators)]
        block = generator.generate(number, n_events=n_events)
        selected = self._select(block.particles, block.rng)
        self.tally.add(
            selected,
            n_generated=block.n_generated,
            n_read=block.particles.n_events,
            weight=block.weight_generated,
        )
        numbers = pa.array(np.full(len(selected.weights), number, dtype=np.int32))
        weights = pa.array(selected.weights, pa.float64())
        return selected.events.append_column("weight", weights).append_column("block", numbers)

    def crosssection_pb(self) -> tuple[float, float]:
        """Return the cross-section before any selection [pb] and its uncertainty."""
        process = PROCESSES.get(self._settings["process"])
        factor = process.crosssection_factor if process else 1.0
        used = [generator for generator in self._generators if generator.n_generated]
        found = np.array([generator.crosssection_pb() for generator in used])
        error = np.sqrt(np.square(found[:, 1]).sum()) / len(found)
        return float(found[:, 0].mean() * factor), float(error * factor)

    def record(self, blocks: Sequence[int]) -> dict[str, Any]:
        """Return what ``simulate_chunk`` keeps of a chunk beside its events."""
        crosssection, error = self.crosssection_pb()
        return vars(self.tally) | {
            "blocks": list(blocks),
            "crosssection_pb": crosssection,
            "crosssection_error_pb": error,
            "crosssection_shared": self._own is not None,
        }


def describe_sample(settings: Mapping[str, Any], seed: int) -> dict[str, str]:
    """Return what is stored beside the events of a sample: settings, seed and versions.

    Args:
        settings: Settings of the sample.
        seed: Seed of the sample.
    """
    return {
        "sample": settings["name"],
        "process": settings["process"],
        "seed": str(seed),
        "settings": json.dumps(settings, sort_keys=True),
        "versions": json.dumps({name: version(name) for name in PACKAGES}),
        "units": "GeV, rad",
    }
