"""Spectra of combinations of objects, in bins of one resolution."""

import numpy as np
import pytest

from bumpflow.hunts.categories import (
    SpectraFiller,
    as_table,
    combinations,
    mass_resolution,
    resolution_edges,
)
from bumpflow.hunts.objects import (
    KINDS,
    E,
    J,
    M,
    category_codes,
    category_name,
    read_objects,
    refine,
)
from bumpflow.simulate.kinematics import from_pt_eta_phi_mass, invariant_mass
from tests.unit.hunts.handmade import make_table, random_table

RANGE = (20.0, 5000.0)
RESOLUTIONS = {
    kind: {"constant": 0.05, "stochastic_sqrt_gev": 0.5, "slope_per_gev": 1e-4} for kind in KINDS
}


def fill(table, chosen, *, pieces=1):
    filler = SpectraFiller(chosen, resolutions=RESOLUTIONS, mass_range_gev=RANGE)
    size = -(-table.num_rows // pieces)
    for first in range(0, table.num_rows, size):
        piece = table.slice(first, size)
        filler.fill(refine(read_objects(piece)), piece["weight_fb"].to_numpy())
    return filler


def test_combinations_have_names():
    chosen = combinations(sizes=[2, 3, 0], leading={"e": 1, "j": 2})
    assert [c.name for c in chosen] == ["e1_j1", "e1_j2", "j1_j2", "e1_j1_j2", "all"]
    assert chosen[1].objects == ((E, 0), (J, 1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"leading": {"x": 1}}, r"\['x'\]"), ({"sizes": [-1]}, r"\[-1\]")],
)
def test_impossible_combinations_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        combinations(**({"sizes": [2], "leading": {"j": 2}} | changes))


def test_bins_are_one_resolution_wide():
    resolution = mass_resolution((E, J), resolutions=RESOLUTIONS)
    edges = resolution_edges(30, 3000, resolution)
    centers = 0.5 * (edges[1:] + edges[:-1])
    # Second order in the relative width, of 0.1 at most: its square over twelve.
    np.testing.assert_allclose(np.diff(edges), centers * resolution(centers), rtol=0.1**2 / 4)
    assert edges[0] == pytest.approx(30)
    assert edges[-1] <= 3000 < edges[-1] * (1 + 1.01 * resolution(edges[-1]))


def test_constant_resolution_gives_a_geometric_series():
    edges = resolution_edges(100, 100 * np.exp(0.5), lambda mass: np.full(np.shape(mass), 0.1))
    np.testing.assert_allclose(edges, 100 * np.exp(0.1 * np.arange(6)), rtol=1e-6)


@pytest.mark.parametrize(("low", "high"), [(0, 10), (10, 10), (100, 101)])
def test_ranges_without_a_bin_are_refused(low, high):
    with pytest.raises(ValueError, match=f"{low}"):
        resolution_edges(low, high, lambda mass: np.full(np.shape(mass), 0.1))


@pytest.mark.physics
@pytest.mark.parametrize("n_objects", [2, 3])
def test_resolution_is_the_spread_of_smeared_masses(n_objects):
    rng, n, pt = np.random.default_rng(3), 40_000, 100.0
    smear = mass_resolution([M], resolutions=RESOLUTIONS)(np.array(pt))
    phi = 2 * np.pi * np.arange(n_objects) / n_objects
    momenta = rng.normal(pt, pt * smear, (n, n_objects))
    mass = invariant_mass(from_pt_eta_phi_mass(momenta, 0 * phi, phi).sum(axis=1))
    whole = n_objects * pt  # the star's mass
    expected = mass_resolution([M] * n_objects, resolutions=RESOLUTIONS)(np.array(whole))
    # The spread's statistical error is 1 / sqrt(2 n) of it; the second order is (smear / 2)^2.
    assert np.std(mass) / whole == pytest.approx(expected, rel=4 / np.sqrt(2 * n) + smear**2)


def test_a_kind_without_resolution_is_named():
    with pytest.raises(ValueError, match=r"\['m'\]"):
        mass_resolution([E, M], resolutions={"e": RESOLUTIONS["e"]})


