import math

import numpy as np
import pytest
import torch
from torch import nn

from bumpflow.reconstruction.published import (
    Coupling,
    PublishedNet,
    PublishedSettings,
    published_loss,
    train_published,
)
from bumpflow.reconstruction.sets import Drawing
from bumpflow.train import TrainSettings
from tests.unit.reconstruction.small import CPU, DETECTORS, SETUP, new_generator, true_sets

SETTINGS = PublishedSettings()
SMALL = PublishedSettings(hidden_features=16, layers=2)


@pytest.fixture(scope="module")
def network():
    """A network with random weights and scales."""
    torch.manual_seed(3)
    net = PublishedNet(SMALL).double()
    net.scaled.mean.copy_(torch.tensor([-0.172, 0.672]))
    net.scaled.scale.copy_(torch.tensor([0.477, 0.99]))
    return net


@pytest.fixture(scope="module")
def sets():
    return Drawing(SETUP, DETECTORS, (3, 3)).draw(true_sets(), new_generator())


def test_sizes_are_those_of_the_table():
    linear = [m for m in PublishedNet(SETTINGS).modules() if isinstance(m, nn.Linear)]
    shapes = [(layer.in_features, layer.out_features) for layer in linear]
    assert shapes[:5] == [(30, 64), (64, 64), (64, 64), (64, 64), (64, 2)]
    # Four couplings of two parameters with a scale and a shift each.
    assert shapes[5:] == 16 * [(3, 128), (128, 128), (128, 128), (128, 128), (128, 1)]


def test_activations_are_those_of_the_table():
    net = PublishedNet(SETTINGS)
    inner = [type(layer) for layer in net.summary]
    assert inner == 4 * [nn.Linear, nn.LeakyReLU] + [nn.Linear]
    assert net.summary[1].negative_slope == 0.01
    coupling = net.couplings[0]
    assert [type(layer) for layer in coupling.shifts[1]] == 4 * [nn.Linear, nn.ReLU] + [nn.Linear]


def test_weights_begin_as_in_keras():
    weights = PublishedNet(SETTINGS).couplings[2].scales[0][2].weight.detach()
    bound = math.sqrt(6 / 256)
    assert 0.98 * bound < float(weights.abs().max()) <= bound
    assert float(weights.std()) == pytest.approx(bound / math.sqrt(3), rel=0.03)


def test_coupling_is_that_of_the_formulas():
    torch.manual_seed(1)
    coupling = Coupling(2, hidden_features=8, layers=1).double()
    u, context = torch.randn(2, 50, 2).double()
    s1, s2 = (
        lambda v, net=net: 2 / math.pi * torch.atan(net(torch.cat([v, context], 1)))
        for net in coupling.scales
    )
    t1, t2 = (lambda v, net=net: net(torch.cat([v, context], 1)) for net in coupling.shifts)
    v1 = u[:, :1] * s1(u[:, 1:]).exp() + t1(u[:, 1:])
    v2 = u[:, 1:] * s2(v1).exp() + t2(v1)
    v, jacobian = coupling(u, context)
    torch.testing.assert_close(v, torch.cat([v1, v2], 1))
    torch.testing.assert_close(jacobian, (s1(u[:, 1:]) + s2(v1))[:, 0])


def test_scales_are_clamped():
    coupling = Coupling(2, hidden_features=8, layers=1)
    for net in coupling.scales:
        nn.init.constant_(net[-1].bias, 1e6)
    _, jacobian = coupling(torch.zeros(1, 2), torch.zeros(1, 2))
    assert jacobian.tolist() == pytest.approx([2], abs=1e-4)


def test_couplings_are_inverted_exactly(network):
    u, context = 2 * torch.randn(2, 200, 2, generator=new_generator()).double()
    for coupling in network.couplings:
        v, _ = coupling(u, context)
        torch.testing.assert_close(coupling.inverse(v, context), u, atol=1e-12, rtol=1e-12)


