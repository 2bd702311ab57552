"""Features of two photons and two b jets in HDF5 files."""

import h5py
import numpy as np
import pytest

from bumpflow.ingest import hdf5
from bumpflow.ingest.hdf5 import FEATURES, read_feature_blocks
from bumpflow.ingest.layout import InvalidEvents
from bumpflow.simulate.kinematics import from_pt_eta_phi_mass
from bumpflow.simulate.select.diphoton import pair_features

N_EVENTS = 7


@pytest.fixture
def arrays():
    """Return what a file holds by key, in single precision."""
    rng = np.random.default_rng(4)
    shape = (N_EVENTS, 2)
    pt = np.sort(rng.uniform(30, 200, shape))[:, ::-1]
    eta, phi = rng.uniform(-2, 2, shape), rng.uniform(-3, 3, shape)
    mass = rng.uniform(5, 20, shape)
    bjets = np.stack([pt, eta, phi, mass], axis=-1)
    photons = np.stack([pt[:, ::-1] / 2, -eta, phi + 1, 0 * pt], axis=-1)
    features = pair_features(
        *(from_pt_eta_phi_mass(*np.moveaxis(pair, -1, 0)) for pair in (bjets, photons))
    )
    return {
        "feats": features[list(FEATURES)].to_numpy().astype("float32"),
        "bjets": bjets.reshape(N_EVENTS, 8).astype("float32"),
        "photons": photons[..., :3].reshape(N_EVENTS, 6).astype("float32"),
    }


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file."""

    def run(arrays):
        path = tmp_path / "pairs.h5"
        with h5py.File(path, "w") as file:
            for key, values in arrays.items():
                file.create_dataset(key, data=values)
        return path

    return run


def test_columns_are_those_of_the_selection(arrays, write):
    (block,) = read_feature_blocks(write(arrays))
    momenta = np.array([[[3.0, 0, 0, 3], [0, 4, 0, 4]]])
    assert list(block) == list(pair_features(momenta, momenta).columns)
    for place, name in enumerate(FEATURES):
        assert block[name] == pytest.approx(arrays["feats"][:, place])
    assert block["pt_gg_over_m"] == pytest.approx(block["pt_gg"] / block["m_gg"])
    assert block["b2_mass"] == pytest.approx(arrays["bjets"][:, 7], rel=1e-3)
    assert block["g1_eta"] == pytest.approx(arrays["photons"][:, 1], rel=1e-5)


def test_blocks_continue_each_other(arrays, write, monkeypatch):
    path = write(arrays)
    (whole,) = read_feature_blocks(path)
    monkeypatch.setattr(hdf5, "ROWS", 3)
    blocks = list(read_feature_blocks(path))
    assert [len(block["m_gg"]) for block in blocks] == [3, 3, 1]
    for name, values in whole.items():
        assert np.array_equal(np.concatenate([block[name] for block in blocks]), values)


def test_features_alone_can_be_read(arrays, write):
    (block,) = read_feature_blocks(write({"feats": arrays["feats"]}), use_objects=False)
    assert list(block) == [*FEATURES, "pt_gg_over_m"]


def test_other_meaning_of_object_columns_is_noticed(arrays, write):
    arrays["photons"] = arrays["photons"].reshape(-1, 2, 3).swapaxes(1, 2).reshape(-1, 6)
    arrays["photons"] = np.abs(arrays["photons"])  # so that transverse momenta are positive
    with pytest.raises(InvalidEvents, match=r"pairs\.h5, event 0 .* but feats has .*use_objects"):
        list(read_feature_blocks(write(arrays)))


def test_swapped_b_jets_are_noticed(arrays, write, monkeypatch):
    monkeypatch.setattr(hdf5, "ROWS", 2)
    arrays["bjets"][3:] = np.roll(arrays["bjets"][3:], 4, axis=1)
    with pytest.raises(InvalidEvents, match=r"event 3 \(from 0\).* give dr_b1g1 = "):
        list(read_feature_blocks(write(arrays)))


def test_missing_key_is_named(arrays, write):
    del arrays["photons"]
    message = r"pairs\.h5: key 'photons' is missing; there are \['bjets', 'feats'\]"
    with pytest.raises(InvalidEvents, match=message):
        list(read_feature_blocks(write(arrays)))


def test_wrong_shape_is_named(arrays, write):
    arrays["bjets"] = arrays["bjets"][:, :7]
    with pytest.raises(InvalidEvents, match=r"'bjets' has shape \(7, 7\), but must have \(N, 8\)"):
        list(read_feature_blocks(write(arrays)))


def test_different_numbers_of_events_are_named(arrays, write):
    arrays["bjets"] = arrays["bjets"][:-1]
    with pytest.raises(InvalidEvents, match="'bjets': 6"):
        list(read_feature_blocks(write(arrays)))


def test_texts_are_refused(arrays, write):
    arrays["photons"] = np.full((N_EVENTS, 6), b"1.0")
    with pytest.raises(InvalidEvents, match="must hold numbers"):
        list(read_feature_blocks(write(arrays)))


@pytest.mark.parametrize(
    ("key", "place", "value", "column"),
    [("feats", 2, 0.0, "m_gg"), ("feats", 9, np.nan, "dr_bb"), ("bjets", 4, -3.0, "pt of bjets")],
)
def test_impossible_values_are_named_with_their_event(
    arrays, write, monkeypatch, key, place, value, column
):
    monkeypatch.setattr(hdf5, "ROWS", 2)
    arrays[key][5, place] = value
    with pytest.raises(InvalidEvents, match=rf"event 5 \(from 0\), {column}"):
        list(read_feature_blocks(write(arrays)))


def test_truncated_file_is_named(arrays, write):
    path = write(arrays)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InvalidEvents, match=r"pairs\.h5: not a whole HDF5 file .*fetch or write"):
        list(read_feature_blocks(path))


def test_other_files_are_named(tmp_path):
    path = tmp_path / "pairs.h5"
    path.write_text("no events here")
    with pytest.raises(InvalidEvents, match="not a whole HDF5 file"):
        list(read_feature_blocks(path))
