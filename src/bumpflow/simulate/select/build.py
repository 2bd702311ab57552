"""What becomes of generated events: which are kept, and what is stored of them."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from bumpflow.simulate.beamdump import pick_mesons
from bumpflow.simulate.detector.objects import Events, Objects, Selection
from bumpflow.simulate.detector.reconstruction import reconstruct
from bumpflow.simulate.detector.settings import detector_settings
from bumpflow.simulate.kinematics import invariant_mass
from bumpflow.simulate.particles import Particles
from bumpflow.simulate.select.diphoton import select_diphoton
from bumpflow.simulate.select.mixture import list_columns
from bumpflow.simulate.select.semileptonic import select_semileptonic

DIPHOTON_TAGS = 2


class Selected(NamedTuple):
    """Events that are kept.

    Attributes:
        events: One row per event or meson, momenta and masses in GeV.
        weights: Weight of each, shape ``(n,)``.
        cutflow: Number of events left after each step.
    """

    events: pa.Table
    weights: NDArray[np.float64]
    cutflow: dict[str, int]


Select = Callable[[Particles, np.random.Generator], Selected]


def build_selection(
    settings: Mapping[str, Any], *, jet_scale: pd.DataFrame | None = None
) -> Select:
    """Return what turns generated particles into the events of a sample.

    Args:
        settings: Settings of the sample; ``selection`` says what is kept, and ``detector`` and
            ``tagging`` how events are reconstructed.
        jet_scale: Correction of the jets' energies.

    Raises:
        ValueError: If a setting is missing, unknown or makes no sense.
    """
    chosen = dict(settings["selection"])
    kind = chosen.pop("kind")
    if kind == "bmesons":
        return keep_mesons
    detector = detector_settings(settings["detector"])
    select, min_tags = event_selection(kind, chosen)

    def run(particles: Particles, rng: np.random.Generator) -> Selected:
        events = reconstruct(
            particles,
            detector,
            rng,
            jet_scale=jet_scale,
            tagging=settings["tagging"],
            min_tags=min_tags,
        )
        return select(events)

    return run


def event_selection(
    kind: str, settings: Mapping[str, Any]
) -> tuple[Callable[[Events], Selected], int]:
    """Return a selection of reconstructed events, and how many b tags it needs.

    Args:
        kind: ``semileptonic``, ``diphoton`` or ``objects``.
        settings: Its settings.
    """
    if kind == "semileptonic":
        min_tags = int(settings["min_btags"])
        return (
            lambda events: _from_features(select_semileptonic(events, min_btags=min_tags)),
            min_tags,
        )
    if kind == "diphoton":
        return (
            lambda events: _from_features(select_diphoton(events, settings=settings)),
            DIPHOTON_TAGS,
        )
    return keep_objects, 0


def _from_features(selection: Selection) -> Selected:
    """Return selected events as they are stored, in single precision."""
    table = pa.Table.from_pandas(selection.features.astype("float32"), preserve_index=False)
    return Selected(table.replace_schema_metadata(None), selection.weights, selection.cutflow)


def keep_mesons(particles: Particles, _rng: np.random.Generator) -> Selected:
    """Return the B mesons of generated events, without any detector."""
    mesons = pick_mesons(particles)
    columns: dict[str, NDArray] = {"event": mesons.event.astype(np.int32)}
    columns["pdg"] = mesons.pdg.astype(np.int32)
    for place, name in enumerate(("px", "py", "pz", "energy")):
        columns[name] = mesons.momentum[:, place]
    n_events = len(np.unique(mesons.event))
    weights = particles.weights[mesons.event]
    return Selected(pa.table(columns), weights, {"with B mesons": n_events})


def keep_objects(events: Events) -> Selected:
    """Return events with at least one electron, muon, photon or jet, and lists of these."""
    columns: dict[str, Any] = {}
    n_objects = np.zeros(events.n_events, dtype=np.int64)
    kinds = ("electron", "muon", "photon", "jet")
    for name, objects in zip(
        kinds, (events.electrons, events.muons, events.photons, events.jets), strict=True
    ):
        columns |= list_columns(objects.event, events.n_events, _properties(name, objects))
        n_objects += objects.counts(events.n_events)
    columns["met"] = np.hypot(*events.missing.T).astype("float32")
    columns["met_phi"] = np.arctan2(events.missing[:, 1], events.missing[:, 0]).astype("float32")
    kept = n_objects > 0
    table = pa.table(columns).filter(pa.array(kept))
    return Selected(table, events.weights[kept], {"with objects": int(kept.sum())})


def _properties(name: str, objects: Objects) -> dict[str, NDArray]:
    """Return what is stored of one kind of objects, by the names of columns."""
    found: dict[str, NDArray] = {"pt": objects.pt, "eta": objects.eta, "phi": objects.phi}
    if name == "jet":
        found |= {"mass": invariant_mass(objects.momentum), "btag": objects.tag}  # type: ignore[attr-defined]
    elif name != "photon":
        found["charge"] = objects.charge
    return {f"{name}_{key}": values for key, values in found.items()}
