"""Speed and memory of event generation, on one core.

Accepted events per second of whole chunks, each in a process of its own, with matrix element,
shower, detector and selection; the share of the reconstruction in that time; matrix elements; and
the reconstruction against the loop over events and particles that one would write with the same
tools, on the same events.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bumpflow import io
from bumpflow.simulate import settings as simulation
from bumpflow.simulate.detector.jets import cluster_jets
from bumpflow.simulate.detector.response import respond
from bumpflow.simulate.detector.settings import detector_settings
from bumpflow.simulate.hard.build import build_hard_process
from bumpflow.simulate.hard.qqaa_amplitude import gluons_squared
from bumpflow.simulate.sources import build_sources
from bumpflow.summary import Quantity
from scripts import adapt_phase_space, derive_jet_scale, tabulate_form_factors

CONFIG = io.read_yaml("config/config.yaml")
REPEATS = 3
N_BLOCKS = 6
SEED = 3
TARGETS = {"heavyhiggs": 250, "ttbar8": 250, "hh": 120, "bbaa": 60, "bmesons": 2000}
"""Samples, and how many accepted events (or mesons) per second are asked for."""
MEMORY_MB, MATRIX_ELEMENTS, SHARE = 500, 4e4, 1 / 3
N_MATRIX_ELEMENTS = 20_000
JET_RADIUS, JET_PT_GEV = 0.4, 20.0
CHUNK = """
import json, re, sys, time
from pathlib import Path
from bumpflow import io
from bumpflow.simulate.hard.build import build_hard_process
from bumpflow.simulate.samples import Sample

settings, jet_scale, process, n_blocks, n_events, seed = json.loads(sys.argv[1])
tables = [io.read_table(path) for path in process]
made = Sample(
    settings,
    seed=seed,
    hard_process=build_hard_process(settings, *tables) if tables else None,
    jet_scale=io.read_table(jet_scale[0]) if jet_scale else None,
)
spent = 0.0
if jet_scale:
    inner = made._select
    def timed(particles, rng):
        global spent
        start = time.perf_counter()
        selected = inner(particles, rng)
        spent += time.perf_counter() - start
        return selected
    made._select = timed
for number in (n_blocks, n_blocks + 1):
    made.generate(number, n_events=n_events)  # imports and first calls are no part of the rate
before, spent, start = made.tally.n_selected, 0.0, time.perf_counter()
for number in range(n_blocks):
    made.generate(number, n_events=n_events)
seconds = time.perf_counter() - start
# Not getrusage, which counts what the parent process had before this one began. Linux only.
memory = int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
rate = (made.tally.n_selected - before) / seconds
print(json.dumps({"rate": rate, "memory_mb": memory, "share": spent / seconds}))
"""


def measure() -> list[Quantity]:
    """Time the default study's samples, the matrix elements and the reconstruction of jets."""
    with tempfile.TemporaryDirectory() as folder:
        found = [*_time_samples(Path(folder)), _time_matrix_elements(Path(folder))]
    return [*found, _time_jets()]


def _time_samples(folder: Path) -> Iterator[Quantity]:
    """Yield rate, memory and share of the reconstruction of each sample's chunks."""
    for name, target in TARGETS.items():
        runs = pd.DataFrame([_run_chunk(name, _inputs(name, folder)) for _ in range(REPEATS)])
        yield _quantity(f"{name}.rate", runs["rate"], target, "events/s")
        yield _quantity(f"{name}.memory", runs["memory_mb"], MEMORY_MB, "MB")
        if "detector" in CONFIG["samples"][name]:
            yield _quantity(f"{name}.reconstruction_share", runs["share"], SHARE, "")


def _inputs(name: str, folder: Path) -> tuple[list[str], list[str]]:
    """Return files with the correction of jets and with what the matrix element needs."""
    sample = CONFIG["samples"][name]
    scales, processes = [], []
    if "detector" in sample:
        pair = sample["detector"], sample["beams"]
        path = folder / f"{'_'.join(pair)}.parquet"
        if not path.exists():
            settings = simulation.jet_scale_settings(CONFIG, *pair)
            other = folder / "responses.parquet"
            derive_jet_scale.main(table=path, responses=other, settings=settings, seed=SEED)
        scales.append(str(path))
    if simulation.process_file(CONFIG, name):
        path = folder / f"{name}_process.parquet"
        if not path.exists():
            _prepare(name, path)
        processes.append(str(path))
    return scales, processes


