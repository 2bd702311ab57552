"""Particles made by hand, and a detector that measures them as they are."""

import copy

import numpy as np

from bumpflow.simulate.detector.objects import Events, Jets, Objects
from bumpflow.simulate.kinematics import from_pt_eta_phi_mass
from bumpflow.simulate.particles import Particles

ALWAYS = {"abs_eta": [5.0], "values": [1.0]}
EXACT = {"abs_eta": [5.0], "constant": [0], "stochastic_sqrt_gev": [0], "noise_gev": [0]}
CALORIMETER = {"max_abs_eta": 5.0, "min_energy_gev": 0, "resolution": EXACT}
CANDIDATES = {
    "min_pt_gev": 10,
    "efficiency": ALWAYS,
    "isolation": {"radius": 0.3, "min_pt_gev": 0.5, "relative": 0.1, "absolute_gev": 0},
}
NEVER = {"b": [0, 0, 0, 0], "c": [0, 0, 0, 0], "light": [0, 0]}
SURE = {"b": [1, 10, 1, 0], "c": [0, 0, 0, 0], "light": [0, 0]}
PERFECT = {
    "tracker": {
        "min_pt_gev": 0,
        "efficiency": ALWAYS,
        "resolution": {"abs_eta": [5.0], "constant": [0], "slope_per_gev": [0]},
    },
    "ecal": CALORIMETER,
    "hcal": CALORIMETER,
    "electrons": CANDIDATES,
    "muons": CANDIDATES,
    "photons": CANDIDATES,
    "jets": {
        "radius": 0.4,
        "min_pt_gev": 20,
        "min_raw_pt_gev": 10,
        "max_abs_eta": 2.5,
        "flavour_radius": 0.4,
        "flavour_min_pt_gev": 5,
    },
    "btags": {"loose": SURE, "tight": NEVER},
}
"""Settings of a detector that loses nothing, and tags b jets always and no others."""


def perfect_with(path, value):
    """Return the settings of the perfect detector with one of them, at a dotted path, changed."""
    settings = copy.deepcopy(PERFECT)
    *groups, name = path.split(".")
    place = settings
    for group in groups:
        place = place[group]
    place[name] = value
    return settings


def momentum(pt, eta=0.0, phi=0.0, mass=0.0):
    """Return one momentum as a list."""
    return from_pt_eta_phi_mass(*(np.asarray(x, dtype=float) for x in (pt, eta, phi, mass)))


def make_particles(*events, weights=None):
    """Return events of particles ``(pdg, momentum)``, or ``(pdg, momentum, status, mother)``.

    Entry 0 of each event stands for the event, as in Pythia's records.
    """
    rows = []
    for number, event in enumerate(events):
        rows.append((number, 90, -11, 0, np.zeros(4)))
        for pdg, p, *rest in event:
            status, mother = rest or (1, 0)
            rows.append((number, pdg, status, mother, p))
    event, pdg, status, mother, momenta = zip(*rows, strict=True)
    return Particles(
        n_events=len(events),
        event=np.array(event),
        pdg=np.array(pdg),
        status=np.array(status),
        mother=np.array(mother),
        momentum=np.array(momenta, dtype=float),
        weights=np.ones(len(events)) if weights is None else np.array(weights, dtype=float),
    )


def make_objects(*events, tags=None, flavour=0):
    """Return objects of lists of momenta, hardest first; jets if ``tags`` are given."""
    event = np.repeat(np.arange(len(events)), [len(event) for event in events])
    momenta = np.array([p for event in events for p in event], dtype=float).reshape(-1, 4)
    charge = np.zeros(len(event), dtype=np.int64)
    if tags is None:
        return Objects(event, momenta, charge)
    levels = np.array([tag for event in tags for tag in event], dtype=np.int64)
    return Jets(event, momenta, charge, levels, np.full(len(event), flavour))


def make_events(n_events, *, weights=None, missing=None, **objects):
    """Return reconstructed events with empty lists for all objects that are not given."""
    empty = [[] for _ in range(n_events)]
    return Events(
        n_events=n_events,
        electrons=objects.get("electrons", make_objects(*empty)),
        muons=objects.get("muons", make_objects(*empty)),
        photons=objects.get("photons", make_objects(*empty)),
        jets=objects.get("jets", make_objects(*empty, tags=empty)),
        missing=np.zeros((n_events, 2)) if missing is None else np.array(missing, dtype=float),
        weights=np.ones(n_events) if weights is None else np.array(weights, dtype=float),
    )
