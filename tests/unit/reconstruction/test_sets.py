import numpy as np
import pytest
import torch
from scipy.stats import kstest

from bumpflow.reconstruction.sets import (
    Detectors,
    Drawing,
    TrueSets,
    as_true_sets,
    draw_sets,
    measure,
    sigmas_of,
)
from bumpflow.simulate.alps.features import FEATURES, observe
from bumpflow.simulate.alps.sampling import sample_sets
from bumpflow.simulate.alps.settings import Resolution
from tests.unit.simulate.alps.setups import SHORT, build

SETUP = build(SHORT)
N_SETS, N_EVENTS = 300, 4
ALL = Detectors((0.01, 0.1), (0.001, 0.01), (0.001, 0.01))


@pytest.fixture(scope="module")
def table():
    """Sets of decays."""
    theta = SETUP.prior.sample(N_SETS, np.random.default_rng(1))
    return sample_sets(theta, N_EVENTS, SETUP, seed=1)


@pytest.fixture(scope="module")
def true(table):
    return as_true_sets(table)


def new_generator(seed=3):
    return torch.Generator().manual_seed(seed)


def test_true_sets_are_those_of_the_table(table, true):
    assert true.photons.shape == (N_SETS, N_EVENTS, 2, 5)
    row = 7 * N_EVENTS + 2
    px, py, pz = (table.loc[row, f"true_p{axis}2"] for axis in "xyz")
    energy = np.sqrt(px**2 + py**2 + pz**2)
    hit = [table.loc[row, f"true_{axis}2"] for axis in "xy"]
    exact = [energy, *hit, np.arccos(pz / energy), np.arctan2(py, px)]
    np.testing.assert_allclose(true.photons[7, 2, 1], exact, rtol=1e-4)
    parameters = table.loc[row, ["log10_mass", "log10_lifetime"]]
    np.testing.assert_allclose(true.theta[7], parameters.astype(float), rtol=1e-6)


def test_unsorted_tables_are_refused(table):
    with pytest.raises(ValueError, match="not all of 4 events"):
        as_true_sets(table.iloc[1:])


@pytest.mark.parametrize("wrap", [True, False])
def test_measurement_is_that_of_single_events(table, true, wrap, monkeypatch):
    # Errors so large that energies, hits and angles reach all of their limits.
    resolution = Resolution(hit_m=0.5, energy=1.0, theta=0.3, phi=2.0, wrap=wrap)
    features = observe(table, SETUP, resolution, rng=np.random.default_rng(4))
    rng = np.random.default_rng(4)
    noise = np.stack([rng.standard_normal((5, len(table))) for _ in range(2)])
    same = torch.from_numpy(noise).float().permute(2, 0, 1).view(true.photons.shape)
    monkeypatch.setattr(torch, "randn", lambda *_, **__: same)
    sigmas = sigmas_of(resolution, N_SETS)
    x = measure(true.photons, sigmas, SETUP, wrap=wrap, generator=new_generator())
    exact = features[list(FEATURES)].to_numpy()
    np.testing.assert_allclose(x.flatten(0, 1), exact, rtol=2e-4, atol=2e-5)
    limits = SETUP.calorimeter.x_m
    assert {float(x[..., 2].min()), float(x[..., 2].max())} == set(limits)


def test_each_set_has_its_own_errors(true):
    sigmas = torch.tensor([[1e-3, 0.01, 1e-3, 1e-3], [1e-2, 0.1, 1e-2, 1e-2]])
    same = true.photons[:1, :1].expand(2, 40_000, 2, 5)
    x = measure(same, sigmas, SETUP, wrap=True, generator=new_generator())
    spread = x[..., [0, 2, 8]].std(1)
    np.testing.assert_allclose(spread, sigmas[:, [1, 0, 3]], rtol=0.03)


