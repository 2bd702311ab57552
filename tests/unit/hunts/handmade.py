"""Tables of events made by hand or at random, for tests of what is made of their objects."""

import numpy as np
import pyarrow as pa

PARTS = {
    "electron": ("pt", "eta", "phi", "charge"),
    "muon": ("pt", "eta", "phi", "charge"),
    "photon": ("pt", "eta", "phi"),
    "jet": ("pt", "eta", "phi", "mass"),
}


def make_table(*events, **numbers):
    """Return events, each a map from kinds to lists of objects (pt, eta, phi, charge or mass)."""
    columns = {}
    for kind, parts in PARTS.items():
        for place, part in enumerate(parts):
            values = [[one[place] for one in event.get(kind, [])] for event in events]
            content = pa.int8() if part == "charge" else pa.float64()
            columns[f"{kind}_{part}"] = pa.array(values, pa.list_(content))
    return pa.table(columns | {name: pa.array(values) for name, values in numbers.items()})


def random_event(rng, *, most=3, scale=60.0):
    """Return one event of up to ``most`` objects of each kind."""
    event = {}
    for kind in PARTS:
        n = rng.integers(0, most + 1)
        last = rng.choice([-1, 1], n) if kind in ("electron", "muon") else rng.uniform(0, 250, n)
        columns = (20 + rng.exponential(scale, n), rng.normal(0, 1, n), rng.uniform(-3, 3, n))
        event[kind] = list(zip(*columns, last, strict=True))
    return event


def random_table(n, *, seed, most=3):
    """Return random events with weights."""
    rng = np.random.default_rng(seed)
    events = [random_event(rng, most=most) for _ in range(n)]
    return make_table(*events, weight_fb=rng.uniform(0.5, 2, n))
