"""Other strategies, with networks that are exact."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm

from bumpflow.classifiers import NetworkSettings
from bumpflow.resonance import strategies
from bumpflow.resonance.fitting import fit, interval
from bumpflow.resonance.likelihood import DataSets, Events, ResonanceModel, Sidebands
from bumpflow.resonance.strategies import (
    Classifiers,
    Sample,
    best_cut,
    compare_strategies,
    fit_after_cut,
    fit_classifier_ratio,
    fit_mass,
    fit_score,
    sample_of,
    score_table,
    simulated_samples,
    train_classifiers,
)
from bumpflow.train import TrainSettings
from tests.unit.resonance import world

N_SIGNAL = 250


class Exact:
    """The exact ratio of densities, in place of a trained network."""

    def __init__(self, log_ratio):
        self.logit = log_ratio

    def score(self, x):
        """Return the probability of signal."""
        return 1 / (1 + np.exp(-self.logit(x)))


def of_features(x):
    return norm.logpdf(x[:, 0], 1.5) - norm.logpdf(x[:, 0])


def of_everything(x):
    mass = x[:, 1]
    peak = np.log(np.maximum(world.p_signal(mass), 1e-300))
    shares = [share(density, world.REGION) for density in (world.p_signal, world.p_background)]
    odds = np.log(shares[1] / shares[0])
    return of_features(x) + peak - np.log(world.p_background(mass)) + odds


def share(density, region):
    m, dm = world.nodes(*region, 100)
    return float(np.sum(dm * density(m)))


def drawn(n_background, n_signal, seed):
    x, mass = world.draw(n_background, n_signal, seed)
    return Sample(x.numpy(), mass.numpy())


@pytest.fixture(scope="module")
def data():
    return drawn(10_000, N_SIGNAL, 1)


@pytest.fixture(scope="module")
def classifiers():
    pools = drawn(200_000, 0, 2), drawn(0, 100_000, 3)
    return Classifiers(Exact(of_features), Exact(of_everything), *pools)


@pytest.fixture(scope="module")
def results(data, classifiers):
    return compare_strategies(data, classifiers, world.MASSES)


def test_every_strategy_finds_the_injected_signal(results):
    assert list(results) == [
        *("mass_only", "cut_and_fit", "binned_dnn", "binned_dnn_quantiles", "classifier_ratio"),
    ]
    for name, found in results.items():
        assert abs(found.signal - N_SIGNAL) < 4 * found.uncertainty, name
        assert found.low < found.signal < found.high


def test_what_uses_more_is_more_precise(results):
    widths = {name: found.uncertainty for name, found in results.items()}
    assert widths["mass_only"] > widths["cut_and_fit"] > widths["classifier_ratio"]
    assert widths["binned_dnn_quantiles"] == pytest.approx(widths["classifier_ratio"], rel=0.1)


def test_the_mass_alone_is_fitted_unbinned(data, results):
    model = ResonanceModel(world.MASSES.background)
    inside = world.REGION.holds(data.mass)
    mass, signal = (torch.as_tensor(part) for part in (data.mass, world.p_signal(data.mass)))
    none = mass.new_zeros(len(mass), 0)
    varied = mass.new_zeros(int(inside.sum()), 2, 0)
    events = Events(mass[inside], signal[inside], none[inside], varied, varied, none[inside])
    beside = [part[~inside][None] for part in (mass, torch.ones_like(mass), signal, none)]
    weight = torch.ones(1, events.n, dtype=torch.float64)
    plain = DataSets.of(events.batched(), weight, Sidebands(*beside))
    best = fit(model, plain)
    assert results["mass_only"].signal == pytest.approx(best.signal[0], rel=1e-4)
    ends = interval(model, plain, best)
    assert results["mass_only"][1:] == pytest.approx(ends, abs=1e-2)


def test_the_best_share_of_signal_solves_the_likelihood_equation(data, results):
    inside = data.inside(world.REGION)
    ratio = np.exp(of_everything(inside.with_mass))
    s = results["classifier_ratio"].signal * share(world.p_signal, world.REGION)
    # The total is the number of events, so one equation is left.
    terms = (ratio - 1) / (len(ratio) + s * (ratio - 1))
    assert terms.sum() == pytest.approx(0, abs=1e-2 * np.sqrt(np.sum(terms**2)))


def test_a_cut_is_where_signal_over_root_background_is_largest(classifiers):
    cut = best_cut(classifiers, world.REGION)
    # For Gaussians of unit width the logit is 1.5 x - 1.125.
    place = (cut + 1.125) / 1.5
    grid = np.linspace(-2, 3, 500)
    best = grid[np.argmax(norm.sf(grid - 1.5) / np.sqrt(norm.sf(grid)))]
    worth = [norm.sf(at - 1.5) / np.sqrt(norm.sf(at)) for at in (place, best)]
    assert worth[0] == pytest.approx(worth[1], rel=0.01)


def test_fits_after_a_cut_are_divided_by_its_efficiency(data, classifiers):
    cut = best_cut(classifiers, world.REGION)
    kept = data.rows(of_features(data.x) >= cut)
    bare = fit_mass(kept, world.MASSES)
    efficiency = norm.sf((cut + 1.125) / 1.5 - 1.5)
    assert efficiency < 0.9
    found = fit_after_cut(data, classifiers, world.MASSES)
    assert np.array(found) == pytest.approx(np.array(bare) / efficiency, rel=0.02)


@pytest.mark.parametrize("binning", ["uniform", "quantiles"])
def test_two_bins_are_fitted_as_two_equations_say(binning, classifiers, monkeypatch):
    steps = Exact(lambda x: np.where(x[:, 0] > 1, 2.0, -1.0))
    monkeypatch.setattr(strategies, "N_BINS", 2)
    data = drawn(5000, 200, 9)
    chosen = classifiers._replace(full=steps)
    found = fit_score(data, chosen, world.REGION, binning=binning)
    parts = (data, classifiers.background, classifiers.signal)
    n, background, signal = (part.inside(world.REGION).x[:, 0] > 1 for part in parts)
    by_hand = (n.sum() - len(n) * background.mean()) / (signal.mean() - background.mean())
    by_hand /= np.mean(world.REGION.holds(classifiers.signal.mass))
    assert found.signal == pytest.approx(by_hand, rel=1e-3)


def test_bins_of_equal_signal_do_not_depend_on_the_scale_of_the_score(data, classifiers, results):
    flat = classifiers._replace(full=Exact(lambda x: 0.02 * of_everything(x)))
    found = {
        binning: fit_score(data, flat, world.REGION, binning=binning)
        for binning in ("quantiles", "uniform")
    }
    assert found["quantiles"] == pytest.approx(results["binned_dnn_quantiles"], rel=1e-6)
    # The published bins lose what falls together.
    assert found["uniform"].uncertainty > 1.02 * found["quantiles"].uncertainty


def test_signal_outside_the_signal_region_counts(data, classifiers, results):
    signal = classifiers.signal
    half = np.arange(len(signal.mass)) % 2 == 0
    moved = Sample(signal.x, np.where(half, 100.0, signal.mass))
    chosen = classifiers._replace(signal=moved)
    found = fit_classifier_ratio(data, chosen, world.REGION)
    assert found.signal == pytest.approx(2 * results["classifier_ratio"].signal, rel=0.01)
    found = fit_score(data, chosen, world.REGION, binning="uniform")
    assert found.signal == pytest.approx(2 * results["binned_dnn"].signal, rel=0.1)


def test_halves_share_no_event():
    sample = drawn(101, 0, 7)
    first, second = sample.halves(np.random.default_rng(1))
    together = np.concatenate([first.mass, second.mass])
    assert len(first.mass) == 50
    assert np.sort(together).tolist() == np.sort(sample.mass).tolist()
    assert np.isin(second.with_mass[:, 0], sample.x[:, 0]).all()


def test_scores_are_tabulated(data, classifiers):
    table = score_table(data, classifiers, world.MASSES)
    assert table["kind"].value_counts().to_dict() == {
        "background": 200_000,
        "signal": 100_000,
        "data": 10_250,
    }
    inside = world.REGION.holds(table["mass"].to_numpy())
    assert table["score"].notna().to_numpy().tolist() == inside.tolist()
    rows = table[table["kind"] == "data"]
    cut = best_cut(classifiers, world.REGION)
    assert rows["kept"].tolist() == (of_features(data.x) >= cut).tolist()


def test_networks_do_not_see_the_events_for_templates():
    settings = NetworkSettings(8, 1, 1, 0.2, TrainSettings(1e-2, 256, 3, 3))
    background, signal = drawn(3000, 0, 4), drawn(0, 1500, 5)
    found = train_classifiers(
        background,
        signal,
        signal_region=world.REGION,
        settings=settings,
        seed=1,
        device=torch.device("cpu"),
    )
    assert len(found.background.mass) == 1500
    assert len(found.signal.mass) == 750
    assert np.isin(found.background.mass, background.mass).all()
    x = np.array([[2.5, 125.0], [-1.5, 118.0]])
    for network, columns in ((found.features, [0]), (found.full, [0, 1])):
        logits = network.logit(x[:, columns])
        assert logits[0] > logits[1]


EVENTS = pd.DataFrame(
    {
        "x": np.arange(6.0),
        "m": 100.0 + np.arange(6),
        "component": ["data", "data", "data", "data", "signal", "signal"],
        "role": ["train", "fit", "test", "train", "train", "test"],
        "label": [0, 0, 0, 1, -1, -1],
    }
)


def test_simulated_samples_are_in_no_data_set():
    background, signal = simulated_samples(EVENTS, features=["x"], mass="m")
    assert background.x[:, 0].tolist() == [0, 2]
    assert signal.mass.tolist() == [104, 105]
    assert sample_of(EVENTS, features=["x"], mass="m").with_mass.shape == (6, 2)


def test_data_alone_have_no_classifiers():
    with pytest.raises(ValueError, match="classifiers need simulated background"):
        simulated_samples(EVENTS.assign(label=-1), features=["x"], mass="m")