def test_sets_are_parts_of_the_true_ones(true):
    sizes = torch.arange(N_SETS) % N_EVENTS + 1
    sigmas = torch.full((N_SETS, 4), 1e-6)
    sets = draw_sets(true, sizes, sigmas, SETUP, wrap=True, generator=new_generator())
    assert torch.equal(sets.n_events, sizes)
    nearest = (sets.x[:, :, None, :2] - true.photons[:, None, ..., 0].log()).abs().sum(-1)
    off, which = nearest.min(-1)
    assert float(off.max()) < 1e-4
    assert all(len(set(one.tolist())) == N_EVENTS for one in which)
    shares = torch.bincount(which[:, 0], minlength=N_EVENTS) / N_SETS
    assert float((shares - 1 / N_EVENTS).abs().max()) < 4 * np.sqrt(0.1875 / N_SETS)


def test_no_more_events_than_there_are(true):
    with pytest.raises(ValueError, match="set of 5 events is asked for, but sets have 4"):
        Drawing(SETUP, ALL, (5, 5)).draw(true, new_generator())


def test_detectors_are_flat_in_logarithms():
    sigmas = ALL.draw(5000, new_generator()).double()
    assert torch.equal(sigmas[:, 2], sigmas[:, 3])
    shares = sigmas.log10() + torch.tensor([3, 2, 3, 3])
    assert all(kstest(shares[:, column], "uniform").pvalue > 1e-3 for column in range(3))
    assert float(np.abs(np.corrcoef(shares[:, :3].T) - np.eye(3)).max()) < 0.06


def test_one_detector_is_always_the_same():
    resolution = Resolution(1e-3, 0.05, 0.01, 0.01, wrap=False)
    only = Detectors.only(resolution)
    torch.testing.assert_close(only.draw(3, new_generator()), sigmas_of(resolution, 3))
    assert not only.wrap
    with pytest.raises(ValueError, match=r"0.01 and 0.02, but must be equal"):
        Detectors.only(Resolution(1e-3, 0.05, 0.01, 0.02))


def test_ranges_from_settings():
    block = {"energy": [0.01, 0.1], "angle_rad": [0.001, 0.01], "hit_m": [0.001, 0.01]}
    assert Detectors.from_settings(block) == ALL
    with pytest.raises(ValueError, match=r"detectors.energy is \[0.1, 0.01\]"):
        Detectors.from_settings(block | {"energy": [0.1, 0.01]})


def test_streams_repeat_epochs_and_change_between_them(true):
    stream = Drawing(SETUP, ALL, (1, 3)).stream(true, batch_size=70, seed=5)
    first, again, other = (list(stream.batches(epoch)) for epoch in (0, 0, 1))
    assert stream.steps == len(first) == N_SETS // 70
    for one, same in zip(first, again, strict=True):
        assert all(torch.equal(*parts) for parts in zip(one, same, strict=True))
    assert not torch.equal(first[0][2], other[0][2])
    theta = torch.cat([batch[3] for batch in first])
    assert len(theta.unique(dim=0)) == len(theta) == 280
    sizes = torch.cat([batch[1].sum(1) for batch in first])
    assert sizes.unique().tolist() == [1, 2, 3]


def test_small_sets_are_drawn_more_often(true):
    many = true.theta.repeat(40, 1), true.photons.repeat(40, 1, 1, 1)
    sets = Drawing(SETUP, ALL, (1, 4)).draw(TrueSets(many[1], many[0]), new_generator())
    shares = torch.bincount(sets.n_events)[1:] / len(sets.x)
    exact = np.arange(1, 5) ** -0.5
    np.testing.assert_allclose(shares, exact / exact.sum(), atol=4 * 0.5 / np.sqrt(len(sets.x)))


def test_streams_of_other_settings_have_other_names(true):
    drawings = [Drawing(SETUP, ALL, (1, 3)), Drawing(SETUP, ALL, (1, 2))]
    names = {one.stream(true, batch_size=9, seed=s).name for one in drawings for s in (1, 2)}
    assert len(names) == 4
