"""Objects of Delphes files."""

import awkward as ak
import numpy as np
import pytest
import uproot

from bumpflow.ingest.delphes import read_delphes_batches
from bumpflow.ingest.layout import InvalidEvents

N_EVENTS = 5
COUNTS = {"Electron": [0, 1, 0, 2, 0], "Muon": [1, 0, 0, 0, 1], "Photon": [2, 2, 0, 1, 3]}
COUNTS |= {"Jet": [3, 0, 2, 4, 1], "MissingET": [1] * 5, "Event": [1] * 5}
PARTS = {
    "Electron": ["PT", "Eta", "Phi", "Charge"],
    "Muon": ["PT", "Eta", "Phi", "Charge"],
    "Photon": ["PT", "Eta", "Phi"],
    "Jet": ["PT", "Eta", "Phi", "Mass", "BTag", "Flavor"],
    "MissingET": ["MET", "Phi"],
    "Event": ["Weight"],
}


def draw(part, n, rng):
    """Return values of a branch."""
    if part == "Charge":
        return rng.choice([-1, 1], n).astype("int32")
    if part == "BTag":
        return np.arange(n, dtype="uint32") % 4
    if part == "Flavor":
        return np.resize([5, 21, 4, 1], n).astype("uint32")
    low, high = {"Eta": (-2, 2), "Phi": (-3, 3), "Mass": (5, 20)}.get(part, (30, 200))
    return rng.uniform(low, high, n).astype("float32")


@pytest.fixture
def branches():
    """Return jagged arrays by collection and part, hardest objects first."""
    rng = np.random.default_rng(2)
    found = {}
    for collection, parts in PARTS.items():
        counts = COUNTS[collection]
        for part in parts:
            values = ak.unflatten(draw(part, sum(counts), rng), counts)
            falling = part == "PT"
            found[collection, part] = ak.sort(values, ascending=False) if falling else values
    return found


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file."""

    def run(branches, *, separator=".", tree="Delphes"):
        path = tmp_path / "delphes.root"
        with uproot.recreate(path) as file:
            arrays = {separator.join(name): values for name, values in branches.items()}
            file.mktree(tree, {name: values.type.content for name, values in arrays.items()})
            file[tree].extend(arrays)
        return path

    return run


@pytest.mark.parametrize("separator", [".", "_"])
def test_branches_become_objects(branches, write, separator):
    (events,) = read_delphes_batches(write(branches, separator=separator))
    assert events.n_events == N_EVENTS
    for name, objects in {
        "Electron": events.electrons,
        "Muon": events.muons,
        "Photon": events.photons,
        "Jet": events.jets,
    }.items():
        assert objects.event.tolist() == np.repeat(np.arange(N_EVENTS), COUNTS[name]).tolist()
        for part, values in (("PT", objects.pt), ("Eta", objects.eta), ("Phi", objects.phi)):
            assert values == pytest.approx(ak.to_numpy(ak.flatten(branches[name, part])))
    assert events.electrons.charge.tolist() == ak.flatten(branches["Electron", "Charge"]).tolist()
    assert events.weights == pytest.approx(ak.to_numpy(ak.flatten(branches["Event", "Weight"])))
    met, phi = (ak.to_numpy(ak.flatten(branches["MissingET", part])) for part in ("MET", "Phi"))
    assert events.missing == pytest.approx(np.stack([met * np.cos(phi), met * np.sin(phi)], 1))


def test_jets_have_masses_tags_and_flavours(branches, write):
    (events,) = read_delphes_batches(write(branches))
    square = events.jets.momentum**2
    mass = np.sqrt(square[:, 3] - square[:, :3].sum(axis=1))
    assert mass == pytest.approx(ak.to_numpy(ak.flatten(branches["Jet", "Mass"])), rel=1e-3)
    assert events.jets.tag.tolist() == [0, 2, 0, 2, 0, 2, 0, 2, 0, 2]
    assert events.jets.flavour.tolist() == [5, 0, 4, 0, 5, 0, 4, 0, 5, 0]


def test_other_bits_of_tags_can_be_chosen(branches, write):
    (events,) = read_delphes_batches(write(branches), btag_bit=1)
    assert events.jets.tag.tolist() == [0, 0, 2, 2, 0, 0, 2, 2, 0, 0]


def test_flavours_are_optional(branches, write):
    del branches["Jet", "Flavor"]
    (events,) = read_delphes_batches(write(branches))
    assert not events.jets.flavour.any()


def test_batches_continue_each_other(branches, write):
    path = write(branches)
    (whole,) = read_delphes_batches(path)
    batches = list(read_delphes_batches(path, batch_size=2))
    assert [batch.n_events for batch in batches] == [2, 2, 1]
    jets = np.concatenate([batch.jets.momentum for batch in batches])
    assert np.array_equal(jets, whole.jets.momentum)
    assert batches[1].jets.event.tolist() == [0, 0, 1, 1, 1, 1]


def test_missing_branches_are_named(branches, write):
    del branches["Jet", "BTag"], branches["Photon", "Eta"]
    message = r"delphes\.root: tree 'Delphes' has no branches Photon\.Eta, Jet\.BTag: have Delphes"
    with pytest.raises(InvalidEvents, match=message):
        list(read_delphes_batches(write(branches)))


def test_missing_tree_is_named_with_those_there_are(branches, write):
    path = write(branches, tree="Events")
    with pytest.raises(InvalidEvents, match="no tree 'Delphes'; trees are: Events"):
        list(read_delphes_batches(path))
    assert len(list(read_delphes_batches(path, tree="Events"))) == 1


def test_branches_that_contradict_are_named(branches, write):
    branches["Jet", "Mass"] = branches["Jet", "Mass"][:, :1]
    with pytest.raises(InvalidEvents, match=r"Jet\.Mass has other numbers of objects per event"):
        list(read_delphes_batches(write(branches)))


def test_events_with_several_weights_are_named(branches, write):
    branches["Event", "Weight"] = ak.unflatten(np.ones(6), [1, 1, 2, 1, 1])
    with pytest.raises(InvalidEvents, match="Event has 2 entries in an event, but must have one"):
        list(read_delphes_batches(write(branches)))


def test_impossible_momentum_is_named_with_its_event(branches, write):
    values = ak.to_numpy(ak.flatten(branches["Photon", "PT"])).copy()
    values[4] = np.nan
    branches["Photon", "PT"] = ak.unflatten(values, COUNTS["Photon"])
    message = r"delphes\.root, event 3 \(from 0\): the momentum of one of the photons"
    with pytest.raises(InvalidEvents, match=message):
        list(read_delphes_batches(write(branches), batch_size=2))


def test_tree_without_events_is_named(branches, write):
    with pytest.raises(InvalidEvents, match="tree 'Delphes' has no events"):
        list(read_delphes_batches(write({name: v[:0] for name, v in branches.items()})))


@pytest.mark.parametrize("keep", [0.99, 0.5, 0.2, 0.01, 0.001])
def test_truncated_file_is_named(branches, write, keep):
    path = write(branches)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(InvalidEvents, match=r"delphes\.root: not a whole ROOT file .*fetch or"):
        list(read_delphes_batches(path))


def test_other_files_are_named(tmp_path):
    path = tmp_path / "delphes.root"
    path.write_text("no events here")
    with pytest.raises(InvalidEvents, match="not a whole ROOT file"):
        list(read_delphes_batches(path))
