import numpy as np
import torch

from bumpflow import io
from bumpflow.reconstruction.sets import as_true_sets
from bumpflow.reconstruction.simulation import COLUMNS, read_sets, simulate_sets
from bumpflow.simulate.alps.sampling import sample_sets
from tests.unit.reconstruction.small import SETUP

PRIOR = {"n_sets": 40, "n_events": 3, "benchmark": None, "mesons": None}


def test_sets_come_back_from_files(tmp_path):
    table = simulate_sets(SETUP, seed=1, **PRIOR)
    assert tuple(table.columns) == COLUMNS
    io.write_table(tmp_path / "sets.parquet", table)
    found = read_sets(tmp_path / "sets.parquet")
    assert found.photons.shape == (40, 3, 2, 5)
    first = read_sets(tmp_path / "sets.parquet", n_sets=7)
    torch.testing.assert_close(first.photons, found.photons[:7])
    # Photons of one particle: their mass is the set's, to the precision of the file.
    energy, _, _, polar, azimuth = found.photons.double().unbind(-1)
    direction = torch.stack(
        [polar.sin() * azimuth.cos(), polar.sin() * azimuth.sin(), polar.cos()], dim=-1
    )
    chord = (direction[:, :, 0] - direction[:, :, 1]).square().sum(-1)  # 2 (1 - cos)
    mass = (energy.prod(-1) * chord).sqrt()
    np.testing.assert_allclose(mass.log10(), found.theta[:, :1].expand(-1, 3), atol=2e-3)


def test_single_precision_is_all_that_is_lost():
    theta = np.tile(np.log10([0.2, 5.0]), (20, 1))
    exact = as_true_sets(sample_sets(theta, 3, SETUP, seed=4))
    point = {"mass_gev": 0.2, "lifetime_m": 1.0}
    table = simulate_sets(SETUP, seed=4, **(PRIOR | {"n_sets": 20, "benchmark": point}))
    torch.testing.assert_close(as_true_sets(table).photons, exact.photons, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(as_true_sets(table).theta, exact.theta)


def test_parameters_follow_the_prior_and_the_seed():
    first, again, other = (simulate_sets(SETUP, seed=seed, **PRIOR) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not np.allclose(first["log10_mass"], other["log10_mass"])
    mass, length = first["log10_mass"], first["log10_lifetime"] + first["log10_mass"]
    for values, limits in ((mass, (0.1, 4.5)), (length, (0.1, 100))):
        low, high = np.log10(limits)
        assert low <= values.min() < values.max() <= high + 1e-6
        assert np.ptp(values) > 0.8 * (high - low)
