import numpy as np
import pytest
import torch

from bumpflow.reconstruction import tables
from bumpflow.reconstruction.detectors import measure_sets
from bumpflow.reconstruction.weights import AcceptanceTable
from bumpflow.simulate.alps.settings import Resolution
from tests.unit.reconstruction.small import SETUP, random_posterior, true_sets

POSTERIOR = random_posterior()
GOOD = Resolution(0.001, 0.01, 0.001, 0.001)
EXAMPLE = {"n_masses": 65, "n_lifetimes": 9}
RATE = (1.0, 3.0)
FLAT = AcceptanceTable(torch.full((4, 3), -2.0).double(), torch.zeros(4, 3), POSTERIOR.support)


def test_diagnosis_ranks_every_truth_once_per_size():
    found = tables.diagnose_sizes(POSTERIOR, true_sets(), [1, 4], n_draws=19, seed=1)
    truths = found.truths.set_index(["n_events", "parameter"])
    theta = true_sets().theta.double().numpy()
    for index, name in enumerate(("mass", "lifetime")):
        np.testing.assert_array_equal(truths.loc[(1, name), "truth"], theta[:, index])
        histogram = np.histogram(truths.loc[(4, name), "pit"], np.linspace(0, 1, 21))[0]
        rows = found.ranks.query(f"n_events == 4 and parameter == '{name}'")
        np.testing.assert_array_equal(rows["observed"], histogram)
    assert [one["n_events"] for one in found.record] == [1, 4]
    assert [one["n"] for one in found.record] == [300, 300]
    worst = found.record[1]["tarp"]["deviation"]
    curve = found.tarp[found.tarp["n_events"] == 4]
    assert worst[0] == pytest.approx((curve["empirical"] - curve["expected"]).abs().max())


def test_diagnosis_finds_wrong_posteriors():
    found = tables.diagnose_sizes(POSTERIOR, true_sets(), [3], n_draws=19, seed=1)
    assert found.record[0]["mass"]["p_ranks"] < 1e-3  # random weights


def test_examples_are_densities_of_the_first_set():
    signals = {"a": true_sets(), "b": true_sets(50, 4, 2)}
    table = tables.draw_examples(POSTERIOR, signals, GOOD, sizes=[1, 3], seed=1, **EXAMPLE)
    assert table.groupby(["benchmark", "n_events"]).size().tolist() == 4 * [65 * 9]
    one = table.query("benchmark == 'b' and n_events == 3")
    truth = one[["true_log10_mass", "true_log10_lifetime"]].drop_duplicates().to_numpy()
    np.testing.assert_allclose(truth, true_sets(50, 4, 2).theta[:1], rtol=1e-6)
    low, high = POSTERIOR.support.log_mass
    ends = one["log10_mass"].agg(["min", "max"]).tolist()
    assert ends == pytest.approx([low, high])
    grid = one["density"].to_numpy().reshape(65, 9)
    area = np.exp(POSTERIOR.support.log_area)
    total = np.trapezoid(np.trapezoid(grid, dx=1 / 8), dx=1 / 64) * area
    assert total == pytest.approx(1, rel=0.02)


def test_a_flat_acceptance_tells_nothing():
    settings = {"sizes": [1, 3], "n_decays": RATE, "n_draws": 100, "seed": 1}
    true = true_sets().head(30)
    roles = tables.measure_roles(POSTERIOR, true, GOOD, FLAT, **settings)
    assert len(roles) == 60
    ratio = roles["sigma_lifetime_rate"] / roles["sigma_lifetime"]
    np.testing.assert_allclose(ratio, np.sqrt(99 / 100), rtol=1e-4)
    np.testing.assert_allclose(roles["log10_mass"][:30], true.theta[:, 0])


def test_an_acceptance_that_tells_all_narrows():
    # Decays are seen at long lifetimes only: 20 or so are produced.
    steep = FLAT._replace(
        log_value=torch.tensor([-60.0, -30.0, 0.0]).double().expand(4, 3).clone()
    )
    roles = tables.measure_roles(
        POSTERIOR,
        true_sets().head(30),
        GOOD,
        steep,
        sizes=[3],
        n_decays=(3.0, 4.0),
        n_draws=400,
        seed=1,
    )
    assert (roles["sigma_lifetime_rate"] < 0.5 * roles["sigma_lifetime"]).mean() > 0.9


def test_acceptances_come_back_from_their_table():
    value, error = torch.randn(2, 4, 3, dtype=torch.float64)
    given = AcceptanceTable(value, error, POSTERIOR.support)
    table = tables.tabulate(given)
    found = tables.as_acceptance(table, SETUP, n_masses=4)
    torch.testing.assert_close(found.log_value, value)
    torch.testing.assert_close(found.error, error)
    theta = torch.tensor(table[["log10_mass", "log10_lifetime"]].to_numpy())
    expected = torch.tensor(table["ln_acceptance"].to_numpy())
    torch.testing.assert_close(given(theta), expected, rtol=1e-6, atol=1e-6)


def test_time_is_in_milliseconds():
    sets = measure_sets(true_sets().head(3), GOOD, SETUP, n_events=3, seed=1)
    assert 0.1 < tables.time_posterior(POSTERIOR, sets, n_draws=100, seed=1) < 1000
