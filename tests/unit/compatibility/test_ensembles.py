import math

import pytest
import torch

from bumpflow.compatibility import ensembles
from bumpflow.compatibility.ensembles import PairSettings, pair_singles, train_pair_networks
from bumpflow.compatibility.networks import PairNet, pair_logits
from bumpflow.compatibility.pairs import pair_scores
from bumpflow.train import TrainSettings
from tests import compatible_events as made

CPU = torch.device("cpu")
BLOCK = {
    "architecture": "features",
    "sizes": {"hidden_features": 16, "layers": 2},
    "members": 2,
    "validation_fraction": 0.2,
    "training": {
        "learning_rate": 1e-2,
        "batch_size": 250,
        "max_epochs": 2,
        "patience": 10,
        "restart_epochs": 12,
    },
}


def _pairs(n, *, common, seed=1):
    """Return measured parameters of two events, shape ``(n, 2, 1)``."""
    generator = torch.Generator().manual_seed(seed)
    shape = (n, 1) if common else (n, 2)
    index = torch.multinomial(made.WEIGHTS, 2 * n, replacement=True, generator=generator)
    theta = made.GRID[index[: shape[0] * shape[1]]].view(shape)
    noise = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    return (theta + made.WIDTH * noise)[..., None]


def _inputs(architecture, pairs):
    return pairs.float() if architecture == "features" else made.log_ratio(pairs[..., 0])


def _train(block, n=1000, *, apart=False, seed=3, **keywords):
    architecture = block["architecture"]
    together = _inputs(architecture, _pairs(n, common=True))
    incompatible = _inputs(architecture, _pairs(n, common=False, seed=2)) if apart else None
    settings = PairSettings.from_config(block)
    return train_pair_networks(
        together, incompatible, settings=settings, seed=seed, device=CPU, **keywords
    )


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(
    ("architecture", "sizes"),
    [
        ("features", {"hidden_features": 32, "layers": 3}),
        ("posteriors", {"channels": [32, 32], "hidden_features": 32, "layers": 2}),
    ],
)
def test_networks_learn_the_probability_of_a_common_parameter(architecture, sizes, apart):
    training = {**BLOCK["training"], "learning_rate": 5e-3, "max_epochs": 12}
    block = {
        **BLOCK,
        "architecture": architecture,
        "sizes": sizes,
        "members": 1,
        "training": training,
    }
    trained = _train(block, 8000, apart=apart)
    for common in (True, False):
        pairs = _pairs(1000, common=common, seed=9)
        exact = pair_scores(made.log_ratio(pairs[..., 0]), made.WEIGHTS)[:, 0, 1]
        found = ensembles.ensemble_scores(trained.networks, _inputs(architecture, pairs))[:, 0, 1]
        assert exact.std() > 0.1
        assert float((found - exact).abs().mean()) < 0.05


class Difference(PairNet):
    """Log odds are 10 times a function of both events' numbers."""

    max_norm = None

    def __init__(self, function):
        super().__init__()
        self.function = function

    def embed(self, x):
        return x

    def compare(self, first, second):
        return 10 * self.function(first[:, 0], second[:, 0])


def test_partners_are_exchanged_with_other_pairs():
    numbers = torch.arange(7.0)[:, None, None].expand(7, 2, 1)
    same = Difference(lambda first, second: 2 * (first == second).float() - 1)
    assert torch.all(ensembles.exchange_loss(same, numbers) < 1e-3)
    other = Difference(lambda first, second: 2 * (first != second).float() - 1)
    assert torch.all(ensembles.exchange_loss(other, numbers) > 9)


def test_half_of_the_pairs_are_turned_round():
    pairs = torch.arange(8.0)[:, None, None] + torch.tensor([0.0, 0.5])[:, None]

    def rising(first, second):
        return torch.where(first.floor() == second.floor(), (first < second).float(), -1.0)

    losses = ensembles.exchange_loss(Difference(rising), pairs)
    assert losses[:4].tolist() == pytest.approx(4 * [math.log(2) / 2], abs=1e-3)
    assert losses[4:].tolist() == pytest.approx(4 * [0.0], abs=1e-3)


