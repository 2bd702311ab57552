"""Speed of the simulation of axion-like particles at a beam dump, on one core.

Accepted events per second over the prior of the default set-up; the loop over events that one
would write from the paper's description, with plain numbers, on a part of the same points; and the
peak of the memory that arrays take.
"""

import math
import random
import time
import tracemalloc
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from bumpflow.simulate.alps.kaons import KAONS
from bumpflow.simulate.alps.sampling import PARAMETERS, sample_events
from bumpflow.simulate.alps.settings import BeamDump
from bumpflow.simulate.beamdump import B_MASS_GEV, sample_parametrised
from bumpflow.summary import Quantity

SHIP = BeamDump.from_settings(
    {
        "beam_momentum_gev": 400,
        "kaons": ["k"],
        "front": {"z_m": 32, "x_m": [-0.6, 0.6], "y_m": [-1.75, 1.75]},
        "back": {"z_m": 82, "x_m": [-1.95, 1.95], "y_m": [-3, 3]},
        "calorimeter": {"z_m": 93, "x_m": [-2, 2], "y_m": [-3, 3]},
        "min_energy_gev": 1,
        "min_separation_m": 0.1,
        "prior": {"mass_gev": [0.1, 4.5], "lifetime_m_per_gev": [0.05, 500]},
    }
)
REPEATS, N_BLOCKS, N_LOOP, SEED = 3, 5, 256, 5
RATE, RATIO, MEMORY_MB = 10_000.0, 200.0, 100.0
N_MESONS = 100_000
Momentum = Sequence[float]


class Event(NamedTuple):
    """A decay in the vessel: its weight, and hits (x, y) [m] with energies [GeV]."""

    weight: float
    hits: list[tuple[float, float, float]]


def measure() -> list[Quantity]:
    """Time whole blocks, and a loop over points of them."""
    sample_events(SHIP, [0], seed=SEED)  # first calls are no part of the rate
    rng = np.random.default_rng(SEED)
    mesons = sample_parametrised(N_MESONS, rng).tolist()
    rates, ratios = [], []
    for repeat in range(REPEATS):
        start = time.perf_counter()
        blocks = range(repeat * N_BLOCKS, (repeat + 1) * N_BLOCKS)
        events = sample_events(SHIP, blocks, seed=SEED)
        rates.append(len(events) / (time.perf_counter() - start))
        # Points of all difficulties alike: those that need many tries take most of the time.
        theta = events[list(PARAMETERS)].sort_values("log10_lifetime").to_numpy()
        start = time.perf_counter()
        for log_mass, log_lifetime in theta[len(theta) // N_LOOP // 2 :: len(theta) // N_LOOP]:
            _loop_over_tries(10**log_mass, 10**log_lifetime, mesons)
        ratios.append(rates[-1] * (time.perf_counter() - start) / N_LOOP)
    tracemalloc.start()
    sample_events(SHIP, [0], seed=SEED)
    memory = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return [
        _quantity("rate", rates, RATE, "events/s"),
        _quantity("loop_ratio", ratios, RATIO, ""),
        _quantity("memory", [memory], MEMORY_MB, "MB"),
    ]


def _loop_over_tries(mass: float, lifetime: float, mesons: Sequence[Momentum]) -> Event:
    """Return the first event that is accepted at a point: draw all of it, then accept or redraw."""
    while True:
        event = _draw_event(mass, lifetime, mesons)
        if random.random() < event.weight:
            return event


def _draw_event(mass: float, lifetime: float, mesons: Sequence[Momentum]) -> Event:
    """Return a decay inside the vessel; its weight is 0 if it is not seen."""
    front, back, end, kaon = SHIP.front, SHIP.back, SHIP.calorimeter, KAONS["k"]
    square = (B_MASS_GEV**2 - (mass + kaon) ** 2) * (B_MASS_GEV**2 - (mass - kaon) ** 2)
    momentum = math.sqrt(square) / (2 * B_MASS_GEV)
    meson = random.choice(mesons)
    alp = _boost(_isotropic(momentum, math.hypot(momentum, mass)), meson, B_MASS_GEV)
    if alp[2] <= 0:
        return Event(0.0, [])
    length = lifetime * alp[2]
    near, far = math.exp(-front.z_m / length), math.exp(-back.z_m / length)
    part = 1 - math.exp((front.z_m - back.z_m) / length)
    z = front.z_m - length * math.log(1 - random.random() * part)
    x, y = z * alp[0] / alp[2], z * alp[1] / alp[2]
    axis = _isotropic(mass / 2, mass / 2)
    opposite = (-axis[0], -axis[1], -axis[2], axis[3])
    photons = sorted((_boost(one, alp, mass) for one in (axis, opposite)), key=lambda one: -one[3])
    if photons[0][2] <= 0 or photons[1][2] <= 0:
        return Event(0.0, [])
    hits = []
    for px, py, pz, energy in photons:
        path = (end.z_m - z) / pz
        hits.append((x + px * path, y + py * path, energy))
    step = (z - front.z_m) / (back.z_m - front.z_m)
    half_x = front.x_m[1] + step * (back.x_m[1] - front.x_m[1])
    half_y = front.y_m[1] + step * (back.y_m[1] - front.y_m[1])
    seen = abs(x) < half_x and abs(y) < half_y and hits[1][2] > SHIP.min_energy_gev
    seen = seen and all(abs(hit[0]) < end.x_m[1] and abs(hit[1]) < end.y_m[1] for hit in hits)
    apart = math.hypot(hits[0][0] - hits[1][0], hits[0][1] - hits[1][1])
    return Event((near - far) * (seen and apart > SHIP.min_separation_m), hits)


def _isotropic(momentum: float, energy: float) -> tuple[float, float, float, float]:
    """Return a momentum (px, py, pz, E) in a random direction."""
    cosine, phi = random.uniform(-1, 1), random.uniform(-math.pi, math.pi)
    across = momentum * math.sqrt(1 - cosine**2)
    return across * math.cos(phi), across * math.sin(phi), momentum * cosine, energy


def _boost(one: Momentum, frame: Momentum, mass: float) -> tuple[float, float, float, float]:
    """Return a momentum, given in the rest frame of another, in the frame where that moves."""
    dot = one[0] * frame[0] + one[1] * frame[1] + one[2] * frame[2]
    energy = (one[3] * frame[3] + dot) / mass
    factor = (one[3] + energy) / (frame[3] + mass)
    return (
        one[0] + factor * frame[0],
        one[1] + factor * frame[1],
        one[2] + factor * frame[2],
        energy,
    )


def _quantity(name: str, values: Sequence[float], target: float, unit: str) -> Quantity:
    """Return the median of repeated measurements with half their range."""
    series = pd.Series(values)
    return Quantity(
        f"alps.bench.{name}",
        float(series.median()),
        float(series.max() - series.min()) / 2,
        reference=target,
        reference_source="what is asked for",
        n=len(series),
        unit=unit,
    )
