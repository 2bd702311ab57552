"""All numbers of a search at once, and what uncertain data do to them."""

import numpy as np
import pytest

from bumpflow.stats.asymptotics import upper_limits
from bumpflow.stats.fit import CONVERGED, fit
from bumpflow.stats.measure import EXPECTED, Counts, measure, propagate
from bumpflow.stats.model import BinnedModel, observe

S, B = np.array([5.0, 20.0, 8.0]), np.array([200.0, 150.0, 90.0])
MODEL = BinnedModel.build(S, B, shape=0.05, stat=0.03)


def counts(mu, relative=0.02):
    values = (B + mu * S)[None]
    return Counts(values, (relative * values) ** 2)


def test_asimov_data_give_back_what_went_in():
    (row,) = measure(MODEL, counts(1.0), counts(0.0), confidence=0.95).to_dict("records")
    assert row["status"] == CONVERGED
    assert row["mu_hat"] == pytest.approx(1, abs=1e-5)
    assert row["spurious"] == pytest.approx(0, abs=1e-5)
    assert (row["z0"], row["p0"]) == pytest.approx((0, 0.5), abs=1e-2)
    assert row["limit_observed"] == pytest.approx(row["limit_0"], rel=1e-3)
    assert row["limit_m2"] < row["limit_m1"] < row["limit_0"] < row["limit_p1"] < row["limit_p2"]
    assert row["stat_uncertainty"] < row["mu_uncertainty"]
    bare = BinnedModel.build(S, B)
    assert row["stat_uncertainty"] == pytest.approx(1 / np.sqrt((S**2 / B).sum()), rel=1e-3)
    assert fit(bare, observe(bare, B)).uncertainty[0] == pytest.approx(row["stat_uncertainty"])


def test_excess_in_the_data_is_a_positive_spurious_signal():
    excess = Counts((B + 0.5 * S)[None], np.zeros((1, 3)))
    (row,) = measure(MODEL, counts(1.0), excess, confidence=0.95).to_dict("records")
    assert row["spurious"] == pytest.approx(0.5, abs=1e-4)
    assert row["z0"] > 0.5
    assert row["limit_observed"] > row["limit_0"]
    deficit = Counts((B - 0.5 * S)[None], np.zeros((1, 3)))
    (row,) = measure(MODEL, counts(1.0), deficit, confidence=0.95).to_dict("records")
    assert row["spurious"] < -0.4
    assert (row["z0"], row["p0"]) == (0, 0.5)


def test_uncertain_data_propagate_as_their_random_versions_scatter():
    data = counts(1.0, relative=0.03)
    rng = np.random.default_rng(3)
    n = 4000
    many = MODEL[np.zeros(n, int)]
    moved = rng.normal(data.values, np.sqrt(data.variances), size=(n, 3))
    spread = fit(many, observe(many, moved)).mu.std(ddof=1)
    assert propagate(MODEL, data)[0] == pytest.approx(spread, rel=4 / np.sqrt(2 * n) + 0.01)


def test_a_failed_fit_leaves_no_number_and_says_so():
    impossible = BinnedModel.build([[0.0, 0.0]], [[5.0, 5.0]])  # no signal anywhere
    data = Counts(np.full((1, 2), 5.0), np.zeros((1, 2)))
    (row,) = measure(impossible, data, data, confidence=0.95).to_dict("records")
    assert row.pop("status").startswith("failed")
    assert all(np.isnan(value) for value in row.values())


def test_rows_do_not_depend_on_each_other():
    models = BinnedModel.build(np.outer([1.0, 4.0], S), np.outer([1.0, 4.0], B), shape=0.1)
    data = [Counts(*(np.outer([1.0, 4.0], part[0]) for part in counts(mu))) for mu in (1.0, 0.0)]
    both = measure(models, *data, confidence=0.9)
    for row in range(2):
        part = [Counts(*(x[row : row + 1] for x in one)) for one in data]
        alone = measure(models[row : row + 1], *part, confidence=0.9)
        assert np.allclose(both.iloc[row, :-1].astype(float), alone.iloc[0, :-1].astype(float))
    limits = upper_limits(models, observe(models, data[1].values), confidence=0.9)
    assert np.allclose(both[EXPECTED], limits.expected)
