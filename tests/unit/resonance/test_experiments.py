"""Whole measurements in a small world whose truth is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import kstest

from bumpflow.flows.density import DensitySettings
from bumpflow.resonance import experiments
from bumpflow.resonance.densities import Trained
from bumpflow.resonance.experiments import ExperimentSettings, make_pool, run_experiment
from bumpflow.train import TrainSettings
from tests.unit.resonance import world

METHODS = ["statistical", "shift", "spread", "systematics"]
SETTINGS = ExperimentSettings(
    n_events=1500,
    n_signal=[0, 80],
    n_train=6000,
    n_simulated=900,
    contamination=60,
    n_toys=60,
    n_envelopes=2,
    methods=METHODS,
    bootstraps=3,
)
TRAINING = TrainSettings(1e-2, 256, 1, 1)
DENSITY = DensitySettings(("x",), "mademog", {}, "gaussrank", ("m",))


class Learner:
    """Exact densities, in place of trained ones, and what they were to be trained on."""

    def __init__(self):
        self.events = {}

    def __call__(self, x, mass, *, n_bootstraps, **_):
        """Return bootstraps of the background, or the signal."""
        kind = "background" if n_bootstraps else "signal"
        self.events[kind] = (x, mass)
        means = world.MEMBERS[:n_bootstraps] if n_bootstraps else [1.5]
        return Trained([world.Gaussian(mean) for mean in means], None)


def run(seed=1, learner=None, settings=SETTINGS, truth=world.TRUTH):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiments, "train_bootstraps", learner or Learner())
        return run_experiment(
            truth,
            settings,
            density=DENSITY,
            training=TRAINING,
            validation_fraction=0.2,
            systematics=[world.SCALE],
            seed=seed,
            device=torch.device("cpu"),
        )


@pytest.fixture(scope="module")
def experiment():
    learner = Learner()
    return run(learner=learner), learner.events


@pytest.fixture
def table(experiment):
    return experiment[0]


def test_background_is_learnt_beside_the_signal_region_with_contamination(experiment):
    events = experiment[1]
    x, mass = events["background"]
    m = mass.double().numpy()
    assert not world.REGION.holds(m).any()
    assert ((m >= 90) & (m <= 180)).all()
    beside, dm = (
        np.concatenate(part)
        for part in zip(*(world.nodes(*side, 100) for side in world.SIDES), strict=True)
    )
    mean = np.sum(dm * (5760 * world.p_background(beside) + 240 * world.p_signal(beside)))
    assert len(m) == pytest.approx(mean, abs=4 * np.sqrt(mean))
    assert kstest(x[:, 0].double().numpy(), "norm").pvalue > 1e-3
    assert len(events["signal"][0]) == 900
    assert events["signal"][0].mean() == pytest.approx(1.5, abs=4 / 30)


def test_contamination_is_that_of_the_data():
    """A signal that lies beside the signal region shows how much of it is learnt from."""
    masses = world.MASSES._replace(peak=world.PEAK.shifted(-25.0))
    truth = world.TRUTH._replace(masses=masses, signal=world.Gaussian(7.0))
    learner = Learner()
    small = replace(SETTINGS, n_signal=[0], n_toys=5, n_envelopes=0, methods=["shift"])
    run(learner=learner, settings=small, truth=truth)
    n_signal = (learner.events["background"][0] > 4).sum().item()
    assert n_signal == pytest.approx(60 * 6000 / 1500, abs=4 * np.sqrt(240))


def test_every_method_measures_every_data_set(table):
    counts = table.groupby(["signal", "method"]).size()
    assert counts.to_dict() == {
        (signal, method): 2 if method == "envelope" else 60
        for signal in (0, 80)
        for method in [*METHODS, "envelope"]
    }
    assert np.isfinite(table[["fitted", "uncertainty", "distance", "pull"]]).all().all()
    assert (table["distance"] >= 0).all()


@pytest.mark.parametrize("signal", [0, 80])
def test_the_injected_signal_is_measured(table, signal):
    part = table[(table["signal"] == signal) & (table["method"] == "shift")]
    # The mean of the bootstraps is slightly off the truth, which their spread covers.
    assert abs(part["pull"].mean()) < 0.5 + 4 / np.sqrt(60)
    assert 0.5 < part["pull"].std() < 1 + 4 / np.sqrt(120)


def test_pulls_and_distances_belong_to_the_whole_uncertainty(table):
    whole = {name: part.reset_index() for name, part in table.groupby("method")}
    statistical, shift = whole["statistical"], whole["shift"]
    assert shift["fitted"].to_numpy() == pytest.approx(statistical["fitted"].to_numpy(), abs=0.05)
    ratio = statistical["uncertainty"] / shift["uncertainty"]
    assert (ratio < 1).all()
    shrunk = statistical["distance"] * ratio**2
    assert shift["distance"].to_numpy() == pytest.approx(shrunk.to_numpy(), abs=0.01)
    pull = (shift["fitted"] - shift["signal"]) / shift["uncertainty"]
    assert shift["pull"].to_numpy() == pytest.approx(pull.to_numpy())
    assert (whole["systematics"]["uncertainty"] > 0).all()


def test_envelopes_say_whether_they_hold_the_truth(table):
    part = table[table["method"] == "envelope"]
    inside = (part["fitted"] - part["signal"]).abs() <= 0.7 * part["uncertainty"]
    outside = (part["fitted"] - part["signal"]).abs() > 1.5 * part["uncertainty"]
    assert (part["distance"][inside] == 0).all()
    assert (part["distance"][outside] == 2).all()
    assert set(part["distance"]) <= {0.0, 2.0}


def test_systematics_are_measured_anew_in_every_data_set():
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            experiments,
            "_fit_method",
            lambda name, toys, *_: seen.append(toys.measured) or pd.DataFrame({"method": [name]}),
        )
        run(settings=replace(SETTINGS, n_envelopes=0, n_toys=300))
    measured = seen[0][:, 0].numpy()
    assert kstest(measured, "norm").pvalue > 1e-3
    assert not torch.equal(seen[0], seen[-1])


def test_seeds_decide():
    small = replace(SETTINGS, n_signal=[80], n_toys=5, n_envelopes=0, methods=["shift"])
    first, again, other = (run(seed=seed, settings=small) for seed in (1, 1, 2))
    assert again.equals(first)
    assert not other.equals(first)


def test_pools_hold_the_shares_of_their_component():
    pool = make_pool(
        world.TRUTH, "background", 500, world.densities(), world.LAYOUT, world.seeded(1)
    )
    m, dm = world.nodes(*world.REGION, 60)
    assert pool.share == pytest.approx(np.sum(dm * world.p_background(m)), rel=1e-6)
    assert pool.share + pool.sidebands.sum().item() == pytest.approx(1, abs=1e-6)
    assert pool.events.n == 500


def test_densities_are_trained_where_nothing_stands_in():
    density = DensitySettings(
        ("x",),
        "mademog",
        {"hidden_features": 4, "blocks": 1, "components": 1},
        "gaussrank",
        ("m",),
    )
    settings = ExperimentSettings(
        n_events=300,
        n_signal=[20],
        n_train=1500,
        n_simulated=300,
        contamination=10,
        n_toys=3,
        n_envelopes=0,
        methods=["shift"],
        bootstraps=2,
    )
    found = run_experiment(
        world.TRUTH,
        settings,
        density=density,
        training=TRAINING,
        validation_fraction=0.2,
        systematics=[],
        seed=1,
        device=torch.device("cpu"),
    )
    assert found["method"].tolist() == ["shift"] * 3
    assert np.isfinite(found["fitted"]).all()
