"""Which losses add up over the parts of a batch, as training relies on when memory is short."""

import pytest
import torch

from bumpflow.classifiers import ResMLP, weighted_cross_entropy
from bumpflow.compatibility import ensembles, ratio
from bumpflow.compatibility.ensembles import PairSettings
from bumpflow.compatibility.networks import build_pair_network
from bumpflow.compatibility.ratio import RatioNet, RatioSettings
from bumpflow.flows.density import negative_log_prob
from bumpflow.flows.families import build_flow
from bumpflow.reconstruction.network import loss as set_loss
from bumpflow.reconstruction.published import PublishedNet, PublishedSettings, published_loss
from tests.unit.reconstruction.small import measured, random_posterior, true_sets

N = 24
TRAINING = {"learning_rate": 1e-2, "batch_size": 50, "max_epochs": 1, "patience": 1}


def numbers(*shape):
    return torch.randn(N, *shape, generator=torch.Generator().manual_seed(1))


def labels():
    return (torch.arange(N) % 3 == 0).float()


def sets():
    return [part[:N] for part in (*measured(), true_sets().theta)]


def pair_network():
    return build_pair_network("features", features=3, hidden_features=8, layers=2)


LOSSES = {
    "classifier": (lambda: ResMLP(3, 8, 1, 1), weighted_cross_entropy, [(3,), labels, ()]),
    "flow": (lambda: build_flow("box", 2, 0, {}), negative_log_prob, [torch.rand(N, 2)]),
    "ratio": (lambda: RatioNet(3, 8, 2), ratio.labelled_loss, [(3,), (), labels]),
    "pairs": (pair_network, ensembles.labelled_loss, [(2, 3), labels]),
    "sets": (lambda: random_posterior().network, set_loss, sets),
    "published": (
        lambda: PublishedNet(PublishedSettings(hidden_features=8, layers=1)),
        published_loss,
        [(30,), (2,)],
    ),
}
COUPLED = {
    "contrast": (lambda: RatioNet(3, 8, 2), ratio.contrastive_loss, [(3,), ()]),
    "exchange": (pair_network, ensembles.exchange_loss, [(2, 3)]),
}


def whole_and_parts(build, loss, inputs):
    """Return the losses of a batch, and of its parts one after the other."""
    torch.manual_seed(2)
    network = build().eval()
    made = (
        inputs()
        if callable(inputs)
        else [
            part() if callable(part) else numbers(*part) if isinstance(part, tuple) else part
            for part in inputs
        ]
    )
    with torch.no_grad():
        parts = zip(*(tensor.split(10) for tensor in made), strict=True)
        return loss(network, *made), torch.cat([loss(network, *part) for part in parts])


@pytest.mark.parametrize("name", LOSSES)
def test_an_event_has_its_loss_in_any_batch(name):
    whole, parts = whole_and_parts(*LOSSES[name])
    assert whole.shape == (N,)
    assert float(whole.std()) > 0
    torch.testing.assert_close(parts, whole, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", COUPLED)
def test_losses_of_exchanged_partners_depend_on_the_batch(name):
    whole, parts = whole_and_parts(*COUPLED[name])
    assert not torch.allclose(parts, whole, rtol=1e-3, atol=1e-4)


@pytest.fixture
def asked(monkeypatch):
    """Record what trainings ask for, and do not train."""
    seen = []

    def record(*_, whole_batches=False, **__):
        seen.append(whole_batches)

    for module in (ratio, ensembles):
        monkeypatch.setattr(module, "fit", record)
    return seen


@pytest.mark.parametrize(("contrast", "expected"), [("all", True), ("halves", False)])
def test_ratios_ask_for_whole_batches_where_they_need_them(asked, contrast, expected):
    block = {"sizes": {}, "contrast": contrast, "validation_fraction": 0.5, "training": TRAINING}
    settings = RatioSettings.from_config(block)
    ratio.train_ratio(numbers(2), numbers(), settings=settings, seed=1, device=torch.device("cpu"))
    assert asked == [expected]


@pytest.mark.parametrize("apart", [False, True])
def test_pairs_ask_for_whole_batches_where_they_need_them(asked, apart):
    settings = PairSettings.from_config(
        {
            "architecture": "features",
            "sizes": {"hidden_features": 8, "layers": 1},
            "members": 1,
            "validation_fraction": 0.5,
            "training": TRAINING,
        }
    )
    ensembles._train_member(
        numbers(2, 3),
        numbers(2, 3) if apart else None,
        settings=settings,
        seed=1,
        device=torch.device("cpu"),
        finished=None,
    )
    assert asked == [not apart]
