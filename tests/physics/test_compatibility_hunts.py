"""Hunts for compatible events on toys whose posteriors are exact."""

from functools import partial

import numpy as np
import pytest
import torch

from bumpflow.compatibility.cleaning import clean
from bumpflow.compatibility.likelihood_ratio import (
    known_background,
    log_likelihood_ratio,
    log_mean_polynomials,
    unknown_background,
)
from bumpflow.compatibility.pairs import pair_scores
from bumpflow.compatibility.sensitivity import Comparison, sensitivity_map, smallest_p
from bumpflow.compatibility.significance import Tally, type_one_error
from bumpflow.compatibility.toys import draw_cells, evaluate, plan_cells
from bumpflow.compatibility.windows import largest_count, published_windows
from tests import compatible_events as made

pytestmark = pytest.mark.physics

MU_B, MU_S = 3.0, 3.0
ALONE = plan_cells([MU_B, MU_B + MU_S], n_min=1000, neglect=1e-5)
CELLS = plan_cells([MU_B], [MU_S], n_toys=6000, n_min=4, neglect=1e-5)
THRESHOLDS = (0.3, 0.5, 0.68, 0.8)


def cleaning(log_ratio, mask):
    scores = pair_scores(log_ratio, made.WEIGHTS, mask=mask)
    return clean(scores, mask, thresholds=THRESHOLDS).statistic


def ratio(log_ratio, mask, *, strength):
    log_e = log_mean_polynomials(log_ratio, made.WEIGHTS, mask=mask)
    return log_likelihood_ratio(log_e, mask.sum(1), strength)


def number(mass, mask):  # noqa: ARG001
    return mask.sum(1)


@pytest.fixture(scope="module")
def hunts():
    """Values of each hunt in toys with signal, and in those without."""
    generator = torch.Generator().manual_seed(1)
    background = made.draw_background(30_000, generator)
    signal = made.draw_signal(30_000, generator)
    window = partial(largest_count, windows=published_windows(30))
    hunts = {
        "number": (number, lambda x: x),
        "window": (window, lambda x: x),
        "cleaning": (cleaning, made.log_ratio),
        "known": (partial(ratio, strength=known_background(MU_B)), made.log_ratio),
        "unknown": (partial(ratio, strength=unknown_background()), made.log_ratio),
    }
    toys = [
        draw_cells(
            cells,
            background_pool=len(background),
            signal_pool=len(signal),
            generator=generator,
        )
        for cells in (CELLS, ALONE)
    ]
    found = {}
    for name, (statistic, prepare) in hunts.items():
        pools = prepare(background), prepare(signal)
        found[name] = [evaluate(statistic, some, *pools).numpy() for some in toys]
    found["cleaning"], found["scan"] = (
        [values[:, 2] for values in found["cleaning"]],
        found["cleaning"],
    )
    return found


def halves(values):
    """Return background at its rate in two independent halves."""
    return [Tally.of(values[rows], cells).at(MU_B) for rows, cells in ALONE.halves()]


@pytest.mark.parametrize("name", ["known", "unknown"])
@pytest.mark.parametrize("alpha", [0.2, 0.02])
def test_likelihood_ratios_reject_background_as_often_as_they_say(hunts, name, alpha):
    test, calibration = halves(hunts[name][1])
    found = type_one_error(test, calibration, alpha=alpha)
    assert found.value == pytest.approx(alpha, abs=4 * found.uncertainty)


@pytest.mark.parametrize("name", ["number", "window", "cleaning"])
def test_counts_reject_background_less_often(hunts, name):
    test, calibration = halves(hunts[name][1])
    for alpha in (0.3, 0.1, 0.03):
        found = type_one_error(test, calibration, alpha=alpha)
        assert found.value < alpha + 4 * found.uncertainty


def test_chosen_thresholds_reject_background_as_often_as_they_say(hunts):
    (first, cells), (second, rest) = ALONE.halves()
    values = hunts["scan"][1]
    found = smallest_p(values[second], values[first], cells, mu_b=MU_B)
    test, calibration = (Tally.of(found[rows], part).at(MU_B) for rows, part in rest.halves())
    alphas = np.linspace(0.02, 0.3, 15)
    honest = [type_one_error(test, calibration, alpha=alpha) for alpha in alphas]
    for alpha, error in zip(alphas, honest, strict=True):
        assert error.value < alpha + 4 * error.uncertainty
    naive = [test.weights @ (np.exp(-test.values) <= alpha) for alpha in alphas]
    assert np.max(naive / alphas) > 1.2
    assert np.mean(naive) > np.mean([error.value for error in honest])


@pytest.mark.parametrize("null", ["background", "total"])
def test_more_information_is_more_sensitive(hunts, null):
    def z(name):
        tallies = (
            Tally.of(values, cells)
            for values, cells in zip(hunts[name], (CELLS, ALONE), strict=True)
        )
        found = sensitivity_map(Comparison.of(*tallies), mu_b=[MU_B], mu_s=[MU_S], null=null)
        assert found.uncertainty.item() < 0.05
        return found.value.item()

    best = "known" if null == "background" else "unknown"
    assert z(best) > z("cleaning") + 0.2 > z("number") + 0.4
    assert z("window") > z("number")
