"""Read reconstructed events from ROOT files that Delphes has written.

References:
    de Favereau et al. (2013), https://arxiv.org/abs/1307.6346
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bumpflow.damage import readable, uproot_errors
from bumpflow.ingest.baskets import check_baskets
from bumpflow.ingest.layout import InvalidEvents
from bumpflow.ingest.objects import check_events
from bumpflow.simulate.detector.objects import Events, Jets, Objects
from bumpflow.simulate.kinematics import from_pt_eta_phi_mass

ROWS = 50_000
"""Events read at a time."""
TREE = "Delphes"
COLLECTIONS = {
    "Electron": ("PT", "Eta", "Phi", "Charge"),
    "Muon": ("PT", "Eta", "Phi", "Charge"),
    "Photon": ("PT", "Eta", "Phi"),
    "Jet": ("PT", "Eta", "Phi", "Mass", "BTag"),
    "MissingET": ("MET", "Phi"),
    "Event": ("Weight",),
}
"""Branches that are read, by collection."""
ONE_PER_EVENT = ("MissingET", "Event")
MUON_MASS_GEV = 0.1057
FLAVOUR = "Jet_Flavor"
"""A branch that is read where there is one."""
LARGEST = 1 << 53
"""Whole numbers up to which double precision has all of them."""
TIGHT = 2
"""Level of b tagging of jets with the wanted bit set."""

Collection = Mapping[str, NDArray]


def read_delphes_batches(
    path: Path, *, tree: str = TREE, btag_bit: int = 0, batch_size: int = ROWS
) -> Iterator[Events]:
    """Yield the events of a Delphes file in batches, so that memory is bounded.

    Args:
        path: A ``.root`` file with branches as Delphes names them, ``Jet.PT``, or with
            underscores, ``Jet_PT``.
        tree: Name of the tree.
        btag_bit: Which bit of ``Jet.BTag`` says that a jet is tagged, from 0; cards with several
            working points have several.
        batch_size: Events per batch.

    Raises:
        InvalidEvents: If the file is damaged, tree or branches are missing, or numbers are
            impossible.
    """
    import uproot

    with _readable(path):
        file = uproot.open(path)
    with file:
        branches, n_events = _find_branches(file, tree, path=path)
        for first in range(0, n_events, batch_size):
            stop = min(first + batch_size, n_events)
            with _readable(path):
                for branch in branches.values():
                    check_baskets(branch, start=first, stop=stop)
                arrays = {
                    name: branch.array(entry_start=first, entry_stop=stop, library="ak")
                    for name, branch in branches.items()
                }
            events = _convert(arrays, stop - first, btag_bit=btag_bit, file=path.name)
            yield check_events(events, first=first, file=path.name)


def _readable(path: Path) -> AbstractContextManager[None]:
    """Turn whatever a damaged file leads to into one exception with a cure."""
    cure, also = "fetch or write it again", uproot_errors()
    return readable(path.name, "ROOT file", error=InvalidEvents, cure=cure, also=also)


def _find_branches(file: Any, name: str, *, path: Path) -> tuple[dict[str, Any], int]:  # noqa: ANN401
    """Return the branches that are read, by names with underscores, and the number of events."""
    with _readable(path):
        trees = sorted({key.partition(";")[0] for key in file.keys(filter_classname="TTree")})
    if name not in trees:
        there = ", ".join(trees) or "none"
        msg = f"{path.name}: there is no tree {name!r}; trees are: {there}: set its name"
        raise InvalidEvents(msg)
    with _readable(path):
        tree = file[name]
        # Split branches are called Jet/Jet.PT.
        keys = {key.rpartition("/")[2].replace(".", "_"): key for key in tree.keys(recursive=True)}
    wanted = [
        f"{collection}_{part}" for collection, parts in COLLECTIONS.items() for part in parts
    ]
    if missing := [found.replace("_", ".", 1) for found in wanted if found not in keys]:
        msg = (
            f"{path.name}: tree {name!r} has no branches {', '.join(missing)}: have Delphes write"
            " them (module TreeWriter of its card)"
        )
        raise InvalidEvents(msg)
    if tree.num_entries == 0:
        msg = f"{path.name}: tree {name!r} has no events: run Delphes again"
        raise InvalidEvents(msg)
    optional = [FLAVOUR] if FLAVOUR in keys else []
    return {found: tree[keys[found]] for found in [*wanted, *optional]}, tree.num_entries


def _convert(arrays: Mapping[str, Any], n_events: int, *, btag_bit: int, file: str) -> Events:
    """Return a batch of jagged arrays as flat ones."""
    flat = {name: _flatten(arrays, name, n_events, file=file) for name in COLLECTIONS}
    met, weight = flat["MissingET"], flat["Event"]
    jets = flat["Jet"]
    tagged = (_whole(jets["BTag"], "Jet.BTag", file=file) >> btag_bit) & 1
    return Events(
        n_events=n_events,
        electrons=_objects(flat["Electron"], file=file),
        muons=_objects(flat["Muon"], mass=MUON_MASS_GEV, file=file),
        photons=_objects(flat["Photon"], file=file),
        jets=Jets(
            **vars(_objects(jets, mass=jets["Mass"], file=file)),
            tag=TIGHT * tagged,
            flavour=_flavours(arrays, jets, file=file),
        ),
        missing=met["MET"][:, None] * np.stack([np.cos(met["Phi"]), np.sin(met["Phi"])], axis=1),
        weights=weight["Weight"],
    )


def _flatten(
    arrays: Mapping[str, Any], collection: str, n_events: int, *, file: str
) -> dict[str, NDArray]:
    """Return the branches of a collection as flat arrays, and the ``event`` of each object."""
    import awkward as ak

    flat: dict[str, NDArray] = {}
    counts = None
    for part in COLLECTIONS[collection]:
        array = arrays[f"{collection}_{part}"]
        if len(array) != n_events:
            msg = f"{file}: {collection}.{part} ends before its last event: write the file again"
            raise InvalidEvents(msg)
        found = np.ones(n_events, dtype=int) if array.ndim == 1 else ak.to_numpy(ak.num(array))
        if counts is not None and not np.array_equal(found, counts):
            msg = (
                f"{file}: {collection}.{part} has other numbers of objects per event than"
                f" {collection}.{COLLECTIONS[collection][0]}: write the file again"
            )
            raise InvalidEvents(msg)
        counts = found
        flat[part] = ak.to_numpy(ak.flatten(array, axis=None)).astype(float)
    assert counts is not None
    if collection in ONE_PER_EVENT and not np.all(counts == 1):
        event = int(np.argmax(counts != 1))
        msg = (
            f"{file}: {collection} has {counts[event]} entries in an event, but must have one:"
            " write the file again, with one weight and one missing momentum per event"
        )
        raise InvalidEvents(msg)
    return flat | {"event": np.repeat(np.arange(n_events), counts)}


def _whole(values: NDArray, name: str, *, file: str) -> NDArray[np.int64]:
    """Return whole numbers, refusing what cannot be one."""
    if not np.all(np.abs(values) < LARGEST):  # or NaN
        msg = f"{file}: {name} holds values that are no whole numbers: write the file again"
        raise InvalidEvents(msg)
    return values.astype(np.int64)


def _objects(flat: Collection, *, file: str, mass: NDArray | float = 0.0) -> Objects:
    """Return objects of a collection."""
    charge = _whole(flat.get("Charge", np.zeros(len(flat["PT"]))), "Charge", file=file)
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused later
        momentum = from_pt_eta_phi_mass(flat["PT"], flat["Eta"], flat["Phi"], mass)
    return Objects(flat["event"], momentum, charge)


def _flavours(arrays: Mapping[str, Any], jets: Collection, *, file: str) -> NDArray[np.int64]:
    """Return true flavours of jets: 5, 4, or 0, which also stands for not known."""
    import awkward as ak

    if FLAVOUR not in arrays:
        return np.zeros(len(jets["PT"]), dtype=np.int64)
    flat = ak.to_numpy(ak.flatten(arrays[FLAVOUR], axis=None)).astype(float)
    code = np.abs(_whole(flat, FLAVOUR, file=file))
    return np.where(np.isin(code, (4, 5)), code, 0)
