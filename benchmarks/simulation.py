"""Speed and memory of event generation, on one core.

Accepted events per second of whole chunks, matrix element, shower and reconstruction included;
matrix elements; and the reconstruction against the loop over events and particles that one would
write with the same tools, in the same run.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bumpflow import io
from bumpflow.simulate import settings as simulation
from bumpflow.simulate.detector import detector_settings
from bumpflow.simulate.hard import build_hard_process
from bumpflow.simulate.jets import cluster_jets
from bumpflow.simulate.particles import Particles
from bumpflow.simulate.phase_space import CUTS
from bumpflow.simulate.qqaa_amplitude import gluon_matrix_element, quark_matrix_element
from bumpflow.simulate.reconstruction import reconstruct
from bumpflow.simulate.response import respond
from bumpflow.simulate.sources import build_sources
from bumpflow.summary import Quantity
from scripts import adapt_phase_space, derive_jet_scale, tabulate_form_factors

REPEATS = 3
N_BLOCKS = 6
SEED = 3
TARGETS = {"heavyhiggs": 250, "ttbar8": 250, "hh": 120, "bbaa": 60, "bmesons": 2000}
"""Samples, and how many accepted events (or mesons) per second they must reach."""
CHUNK = """
import json, resource, sys, time
from pathlib import Path
from bumpflow.simulate.hard import build_hard_process
from bumpflow.simulate.samples import Sample
from bumpflow import io

settings, jet_scale, process, n_blocks, n_events, seed = json.loads(sys.argv[1])
tables = [io.read_table(path) for path in process]
made = Sample(
    settings,
    seed=seed,
    hard_process=build_hard_process(settings, *tables) if tables else None,
    jet_scale=io.read_table(jet_scale[0]) if jet_scale else None,
)
made.generate(n_blocks, n_events=n_events)  # imports and first calls are no part of the rate
before, start = made.tally.n_selected, time.perf_counter()
for number in range(n_blocks):
    made.generate(number, n_events=n_events)
rate = (made.tally.n_selected - before) / (time.perf_counter() - start)
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([rate, memory]))
"""