def _prepare(name: str, path: Path) -> None:
    """Write what a sample's matrix element needs."""
    if CONFIG["samples"][name]["process"] in simulation.LOOP:
        tabulate_form_factors.main(table=path, settings=CONFIG["simulation"]["form_factors"])
        return
    adapt_phase_space.main(
        table=path,
        sample=simulation.sample_settings(CONFIG, name),
        settings=CONFIG["simulation"]["phase_space"],
        seed=SEED,
    )


def _run_chunk(name: str, inputs: tuple[list[str], list[str]]) -> dict[str, float]:
    """Generate a chunk in a new process and return what was measured."""
    settings = simulation.sample_settings(CONFIG, name)
    block_size = CONFIG["simulation"]["block_size"]
    arguments = json.dumps([settings, *inputs, N_BLOCKS, block_size, SEED])
    command = [sys.executable, "-c", CHUNK, arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _time_matrix_elements(folder: Path) -> Quantity:
    """Return the rate of squared amplitudes of gg to b bbar gamma gamma."""
    settings = simulation.sample_settings(CONFIG, "bbaa")
    process = build_hard_process(settings, io.read_table(folder / "bbaa_process.parquet"))
    momenta = process.draw(N_MATRIX_ELEMENTS, np.random.default_rng(SEED)).momenta
    seconds = pd.Series([_seconds(gluons_squared, momenta) for _ in range(REPEATS + 1)])
    rates = N_MATRIX_ELEMENTS / seconds[1:]
    return _quantity("bbaa.matrix_elements", rates, MATRIX_ELEMENTS, "1/s")


def _time_jets() -> Quantity:
    """Return how many times as fast jets are found in a batch as in a loop over events."""
    settings = simulation.sample_settings(CONFIG, "ttbar8")
    source = build_sources(settings, seed=SEED)[0]
    block = source.generate(0, n_events=CONFIG["simulation"]["block_size"])
    flow = respond(block.particles, detector_settings(settings["detector"]), block.rng)
    cut = {"radius": JET_RADIUS, "min_pt": JET_PT_GEV}
    ours = [
        _seconds(cluster_jets, flow.event, flow.momentum, n_events=flow.n_events, **cut)
        for _ in range(REPEATS + 1)
    ]
    theirs = [_seconds(_loop_over_jets, flow.event, flow.momentum) for _ in range(REPEATS)]
    ratios = pd.Series(np.array(theirs) / np.array(ours[1:]))
    source_text = "PseudoJet by PseudoJet in a loop over events, same FastJet, same run"
    return _quantity("jets_ratio", ratios, 1.0, "", source=source_text)


def _loop_over_jets(event: Any, momentum: Any) -> int:  # noqa: ANN401
    """Find jets as one does with FastJet alone; return their number."""
    import fastjet

    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, JET_RADIUS)
    n_jets = 0
    for number in np.unique(event):
        particles = [
            fastjet.PseudoJet(*(float(part) for part in row)) for row in momentum[event == number]
        ]
        n_jets += len(fastjet.ClusterSequence(particles, definition).inclusive_jets(JET_PT_GEV))
    return n_jets


def _seconds(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> float:  # noqa: ANN401
    """Return how long a call takes."""
    start = time.perf_counter()
    function(*arguments, **keywords)
    return time.perf_counter() - start


def _quantity(
    name: str, values: pd.Series, target: float, unit: str, *, source: str = "what is asked for"
) -> Quantity:
    """Return the median of repeated measurements with half their range."""
    return Quantity(
        f"simulation.{name}" if "." in name else f"simulation.bench.{name}",
        float(values.median()),
        float(values.max() - values.min()) / 2,
        reference=float(target),
        reference_source=source,
        n=len(values),
        unit=unit,
    )