def test_jacobian_is_that_of_autograd(network):
    u, context = torch.randn(2, 5, 2, generator=new_generator()).double()
    for coupling in network.couplings:
        _, found = coupling(u, context)
        for row in range(5):
            at = slice(row, row + 1)
            matrix = torch.autograd.functional.jacobian(
                lambda x, at=at, coupling=coupling: coupling(x, context[at])[0][0], u[at]
            )[:, 0]
            exact = torch.linalg.slogdet(matrix).logabsdet
            torch.testing.assert_close(found[row], exact)


def test_density_is_normalised_in_the_parameters(network):
    summary = torch.randn(2, 2, generator=new_generator()).double()
    axes = [torch.linspace(at - 20 * s, at + 20 * s, 501) for at, s in ((-0.17, 0.48), (0.67, 1))]
    theta = torch.cartesian_prod(*axes).double().expand(2, -1, 2)
    area = float((axes[0][1] - axes[0][0]) * (axes[1][1] - axes[1][0]))
    np.testing.assert_allclose(network.log_prob(summary, theta).exp().sum(1) * area, 1, atol=0.01)


def test_draws_have_the_moments_of_the_density(network):
    summary = torch.randn(1, 2, generator=new_generator()).double()
    draws = network.sample(summary, 40_000, generator=new_generator())[0]
    entropy = -network.log_prob(summary, draws[None])[0]
    axes = [torch.linspace(at - 20 * s, at + 20 * s, 501) for at, s in ((-0.17, 0.48), (0.67, 1))]
    theta = torch.cartesian_prod(*axes).double()
    share = torch.softmax(network.log_prob(summary, theta[None])[0], 0)
    mean = share @ theta
    std = (share @ (theta - mean).square()).sqrt()
    assert float(((draws.mean(0) - mean) / std).abs().max()) < 4 / 200
    torch.testing.assert_close(draws.std(0), std, rtol=0.03, atol=0)
    exact = -(share * network.log_prob(summary, theta[None])[0]).sum()
    assert float(entropy.mean()) == pytest.approx(float(exact), abs=4 * float(entropy.std()) / 200)


def test_published_units_are_those_of_standardised_parameters(network):
    x = torch.randn(20, 30, generator=new_generator()).double()
    theta = torch.randn(20, 2, generator=new_generator()).double()
    with torch.no_grad():
        physical = -network.log_prob(network(x), theta)
        loss = published_loss(network, x, theta)
    torch.testing.assert_close(physical - loss, torch.full((20,), math.log(0.477 * 0.99)).double())


def test_sets_are_concatenated_in_order(network, sets):
    x = network.concatenate(sets)
    assert torch.equal(x[5, 10:20], sets.x[5, 1])
    fewer = sets.mask.clone()
    fewer[4, 2] = False
    with pytest.raises(ValueError, match="set 4 has 2 events, but the published network takes"):
        network.concatenate(sets._replace(mask=fewer))


def test_last_sets_teach_nothing(sets, monkeypatch):
    seen = {}

    def record(network, batch_loss, *, train, validation, **_):  # noqa: ARG001
        seen.update(train=train, validation=validation)
        return []

    monkeypatch.setattr("bumpflow.reconstruction.published.fit", record)
    theta, training = true_sets().theta, TrainSettings(5e-3, 50, 1, 1)
    train_published(sets, theta, settings=SMALL, training=training, seed=1, device=CPU)
    assert torch.equal(seen["train"][1], theta[:240])
    assert torch.equal(seen["validation"][1], theta[240:])
    assert torch.equal(seen["train"][0], sets.x[:240].flatten(1))


def test_training_learns_and_keeps_the_last_sets_aside(sets):
    training = TrainSettings(5e-3, 50, 4, 5, restart_epochs=None, epoch_decay=0.99)
    given = {"settings": SMALL, "training": training, "seed": 1, "device": CPU}
    theta = true_sets().theta
    net, history = train_published(sets, theta, **given)
    assert history["validation_loss"].min() < history["validation_loss"].iloc[0]
    with torch.no_grad():
        last = published_loss(net, net.concatenate(sets)[240:], theta[240:]).mean()
    assert float(last) == pytest.approx(history["validation_loss"].min(), abs=1e-5)
    scaled = net.scaled(theta)
    torch.testing.assert_close(scaled.std(0), torch.ones(2), rtol=1e-4, atol=0)
