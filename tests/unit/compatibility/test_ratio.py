import math

import pytest
import torch

from bumpflow.compatibility import ratio
from bumpflow.compatibility.layers import set_aside
from bumpflow.compatibility.ratio import RatioNet, RatioSettings, log_ratios, train_ratio
from bumpflow.train import TrainSettings
from tests import compatible_events as made

CPU = torch.device("cpu")
BLOCK = {
    "sizes": {"hidden_features": 32, "layers": 3},
    "contrast": "all",
    "validation_fraction": 0.2,
    "training": {
        "learning_rate": 1e-2,
        "batch_size": 500,
        "max_epochs": 12,
        "patience": 12,
        "restart_epochs": 12,
    },
}
SHORT = {**BLOCK, "training": {**BLOCK["training"], "max_epochs": 2}}
WIDTH = 0.2
"""Standard deviation of the measured parameter."""


def _events(n, *, seed=1):
    """Return measurements next to a useless feature, and the parameters they belong to."""
    generator = torch.Generator().manual_seed(seed)
    index = torch.multinomial(made.WEIGHTS, n, replacement=True, generator=generator)
    theta = made.GRID[index]
    noise = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    return torch.stack([theta + WIDTH * noise[:, 0], 7 + noise[:, 1]], 1), theta


def _exact(x):
    logs = -((x[:, :1] - made.GRID) ** 2) / (2 * WIDTH**2)
    return logs - torch.logsumexp(logs + made.WEIGHTS.log(), 1, keepdim=True)


def _train(block, n=2000, **changes):
    settings = RatioSettings.from_config({**block, **changes})
    return train_ratio(*_events(n), settings=settings, seed=3, device=CPU)


@pytest.mark.parametrize(
    ("contrast", "n", "limit"), [("all", 20_000, 0.02), ("halves", 40_000, 0.03)]
)
def test_ratio_is_that_of_posterior_and_prior(contrast, n, limit):
    network, _ = _train(BLOCK, n, contrast=contrast)
    x, _ = _events(500, seed=2)
    exact, found = _exact(x), log_ratios(network, x, made.GRID, made.WEIGHTS).double()
    divergence = (made.WEIGHTS * exact.exp() * (exact - found)).sum(1).mean()
    scale = (made.WEIGHTS * exact.exp() * exact).sum(1).mean()  # that of the prior itself
    assert scale > 0.5
    assert 0 <= divergence < limit


def test_ratios_are_normalised_and_do_not_depend_on_chunks(monkeypatch):
    network, _ = _train(SHORT)
    x, _ = _events(50, seed=2)
    found = log_ratios(network, x, made.GRID, made.WEIGHTS)
    mean = (found.exp() * made.WEIGHTS).sum(1)
    assert torch.allclose(mean, torch.ones_like(mean), atol=1e-5)
    monkeypatch.setattr(ratio, "CHUNK", 3 * len(made.GRID))
    again = log_ratios(network, x, made.GRID, made.WEIGHTS)
    assert torch.allclose(found, again, atol=1e-5)
    assert log_ratios(network, x[:0], made.GRID, made.WEIGHTS).shape == (0, len(made.GRID))


def test_network_sees_parameter_and_features_standardised():
    network, _ = _train(SHORT)
    x, theta = (part.float() for part in _events(40, seed=2))
    kept = _events(2000)
    rows, _ = set_aside(2000, 0.2, seed=3)
    inputs, known = torch.cat([theta[:, None], x], 1), torch.cat([kept[1][:, None], kept[0]], 1)
    scaled = (inputs - known[rows].mean(0)) / known[rows].std(0)
    expected = network.rest(network.first(scaled.float()))
    assert torch.allclose(network(x, theta[:, None])[:, 0], expected, atol=1e-4)


def test_published_architecture():
    network = RatioNet(10)
    linear = [tuple(m.weight.shape) for m in network.modules() if isinstance(m, torch.nn.Linear)]
    assert linear == [(64, 11), (64, 64), (64, 64), (64, 64), (1, 64)]
    slopes = [m.weight.shape for m in network.modules() if isinstance(m, torch.nn.PReLU)]
    assert slopes == 4 * [(64,)]


@pytest.mark.parametrize("contrast", ["all", "halves"])
def test_norms_of_weights_stay_within_their_limit(contrast):
    limit = 0.3
    network, _ = _train(SHORT, contrast=contrast, sizes={**SHORT["sizes"], "max_norm": limit})
    linear = [m for m in network.modules() if isinstance(m, torch.nn.Linear)]
    assert len(linear) == 4
    norms = [float(m.weight.detach().norm(dim=1).max()) for m in linear]
    assert max(norms) == pytest.approx(limit, rel=1e-5)


def test_half_of_the_events_keep_their_parameters():
    seen = []

    class Spy(torch.nn.Module):
        max_norm = None

        def forward(self, x, theta):
            seen.append((x, theta))
            return torch.zeros_like(theta)

    x, theta = (part.float() for part in _events(100))
    x[:, 1] = theta
    parts = ratio._label_halves(x, theta)
    loss = ratio.labelled_loss(Spy(), *parts)
    assert torch.allclose(loss, torch.full((100,), math.log(2)))
    assert torch.equal(seen[0][0][:50, 1], seen[0][1][:50, 0])
    assert (seen[0][0][50:, 1] != seen[0][1][50:, 0]).float().mean() > 0.9
    assert torch.equal(seen[0][1][50:, 0].sort().values, theta[50:].sort().values)
    assert parts[2].tolist() == 50 * [1.0] + 50 * [0.0]


def test_same_seed_same_network_and_restored_ones_agree():
    network, history = _train(SHORT)
    again, _ = _train(SHORT)
    assert len(history) == 2
    x, _ = _events(20, seed=2)
    found = log_ratios(network, x, made.GRID, made.WEIGHTS)
    assert torch.equal(found, log_ratios(again, x, made.GRID, made.WEIGHTS))
    restored = ratio.restore_ratio(*ratio.store_ratio(network), device=CPU)
    assert torch.equal(found, log_ratios(restored, x, made.GRID, made.WEIGHTS))


def test_features_must_be_finite():
    x = torch.zeros(3, 2)
    x[1, 0] = torch.nan
    with pytest.raises(ValueError, match="feature 0 of event 1 is nan"):
        log_ratios(RatioNet(2), x, made.GRID, made.WEIGHTS)


def test_settings_are_checked():
    assert RatioSettings.from_config(BLOCK).training == TrainSettings(**BLOCK["training"])
    with pytest.raises(ValueError, match="contrast is 'half'"):
        RatioSettings.from_config({**BLOCK, "contrast": "half"})


def test_rows_set_aside_are_others_and_in_random_order():
    train, validation = set_aside(1000, 0.3, seed=1)
    assert (len(train), len(validation)) == (700, 300)
    assert torch.equal(torch.cat([train, validation]).sort().values, torch.arange(1000))
    neighbours = (validation.diff().abs() == 1).sum()
    assert neighbours < 10
    with pytest.raises(ValueError, match="leaves 0 to validate and 3 to train"):
        set_aside(3, 0.1, seed=1)
