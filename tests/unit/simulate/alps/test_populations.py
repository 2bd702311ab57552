import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

from bumpflow.simulate.alps.populations import BACKGROUND, PRIOR, SETS, TEST, simulate_population
from bumpflow.simulate.alps.sampling import BLOCK_SIZE, PARAMETERS, PHOTONS
from bumpflow.simulate.beamdump import B_MASS_GEV
from tests.unit.simulate.alps.setups import SHIP, build

SETUP = build(SHIP)
BENCHMARK = {"mass_gev": 0.2, "lifetime_m_per_gev": 10}


def simulate(population, n_events, *, benchmark=None, mesons=None, seed=1):
    return simulate_population(
        SETUP, population, n_events=n_events, benchmark=benchmark, mesons=mesons, seed=seed
    )


@pytest.mark.parametrize("population", PRIOR)
def test_parameters_follow_the_prior(population):
    table = simulate(population, 2000)
    limits = SHIP["prior"]["mass_gev"], SHIP["prior"]["lifetime_m_per_gev"]
    for name, (low, high) in zip(PARAMETERS, np.log10(limits), strict=True):
        assert kstest(table[name], "uniform", args=(low, high - low)).pvalue > 1e-3


def test_more_events_begin_with_the_same():
    few, many = (simulate(BACKGROUND, n) for n in (100, BLOCK_SIZE + 5))
    assert (len(few), len(many)) == (100, BLOCK_SIZE + 5)
    pd.testing.assert_frame_equal(many.head(100), few)
    assert not many.duplicated(list(PHOTONS)).any()


def test_sets_are_pairs_of_equal_parameters():
    table = simulate(SETS, 1500)
    assert table["set"].tolist() == np.repeat(np.arange(1500), 2).tolist()
    parameters = table[list(PARAMETERS)].to_numpy().reshape(1500, 2, 2)
    assert np.array_equal(parameters[:, 0], parameters[:, 1])
    assert len(np.unique(parameters[:, 0, 0])) == 1500
    photons = table[list(PHOTONS)].to_numpy().reshape(1500, 2, -1)
    assert np.all(photons[:, 0] != photons[:, 1])
    low, high = np.log10(SHIP["prior"]["mass_gev"])
    assert kstest(parameters[:, 0, 0], "uniform", args=(low, high - low)).pvalue > 1e-3


def test_signals_have_one_point():
    table = simulate("m0p2", 300, benchmark=BENCHMARK)
    assert len(table) == 300
    np.testing.assert_allclose(table[list(PARAMETERS)], [[np.log10(0.2), 1.0]] * 300)
    assert not table.duplicated(list(PHOTONS)).any()


def test_mesons_may_be_given():
    meson = np.array([[2.0, 0.0, 100.0, np.sqrt(4 + 1e4 + B_MASS_GEV**2)]])
    given, drawn = (simulate("m0p2", 300, benchmark=BENCHMARK, mesons=m) for m in (meson, None))
    along = [table["true_pz1"] + table["true_pz2"] for table in (given, drawn)]
    # In the rest frame of the meson no particle gets more than half of its mass.
    assert along[0].max() < 100
    assert along[1].max() > 150
    sideways = given["true_px1"] + given["true_px2"]
    assert sideways.mean() > 3 * sideways.std() / np.sqrt(300)


def test_a_seed_makes_the_sample():
    for population, benchmark in ((TEST, None), (SETS, None), ("m1", BENCHMARK)):
        first, again, other = (
            simulate(population, 50, benchmark=benchmark, seed=seed) for seed in (1, 1, 2)
        )
        pd.testing.assert_frame_equal(first, again)
        assert not np.allclose(first[list(PHOTONS)], other[list(PHOTONS)])
        if benchmark is None:
            assert not np.allclose(first[list(PARAMETERS)], other[list(PARAMETERS)])
