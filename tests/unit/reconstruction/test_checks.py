import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from bumpflow.reconstruction.checks import (
    PREDICTED,
    _compare,
    check_prediction,
    reasons_outside,
    summarise_sets,
)
from bumpflow.reconstruction.sets import Drawing, EventSets, as_true_sets
from bumpflow.simulate.alps.features import diphoton_mass
from bumpflow.simulate.alps.sampling import sample_sets
from tests.unit.reconstruction.small import (
    DETECTORS,
    DRAWING,
    SETUP,
    measured,
    new_generator,
    random_posterior,
)

SETS = measured()
LIMITS = random_posterior().network.limits
TRUTH = np.log10([0.6, 3.0])


def reasons(**changes):
    return reasons_outside(SETS._replace(**changes).rows(slice(0, 3)), DRAWING, LIMITS)


def test_sets_of_the_training_are_inside():
    assert reasons_outside(SETS, DRAWING, LIMITS, wrap=True) == [[] for _ in SETS.x]


def test_sizes_outside_are_told():
    wide = Drawing(SETUP, DETECTORS, (2, 3))
    found = reasons_outside(SETS, wide, LIMITS)
    sizes = SETS.n_events.tolist()
    assert [bool(one) for one in found] == [size not in (2, 3) for size in sizes]
    assert found[sizes.index(4)] == ["4 events, but training had 2 to 3"]


def test_resolutions_outside_are_told():
    sigmas = SETS.sigmas.clone()
    sigmas[1, 1], sigmas[2, 3] = 0.3, 1.5 * sigmas[2, 2]
    sigmas[2, 2:] = 0.005 * sigmas[2, 2:] / sigmas[2, 2]
    found = reasons(sigmas=sigmas)
    assert found[0] == []
    assert found[1] == ["resolution energy is 0.3, but training had 0.01 to 0.1"]
    assert found[2] == ["resolutions of theta and phi differ, but in training they were equal"]


def test_features_outside_are_told():
    x = SETS.x.clone()
    x[0, 0, 0] = 9.0
    x[1, ~SETS.mask[1]] = 9.0  # events that there are not
    found = reasons(x=x)
    assert len(found[0]) == 1
    assert found[0][0].startswith("event 0: ln_e1 is 9, but training had ")
    assert found[1:] == [[], []]


def test_other_azimuths_are_told():
    found = reasons_outside(SETS.rows(slice(0, 2)), DRAWING, LIMITS, wrap=False)
    assert found == 2 * [["azimuths are cut off at pi, but in training they wrap"]]


def test_summaries_are_means_and_spreads():
    three = Drawing(SETUP, DETECTORS, (3, 3)).draw(
        as_true_sets(sample_sets(np.tile(TRUTH, (5, 1)), 3, SETUP, seed=1)), new_generator()
    )
    found = dict(zip(PREDICTED, summarise_sets(three).T.numpy(), strict=True))
    x = three.x.double().numpy()
    log_mass = np.log10(diphoton_mass(x))
    energy = np.exp(x[..., :2])
    np.testing.assert_allclose(found["mean_log10_diphoton_mass"], log_mass.mean(1))
    np.testing.assert_allclose(
        found["spread_log10_diphoton_mass"], log_mass.std(1, ddof=1), rtol=1e-6
    )
    np.testing.assert_allclose(found["mean_ln_energy"], np.log(energy.sum(-1)).mean(1), rtol=1e-6)
    centre = (energy * x[..., [2, 4]]).sum(-1) / energy.sum(-1)
    radius = np.hypot(centre, (energy * x[..., [3, 5]]).sum(-1) / energy.sum(-1))
    np.testing.assert_allclose(found["mean_radius_m"], radius.mean(1), rtol=1e-5)
    share = (energy[..., 0] / energy.sum(-1)).mean(1)
    np.testing.assert_allclose(found["mean_energy_share"], share, rtol=1e-6)


def test_sets_of_other_sizes_are_summarised_apart():
    with pytest.raises(ValueError, match=r"sets have \[1, 2, 3, 4\] events"):
        summarise_sets(SETS)


def observe_at(theta, n, seed):
    """Return sets of two events at one detector."""
    true = as_true_sets(sample_sets(np.tile(theta, (n, 1)), 2, SETUP, seed=seed))
    sets = Drawing(SETUP, DETECTORS, (2, 2)).draw(true, new_generator(seed))
    sigmas = SETS.sigmas[:1].expand(n, -1)
    return EventSets(sets.x, sets.mask, sigmas)


def test_predictions_at_the_truth_are_uniform():
    draws = torch.tensor(np.tile(TRUTH, (300, 1)))
    sets = observe_at(TRUTH, 60, seed=5)
    p = np.array(
        [check_prediction(sets.rows(slice(i, i + 1)), draws, DRAWING, seed=i).p for i in range(60)]
    )
    assert p.mean() == pytest.approx(0.5, abs=4 * math.sqrt(1 / 12 / 60))
    assert np.mean(p < 0.2) == pytest.approx(0.2, abs=0.2)


def test_distances_know_correlations():
    simulated = torch.randn(4000, 8, generator=new_generator()).double()
    simulated[:, 1] = simulated[:, 0] + 0.1 * simulated[:, 1]
    against = torch.zeros(8).double()
    against[:2] = torch.tensor([1.0, -1.0])
    along = against.abs()
    assert _compare(against, simulated).p < 0.001
    assert _compare(along, simulated).p > 0.5


def test_single_summaries_are_two_sided():
    simulated = torch.randn(20_000, 8, generator=new_generator()).double()
    observed = torch.tensor([-2.0, -1, 0, 1, 2, 3, 0.5, -0.5]).double()
    table = _compare(observed, simulated).table
    np.testing.assert_allclose(table["pull"], observed, atol=0.05)
    np.testing.assert_allclose(table["p"], 2 * norm.sf(observed.abs()), atol=0.02)


def test_sets_that_cannot_be_are_found():
    one = observe_at(TRUTH, 1, seed=5)
    other = torch.tensor(np.tile(np.log10([4.0, 0.5]), (200, 1)))
    found = check_prediction(one, other, DRAWING, seed=1)
    assert found.p < 0.01
    worst = found.table.set_index("summary").loc["mean_log10_diphoton_mass"]
    assert worst["pull"] < -3
    assert worst["p"] < 0.05
    assert worst["observed"] == pytest.approx(math.log10(0.6), abs=0.3)


def test_one_set_at_a_time():
    with pytest.raises(ValueError, match="2 sets and 50 draws are given"):
        check_prediction(SETS.rows(slice(0, 2)), torch.zeros(50, 2), DRAWING, seed=1)