def reference_histogram(table, category, slots):
    """Return sums of weights of one spectrum by a loop over events."""
    objects = refine(read_objects(table))
    codes, rank, weights = category_codes(objects), objects.rank, table["weight_fb"].to_numpy()
    masses, used = [], []
    for event in range(objects.n_events):
        total, found = np.zeros(4), 0
        for i in np.flatnonzero(objects.event == event):
            slot = (objects.kind[i], rank[i])
            hit = slot[0] < J if slots is None else slot in slots
            if hit:
                total, found = total + objects.momentum[i], found + 1
        if category_name(codes[event]) == category and (slots is None or found == len(slots)):
            masses.append(float(invariant_mass(total)))
            used.append(weights[event])
    return np.array(masses), np.array(used)


@pytest.mark.parametrize("pieces", [1, 3])
def test_spectra_are_those_of_a_loop_over_events(pieces):
    table = random_table(250, seed=5, most=2)
    chosen = combinations(sizes=[2, 3, 0], leading={"e": 1, "g": 1, "j": 2})
    (block,) = fill(table, chosen, pieces=pieces).blocks(min_events=1, size=10**6)
    names = [category_name(code) for code in block.category]
    kinds = set(block.combination)
    assert {"all", "e1_g1", "g1_j1_j2"} <= kinds
    slots_of = {c.name: set(c.objects) or None for c in chosen}
    for row in range(0, len(names), 10):
        masses, weights = reference_histogram(table, names[row], slots_of[block.combination[row]])
        edges = block.edges[row][np.isfinite(block.edges[row])]
        inside = (masses >= RANGE[0]) & (masses < RANGE[1])
        assert block.n_events[row] == inside.sum()
        n = len(edges) - 1
        for found, weight in ((block.values, weights), (block.variances, weights**2)):
            np.testing.assert_allclose(
                found[row, :n], np.histogram(masses, edges, weights=weight)[0]
            )
            assert not found[row, n:].any()


def test_all_objects_are_left_out_where_a_combination_has_them():
    muons = [(100, 0, 0, 1), (100, 0, 2, 1)]
    listed = {"muon": muons}
    unlisted = {"muon": [*muons, (100, 0, 1, 1)], "jet": [(80, 0, -1, 5)]}
    table = make_table(listed, unlisted, weight_fb=[1.0, 1.0])
    (block,) = fill(table, combinations(sizes=[2, 0], leading={"m": 2, "j": 1})).blocks(
        min_events=1
    )
    found = {
        (category_name(c), name) for c, name in zip(block.category, block.combination, strict=True)
    }
    assert found == {
        ("0e2m0g0z0v0t0h_ss", "m1_m2"),
        ("0e3m0g0z0v0t0h", "m1_m2"),
        ("0e3m0g0z0v0t0h", "m1_j1"),
        ("0e3m0g0z0v0t0h", "m2_j1"),
        ("0e3m0g0z0v0t0h", "all"),
    }


def test_blocks_hold_all_spectra_once_and_tables_all_bins():
    filler = fill(random_table(60, seed=2), combinations(sizes=[2], leading={"j": 2, "m": 2}))
    whole = next(filler.blocks(min_events=1, size=10**6))
    parts = list(filler.blocks(min_events=1, size=3))
    assert len(whole.category) == filler.count_spectra(min_events=1) > 9
    assert sum(len(part.category) for part in parts) == len(whole.category)
    table, split = as_table(whole), [as_table(part) for part in parts]
    assert sum(len(part) for part in split) == len(table)
    assert table.value.sum() == pytest.approx(whole.values.sum())
    assert (table.high_gev > table.low_gev).all()


def test_without_spectra_there_is_an_empty_block():
    filler = SpectraFiller([], resolutions=RESOLUTIONS, mass_range_gev=RANGE)
    (block,) = filler.blocks(min_events=1)
    assert len(as_table(block)) == 0


@pytest.mark.parametrize(
    ("weights", "message"), [([1.0], "2 events"), ([1, -2], "event 1"), ([np.nan, 1], "event 0")]
)
def test_impossible_weights_are_refused(weights, message):
    filler = SpectraFiller([], resolutions=RESOLUTIONS, mass_range_gev=RANGE)
    with pytest.raises(ValueError, match=message):
        filler.fill(refine(read_objects(make_table({}, {}))), np.array(weights))