def test_incompatible_pairs_use_each_event_once():
    x = torch.arange(14.0).view(7, 2)
    pairs = pair_singles(x)
    assert pairs.shape == (3, 2, 2)
    assert torch.equal(pairs.flatten(0, 1), x[:6])


@pytest.mark.parametrize("apart", [False, True])
def test_members_differ_and_seeds_repeat(apart):
    first, again = _train(BLOCK, apart=apart), _train(BLOCK, apart=apart)
    x = _pairs(50, common=False, seed=4)
    scores = ensembles.member_scores(first.networks, x)
    assert scores.shape == (2, 50, 2, 2)
    assert torch.equal(scores, ensembles.member_scores(again.networks, x))
    assert float((scores[0] - scores[1]).abs().max()) > 1e-3
    assert torch.allclose(ensembles.ensemble_scores(first.networks, x), scores.mean(0))
    assert first.history["member"].tolist() == [0, 0, 1, 1]
    other = _train(BLOCK, apart=apart, seed=4)
    assert not torch.equal(scores, ensembles.member_scores(other.networks, x))


def test_units_of_features_do_not_matter():
    together, x = _pairs(1000, common=True), _pairs(20, common=True, seed=4)
    settings = PairSettings.from_config({**BLOCK, "members": 1})

    def score(unit):
        trained = train_pair_networks(unit(together), settings=settings, seed=3, device=CPU)
        return ensembles.ensemble_scores(trained.networks, unit(x))

    expected, found = score(lambda x: x), score(lambda x: 1000 * x + 30)
    assert torch.allclose(found, expected, atol=1e-2)


def test_scores_are_probabilities_of_the_log_odds():
    network = _train(BLOCK).networks[0]
    x = _pairs(20, common=True, seed=4)
    score = ensembles.member_scores([network], x)[0, :, 0, 1].double()
    assert torch.allclose(torch.logit(score).float(), pair_logits(network, x)[:, 0, 1], atol=1e-3)


def test_training_resumes_from_what_is_finished(tmp_path):
    first = _train(BLOCK, checkpoints=tmp_path)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["member0.safetensors", "member1.safetensors"]
    again = _train(BLOCK, checkpoints=tmp_path)
    assert again.history["seconds"].tolist() == first.history["seconds"].tolist()
    x = _pairs(20, common=True, seed=4)
    assert torch.equal(
        ensembles.member_scores(first.networks, x), ensembles.member_scores(again.networks, x)
    )


@pytest.mark.parametrize("architecture", ["features", "posteriors"])
def test_restored_networks_agree(architecture):
    sizes = {"hidden_features": 8, "layers": 1}
    if architecture == "posteriors":
        sizes |= {"channels": [8, 8], "scaling": "common"}
    networks = _train({**BLOCK, "architecture": architecture, "sizes": sizes}).networks
    tensors, settings = ensembles.store_pair_networks(networks, architecture)
    restored = ensembles.restore_pair_networks(tensors, settings, device=CPU)
    x = _inputs(architecture, _pairs(20, common=True, seed=4))
    assert torch.equal(ensembles.member_scores(networks, x), ensembles.member_scores(restored, x))


@pytest.mark.parametrize("apart", [False, True])
def test_norms_of_weights_stay_within_their_limit(apart):
    limit = 0.3
    block = {**BLOCK, "members": 1, "sizes": {**BLOCK["sizes"], "max_norm": limit}}
    network = _train(block, apart=apart).networks[0]
    norms = [
        float(m.weight.detach().norm(dim=1).max())
        for m in network.modules()
        if isinstance(m, torch.nn.Linear)
    ]
    assert len(norms) == 3
    assert max(norms) == pytest.approx(limit, rel=1e-5)


def test_settings_come_from_the_configuration():
    settings = PairSettings.from_config(BLOCK)
    assert settings.training == TrainSettings(**BLOCK["training"])
    assert settings.members == 2
