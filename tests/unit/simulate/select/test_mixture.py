"""Lists of objects, and categories of events."""

from functools import partial

import numpy as np
import pyarrow as pa
import pytest

from bumpflow.simulate.select.mixture import category_counts, list_columns


def test_objects_become_lists_by_event():
    lists = list_columns(
        np.array([0, 0, 2]), 4, {"pt": np.array([5.0, 3.0, 7.5]), "charge": np.array([1, -1, 1])}
    )
    assert lists["pt"].to_pylist() == [[5.0, 3.0], [], [7.5], []]
    assert lists["charge"].to_pylist() == [[1, -1], [], [1], []]
    assert lists["pt"].type == pa.list_(pa.float32())
    assert lists["charge"].type == pa.list_(pa.int8())


def test_events_without_any_object_have_empty_lists():
    lists = list_columns(np.array([], dtype=int), 2, {"pt": np.array([])})
    assert lists["pt"].to_pylist() == [[], []]


@pytest.mark.parametrize("event", [[1, 0], [0, 5], [-1, 0]])
def test_events_out_of_order_or_range_are_refused(event):
    with pytest.raises(ValueError, match="must be sorted by their event, 0 to 2"):
        list_columns(np.array(event), 3, {"pt": np.ones(2)})


def test_columns_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"eta has shape \(1,\), but there are 2 objects"):
        list_columns(np.array([0, 1]), 2, {"pt": np.ones(2), "eta": np.ones(1)})


def build_table(counts, tags, weights):
    """Return events with given numbers of electrons, muons, photons and jets."""
    columns = {}
    for kind, numbers in zip(("electron", "muon", "photon", "jet"), counts, strict=True):
        event = np.repeat(np.arange(len(numbers)), numbers)
        properties = {f"{kind}_pt": np.ones(len(event))}
        if kind == "jet":
            properties["jet_btag"] = np.asarray(tags, dtype=int)
        columns |= list_columns(event, len(numbers), properties)
    return pa.table(columns | {"weight": pa.array(weights)})


@pytest.fixture
def table():
    """Return four events, of which the first and the last are alike."""
    counts = [[1, 0, 0, 1], [0, 0, 0, 0], [0, 2, 0, 0], [2, 0, 3, 2]]
    return build_table(counts, [0, 2, 1, 2, 0, 0, 1], [0.5, 1.0, 2.0, 1.5])


def test_categories_are_counted_and_weighed(table):
    found = category_counts(table)
    assert found.columns.tolist() == [
        *("n_e", "n_mu", "n_gamma", "n_jets", "n_b"),
        *("n_events", "weight", "weight_error"),
    ]
    rows = found.to_numpy().tolist()
    assert rows[0] == [1, 0, 0, 2, 1, 2, 2.0, pytest.approx(np.hypot(0.5, 1.5))]
    assert rows[1:] == [[0, 0, 0, 3, 2, 1, 2.0, 2.0], [0, 0, 2, 0, 0, 1, 1.0, 1.0]]


def test_chunks_and_slices_change_nothing(table):
    whole = category_counts(table)
    pieces = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    assert category_counts(pieces).equals(whole)
    assert category_counts(table.slice(1, 2)).n_events.tolist() == [1, 1]
    assert category_counts(table.filter(pa.array([False, True, True, False]))).equals(
        category_counts(table.slice(1, 2))
    )


def test_another_column_of_weights_can_be_chosen(table):
    renamed = table.rename_columns([*table.column_names[:-1], "weight_fb"])
    assert category_counts(renamed, weight="weight_fb").weight.sum() == 5.0
    with pytest.raises(ValueError, match=r"no columns \['weight'\]"):
        category_counts(renamed)


def test_thousands_of_categories_are_all_found():
    """Multiplicities on a grid: as many categories as grid points."""
    axes = [range(4), range(4), range(4), range(5, 45)]
    grid = np.stack([axis.ravel() for axis in np.meshgrid(*axes)])
    rng = np.random.default_rng(1)
    draw = partial(rng.integers, 0, 2)
    twice = np.tile(grid, 2)
    found = category_counts(build_table(twice, draw(twice[3].sum()), np.ones(twice.shape[1])))
    assert found.n_events.sum() == twice.shape[1]
    assert len(found.drop_duplicates(["n_e", "n_mu", "n_gamma", "n_jets"])) == grid.shape[1]
    assert np.all(found.n_b <= found.n_jets)
