import pytest
import torch
from torch.nn import functional

from bumpflow.compatibility import networks
from bumpflow.compatibility.networks import build_pair_network, pair_logits
from bumpflow.compatibility.pairs import LOG_FLOOR

N_TOYS, N_EVENTS = 6, 5
CASES = [
    ("features", {}),
    ("features", {"symmetric": False}),
    ("features", {"batch_norm": False}),
    ("posteriors", {"scaling": "pair"}),
    ("posteriors", {"scaling": "common"}),
]
N_FEATURES = {"features": 10, "posteriors": 20}


def _values(architecture, *shape, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(*shape, N_FEATURES[architecture], generator=generator) - 1


def _network(architecture, sizes):
    """Return a network whose inputs and hidden layers have been standardised by events."""
    with torch.random.fork_rng([]):
        torch.manual_seed(5)
        network = build_pair_network(architecture, features=N_FEATURES[architecture], **sizes)
    events = _values(architecture, 400, seed=2)
    network.standardise_by(events)
    with torch.no_grad():
        for _ in range(20):
            network(events.unflatten(0, (-1, 2)))  # batch normalisation learns
        for module in network.modules():
            if isinstance(module, torch.nn.Linear):
                module.weight *= 2
    return network.eval()


@pytest.fixture(params=CASES, ids=str)
def case(request):
    return _network(*request.param), _values(request.param[0], N_TOYS, N_EVENTS)


def test_every_pair_is_compared_as_if_alone(case):
    network, x = case
    found = pair_logits(network, x)
    assert found.std() > 0.05
    with torch.no_grad():
        for i in range(N_EVENTS):
            assert torch.all(found[:, i, i] == LOG_FLOOR)
            for j in range(i + 1, N_EVENTS):
                expected = network(x[:, [i, j]])
                assert torch.allclose(found[:, i, j], expected, atol=1e-4)
                assert torch.equal(found[:, j, i], found[:, i, j])


def test_order_matters_only_as_published(case):
    network, x = case
    with torch.no_grad():
        change = (network(x[:, :2]) - network(x[:, :2].flip(1))).abs().max()
    published = network.sizes.get("symmetric") is False
    assert (change > 0.01) if published else (change < 1e-5)


def test_training_takes_one_order_at_a_time_and_use_both():
    network = _network("features", {"batch_norm": False})
    x = _values("features", N_TOYS, N_EVENTS)
    used = pair_logits(network, x)[:, 0, 1]
    network.train()
    with torch.no_grad():
        orders = network(x[:, :2]), network(x[:, :2].flip(1))
    assert (orders[0] - orders[1]).abs().max() > 0.01
    assert torch.allclose((orders[0] + orders[1]) / 2, used, atol=1e-4)


def test_networks_in_training_are_used_as_if_trained(case):
    network, x = case
    expected = pair_logits(network, x)
    assert torch.equal(pair_logits(network.train(), x), expected)


def test_chunks_and_absent_events_change_nothing(case, monkeypatch):
    network, x = case
    whole = pair_logits(network, x)
    monkeypatch.setattr(networks, "CHUNK", 25)
    mask = torch.ones(N_TOYS, N_EVENTS, dtype=torch.bool)
    mask[0, 2] = mask[1, 1:] = mask[2] = False
    masked = x.clone()
    masked[~mask] = torch.nan
    found = pair_logits(network, masked, mask)
    both = mask[:, :, None] & mask[:, None]
    assert torch.allclose(found[both], whole[both], atol=1e-4)
    assert torch.all(found[~both] == LOG_FLOOR)


def test_toys_without_pairs(case):
    network, x = case
    for empty in (x[:, :1], x[:, :0], x[:0]):
        found = pair_logits(network, empty)
        assert found.shape == (*empty.shape[:2], empty.shape[1])
        assert torch.all(found == LOG_FLOOR)


def test_a_number_that_is_none_is_named(case):
    network, x = case
    x[3, 2, 1] = torch.nan
    with pytest.raises(ValueError, match="events 0 and 2 of toy 3 are NaN"):
        pair_logits(network, x)


def test_dense_network_is_that_of_table_4():
    network = _network("features", {"symmetric": False})
    pairs = _values("features", 30, 2)
    events = _values("features", 400, seed=2).double()
    z = ((pairs - events.mean(0)) / events.std(0)).float().flatten(1)
    assert z.shape == (30, 20)
    linear = [network.first, *(m for m in network.rest if isinstance(m, torch.nn.Linear))]
    norms = [m for m in network.rest if isinstance(m, torch.nn.BatchNorm1d)]
    slopes = [m for m in network.rest if isinstance(m, torch.nn.PReLU)]
    assert [m.out_features for m in linear] == [64, 64, 64, 64, 1]
    assert len(norms) == len(slopes) == 4
    with torch.no_grad():
        for layer, norm, slope in zip(linear[:-1], norms, slopes, strict=True):
            z = layer(z)
            z = (z - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
            z = z * norm.weight + norm.bias
            z = torch.where(z > 0, z, slope.weight * z)
        assert torch.allclose(network(pairs), linear[-1](z)[:, 0], atol=1e-4)


@pytest.mark.parametrize("scaling", ["pair", "common"])
def test_convolutional_network_is_that_of_table_5(scaling):
    # As in the published code: grid points are channels, the two events positions.
    network = _network("posteriors", {"floor": -2.0, "scaling": scaling})
    pairs = _values("posteriors", 30, 2)
    y = pairs.clamp_min(-2.0) + 2.0
    largest = y.amax((1, 2), keepdim=True)
    if scaling == "common":
        largest = _values("posteriors", 400, seed=2).max() + 2.0
    y = (y / largest).transpose(1, 2)
    assert float(y.min()) == 0.0
    convolutions = [
        network.first,
        *(m for m in network.convolve if isinstance(m, torch.nn.Linear)),
    ]
    assert [m.out_features for m in convolutions] == [64, 64, 128]
    with torch.no_grad():
        for layer in convolutions:
            y = torch.relu(functional.conv1d(y, layer.weight[..., None], layer.bias))
        y = functional.max_pool1d(y, 2).squeeze(-1)
        dense = [m for m in network.rest if isinstance(m, torch.nn.Linear)]
        slopes = [m for m in network.rest if isinstance(m, torch.nn.PReLU)]
        assert [m.out_features for m in dense] == [64, 64, 64, 64, 1]
        for layer, slope in zip(dense[:-1], slopes, strict=True):
            y = functional.prelu(layer(y), slope.weight)
        assert torch.allclose(network(pairs), dense[-1](y)[:, 0], atol=1e-4)


@pytest.mark.parametrize(("scaling", "same"), [("pair", True), ("common", False)])
def test_scaling_of_pairs_forgets_their_height(scaling, same):
    network = _network("posteriors", {"floor": -2.0, "scaling": scaling})
    x = _values("posteriors", N_TOYS, 2).clamp_min(-2.0)
    taller = 3 * (x + 2.0) - 2.0
    changes = (pair_logits(network, x) - pair_logits(network, taller))[:, 0, 1].abs()
    assert (changes.max() < 1e-4) if same else (changes.max() > 1e-2)


def test_common_scale_is_the_largest_height():
    network = build_pair_network("posteriors", features=20, floor=-2.0, scaling="common")
    x = _values("posteriors", 100)
    network.standardise_by(x)
    assert float(network.top) == pytest.approx(float(x.max()) + 2.0)


@pytest.mark.parametrize("scaling", ["pair", "common"])
def test_posteriors_that_are_zero_everywhere_are_compared(scaling):
    network = _network("posteriors", {"scaling": scaling})
    x = torch.full((1, 3, 20), -torch.inf)
    x[0, 2, 4] = 3.0
    found = pair_logits(network, x)
    assert torch.isfinite(found).all()
    lower = torch.where(torch.isinf(x), -50.0, x)
    assert torch.equal(found, pair_logits(network, lower))


def test_names_are_checked():
    with pytest.raises(ValueError, match=r"'feature' is not known.*features"):
        build_pair_network("feature", features=10)
    with pytest.raises(ValueError, match="scaling is 'pairs'"):
        build_pair_network("posteriors", features=20, scaling="pairs")
