"""What a fit needs to know of events, against densities in closed form."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from bumpflow.flows.density import DensitySettings, EventDensity
from bumpflow.resonance.scoring import (
    MAX_LOG_RATIO,
    Component,
    Densities,
    Systematic,
    data_set,
    score,
    score_signals,
    sidebands,
)
from tests.unit.resonance import world

PAIR = (world.Gaussian(1.65, 1.03), world.Gaussian(1.35, 0.97))
"""Stand-ins for signals trained on varied events."""


@pytest.fixture(scope="module")
def events():
    x, mass = world.draw(400, 100, seed=1)
    inside = torch.as_tensor(world.REGION.holds(mass.numpy()))
    return x[inside], mass[inside]


def mixture(x, *, factor=1.0):
    """Return the arithmetic mean of the bootstraps' densities after a change of the variable."""
    return np.mean([norm.pdf(x, factor * mean, factor) for mean in world.MEMBERS], axis=0)


def test_the_background_is_the_arithmetic_mean_of_its_bootstraps(events):
    x, mass = events
    found = score(x, mass, world.densities(members=world.MEMBERS, others=True))
    v, m = x[:, 0].numpy(), mass.numpy()
    expected = world.p_signal(m) * norm.pdf(v, 1.5) / mixture(v)
    assert found.signal.numpy() == pytest.approx(expected, rel=1e-9)
    other = world.PEAK.shifted(-6).density(m, world.WINDOW) * norm.pdf(v, -1) / mixture(v)
    assert found.others[:, 0].numpy() == pytest.approx(other, rel=1e-9)
    assert torch.equal(found.mass, mass)
    assert found.n == len(v)


def test_directions_are_the_bootstraps_less_their_mean(events):
    x, mass = events
    spread = score(x, mass, world.densities(members=world.MEMBERS)).spread
    v = x[:, 0].numpy()
    for index, mean in enumerate(world.MEMBERS):
        expected = (norm.pdf(v, mean) / mixture(v) - 1) / np.sqrt(2)
        assert spread[:, index].numpy() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert spread.sum(1).abs().max() < 1e-12
    one = score(x, mass, world.densities())
    assert one.spread.shape == (len(x), 0)
    assert one.up.shape == one.down.shape == (len(x), 2, 0)
    assert one.others.shape == (len(x), 0)


def test_systematics_change_the_variables_of_all_densities(events):
    x, mass = events
    systematics = [
        world.SCALE,
        Systematic("signalonly", {"x": -0.02}, background=False),
        Systematic("elsewhere", {"y": 0.5}, signal=False),
    ]
    found = score(x, mass, world.densities(members=world.MEMBERS, systematics=systematics))
    v = x[:, 0].numpy()
    for ratio, sign in ((found.up, 1), (found.down, -1)):
        f, g = 1 + 0.03 * sign, 1 - 0.02 * sign
        signal = [norm.pdf(v, 1.5 * h, h) / norm.pdf(v, 1.5) for h in (f, g)]
        assert ratio[:, 0].T[:2].numpy() == pytest.approx(np.array(signal), rel=1e-9)
        background = mixture(v, factor=f) / mixture(v)
        assert ratio[:, 1, 0].numpy() == pytest.approx(background, rel=1e-9)
        assert (ratio[:, 1, 1] == 1).all()
        torch.testing.assert_close(ratio[..., 2], torch.ones(len(v), 2).double())


def test_a_changed_density_is_that_of_changed_draws():
    draws = 1.03 * world.SIGNAL.sample(
        200_000, torch.full((200_000, 1), 125.0), generator=world.seeded(3)
    )
    edges = torch.linspace(-1.5, 4.5, 25)
    counts = torch.histogram(draws[:, 0], edges)[0]
    middle = (edges[1:] + edges[:-1]).double() / 2
    found = score(
        middle[:, None],
        torch.full((24,), 125.0).double(),
        world.densities(systematics=[world.SCALE]),
    )
    density = norm.pdf(middle, 1.5) * found.up[:, 0, 0].numpy()
    expected = density * 200_000 * 0.25
    pulls = (counts.numpy() - expected) / np.sqrt(expected)
    assert np.sum(pulls**2) < 24 + 4 * np.sqrt(48)


def test_densities_trained_on_varied_events_are_used_where_there_are_any(events):
    x, mass = events
    chosen = Densities(
        [world.BACKGROUND],
        Component(world.SIGNAL, world.PEAK, {"scale": PAIR}),
        world.WINDOW,
        systematics=[world.SCALE],
        background_varied={"scale": (world.Gaussian(0.2), world.Gaussian(-0.2))},
    )
    found = score(x, mass, chosen)
    v = x[:, 0].numpy()
    for ratio, sign, signal in ((found.up, 1, PAIR[0]), (found.down, -1, PAIR[1])):
        expected = norm.pdf(v, signal.mean, signal.width) / norm.pdf(v, 1.5)
        assert ratio[:, 0, 0].numpy() == pytest.approx(expected, rel=1e-9)
        expected = norm.pdf(v, 0.2 * sign) / norm.pdf(v)
        assert ratio[:, 1, 0].numpy() == pytest.approx(expected, rel=1e-9)


def test_ratios_are_cut_where_no_training_knows_them():
    x, mass = torch.tensor([[1.5], [-60.0], [60.0]]).double(), torch.full((3,), 125.0).double()
    found = score(x, mass, world.densities())
    peak = world.p_signal(125.0)
    bounds = [np.exp(1.125) * peak, np.exp(-MAX_LOG_RATIO) * peak, np.exp(MAX_LOG_RATIO) * peak]
    assert found.signal.tolist() == pytest.approx(bounds, rel=1e-9)


def test_signals_at_other_masses_have_shifted_features_and_peaks(events):
    x, mass = events
    sloped = world.Gaussian(1.5, slope=0.1)
    chosen = Densities([world.BACKGROUND], Component(sloped, world.PEAK), world.WINDOW)
    found = score_signals(x, mass, chosen, [0.0, 4.0])
    torch.testing.assert_close(found[:, 0], score(x, mass, chosen).signal)
    v, m = x[:, 0].numpy(), mass.numpy()
    expected = norm.pdf(v, 1.5 + 0.1 * (m - 4 - 125)) / norm.pdf(v)
    expected *= world.PEAK.shifted(4.0).density(m, world.WINDOW)
    assert found[:, 1].numpy() == pytest.approx(expected, rel=1e-9)


def test_sidebands_know_masses_only():
    mass = torch.tensor([92.0, 114.0, 150.0]).double()
    side = sidebands(mass, world.densities(others=True))
    assert side.signal[0].numpy() == pytest.approx(world.p_signal(mass.numpy()))
    other = world.PEAK.shifted(-6).density(mass.numpy(), world.WINDOW)
    assert side.others[0, :, 0].numpy() == pytest.approx(other)
    assert side.weight.tolist() == [[1, 1, 1]]
    assert side.mass.tolist() == [mass.tolist()]


def test_a_data_set_holds_every_event_once():
    x, mass = torch.zeros(6, 1).double(), torch.tensor([90, 114, 115, 134, 135, 179]).double()
    data = data_set(x, mass, world.densities(systematics=[world.SCALE]), world.REGION)
    assert data.events.mass.tolist() == [[115, 134]]
    assert data.sidebands.mass.tolist() == [[90, 114, 135, 179]]
    assert data.measured.tolist() == [[0]]
    assert data.totals.tolist() == [6]


def test_factors_go_by_the_names_of_features():
    systematic = Systematic("scale", {"b": 0.1, "c": -0.2})
    assert systematic.factors(["a", "c", "b"], nu=-1) == pytest.approx([1, 1.2, 0.9])


@pytest.mark.parametrize(
    ("components", "expected"),
    [
        (["signal"], (True, False)),
        (["background"], (False, True)),
        (["signal", "background"], (True, True)),
    ],
)
def test_configuration_says_what_systematics_affect(components, expected):
    block = {"scale": {"x": 0.1}, "components": components, "trained": False}
    found = Systematic.from_config("mine", block)
    assert (found.signal, found.background) == expected
    assert found.scales == {"x": 0.1}


def test_trained_densities_are_scored_like_these():
    settings = DensitySettings(
        ("pt", "dr"),
        "mademog",
        {"hidden_features": 8, "blocks": 1, "components": 2},
        "gaussrank",
        ("m",),
    )
    x = torch.randn(200, 2, generator=world.seeded(1)).double()
    mass = 115 + 20 * torch.rand(200, generator=world.seeded(2)).double()
    networks = [EventDensity(settings, seed=seed) for seed in range(3)]
    for network in networks:
        network.fit_scalers(x, mass[:, None])
        network.eval()
    chosen = Densities(
        networks[:2],
        Component(networks[2], world.PEAK),
        world.WINDOW,
        systematics=[Systematic("dr", {"dr": 0.1})],
    )
    found = score(x, mass, chosen)
    with torch.no_grad():
        logs = [network.log_prob(x, mass[:, None]) for network in networks]
        moved = networks[2].log_prob(
            x / torch.tensor([1, 1.1], dtype=torch.float64), mass[:, None]
        )
    mean = (logs[0].exp() + logs[1].exp()) / 2
    expected = torch.as_tensor(world.p_signal(mass.numpy())) * logs[2].exp() / mean
    torch.testing.assert_close(found.signal, expected)
    torch.testing.assert_close(found.up[:, 0, 0], (moved - logs[2]).exp() / 1.1)
